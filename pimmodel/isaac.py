"""The arithmetic of chips built as ISAAC is: crossbars and their converters in IMAs, IMAs in tiles, tiles on a chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pimmodel.calibration import Calibration
from pimmodel.components import Movement, Part, by_bits
from pimmodel.config import PimConfig
from pimmodel.costs import Floats, OperatorCosts, Operators
from pimmodel.mapping import crossbar_work, n_adcs, per_design


@dataclass(frozen=True, slots=True, kw_only=True)
class IsaacCalibration(Calibration):
    """Constants of a chip of IMAs and tiles. Tuples hold one value per bit, the first for 1 bit.

    Every operator reads its inputs once from the tile buffer over the tile bus, which all its crossbars listen to,
    and sends its results over bus and router, one hop, into a buffer. Left out: waiting for a busy buffer, bus
    or router; longer ways.

    Attributes:
        adc_energy_pj, adc_area_um2: One conversion and one converter, by adc_bits 1 to 12.
        adc_samples_per_ns: Conversions per ns of one ADC, likewise.
        dac_energy_pj, dac_area_um2: One wordline driven for one cycle and its driver, by dac_bits 1 to 8.
        cell_read_energy_pj: One cell in a driven wordline and a used bitline, one cycle.
        cell_area_um2: One cell of a crossbar.
        read_ns_per_wordline: Crossbar read time per wordline driven together.
        sample_energy_pj, sample_hold_area_um2: One bitline, or pair, sampled; the circuit of one bitline.
        shift_add_energy_pj, shift_add_area_um2: Merging one conversion; the units' share of one ADC.
        reference_crossbar_size: Crossbar size at which the groups below are given. Their shared
            parts follow the wordlines they serve: a crossbar of another size takes a share in proportion.
        crossbars_per_ima, imas_per_tile, tiles_per_chip: Grouping at the reference size.
        edram_bytes: Capacity of a tile's buffer. An operator whose inputs exceed its crossbars' share of
            it gets a larger one; operators that run in turn share all buffers.
        ima_parts: "input_register" and "output_register" (events are bytes).
        tile_parts: "edram", "bus", "router", "output_register" (bytes), "shift_add" (operations)
            and parts that only stand there.
        chip_parts: Parts outside the tiles; whole-chip figures only.
        pipeline_overhead_cycles: Cycles an MVM takes beyond those of its input bits.

    Raises:
        ValueError: a per-bit table has the wrong length, or a memory or a part is missing.
    """

    adc_energy_pj: tuple[float, ...]
    adc_area_um2: tuple[float, ...]
    adc_samples_per_ns: tuple[float, ...]
    dac_energy_pj: tuple[float, ...]
    dac_area_um2: tuple[float, ...]
    cell_read_energy_pj: float
    cell_area_um2: float
    read_ns_per_wordline: float
    sample_energy_pj: float
    sample_hold_area_um2: float
    shift_add_energy_pj: float
    shift_add_area_um2: float
    reference_crossbar_size: int
    crossbars_per_ima: int
    imas_per_tile: int
    tiles_per_chip: int
    edram_bytes: int
    ima_parts: Mapping[str, Part]
    tile_parts: Mapping[str, Part]
    chip_parts: Mapping[str, Part]
    pipeline_overhead_cycles: int

    def __post_init__(self) -> None:
        Calibration.__post_init__(self)
        self._check_lengths(
            {"adc_energy_pj": 12, "adc_area_um2": 12, "adc_samples_per_ns": 12, "dac_energy_pj": 8, "dac_area_um2": 8}
        )
        for field, names in (
            ("ima_parts", {"input_register", "output_register"}),
            ("tile_parts", {"edram", "bus", "router", "shift_add", "output_register"}),
        ):
            if missing := sorted(names - getattr(self, field).keys()):
                raise ValueError(f"{field} of calibration {self.name!r} must name {missing[0]!r}")

    @property
    def movement(self) -> Movement:
        """Through the tile's buffer, bus and router."""
        return Movement(
            buffer_pj_per_byte=self.tile_parts["edram"].energy_pj,
            bus_pj_per_byte=self.tile_parts["bus"].energy_pj,
            router_pj_per_byte=self.tile_parts["router"].energy_pj,
        )

    @property
    def ima_wordlines(self) -> int:
        """Wordlines one IMA serves."""
        return self.reference_crossbar_size * self.crossbars_per_ima

    @property
    def tile_wordlines(self) -> int:
        """Wordlines one tile serves."""
        return self.ima_wordlines * self.imas_per_tile

    @property
    def tile_static_mw(self) -> float:
        """Static power of one tile."""
        imas_mw = self.imas_per_tile * sum(part.static_mw for part in self.ima_parts.values())
        return imas_mw + sum(part.static_mw for part in self.tile_parts.values())

    def crossbar_area_um2(self, config: PimConfig) -> dict[str, Floats]:
        """Area of one crossbar with its own converters, by component; each (B,) or (1,)."""
        size = per_design(config.crossbar_size)
        return {
            "adc": n_adcs(config) * by_bits(self.adc_area_um2, np.atleast_1d(config.adc_bits)),
            "dac": size * by_bits(self.dac_area_um2, np.atleast_1d(config.dac_bits)),
            "crossbar": size**2 * self.cell_area_um2,
            "sample_hold": size * self.sample_hold_area_um2,
            "shift_add": n_adcs(config) * self.shift_add_area_um2,
        }

    def mapped_crossbar_area_um2(self, config: PimConfig) -> dict[str, Floats]:
        """`crossbar_area_um2` plus the crossbar's share of its IMA's and tile's parts, by component.

        A crossbar's share is its wordlines over those the IMA or tile serves. Shares are not rounded up to
        whole tiles: the tail of the last tile serves other work.
        """
        size = per_design(config.crossbar_size)
        area_um2 = self.crossbar_area_um2(config)
        for parts, wordlines in ((self.ima_parts, self.ima_wordlines), (self.tile_parts, self.tile_wordlines)):
            for part in parts.values():
                share_um2 = size / wordlines * part.area_um2
                area_um2[part.component] = area_um2.get(part.component, 0.0) + share_um2
        return area_um2

    def mvm_costs(self, operators: Operators, n_copies: Floats, config: PimConfig) -> OperatorCosts:
        """Products of n_vectors input vectors with stored matrices of in_features x out_features.

        Args:
            operators: The n operators of B designs; each has at least one vector.
            n_copies: (n,) or (1,) copies of the matrix, 1 to n_vectors.
            config: B configurations, or one.
        """
        work = crossbar_work(operators, n_copies, config)
        element_bytes = operators.each(per_design(config.activation_bits) / 8)
        bytes_in = operators.in_features * operators.n_vectors * element_bytes
        bytes_out = operators.out_features * operators.n_vectors * element_bytes
        registers_pj_per_byte = [
            parts[name].energy_pj
            for parts, name in (
                (self.ima_parts, "input_register"),
                (self.ima_parts, "output_register"),
                (self.tile_parts, "output_register"),
            )
        ]
        energy_pj = self.movement.energy_pj(bytes_in, bytes_out)
        energy_pj["buffer"] += (
            element_bytes
            * (work.n_input_loads * registers_pj_per_byte[0] + work.n_partial_sums * registers_pj_per_byte[1])
            + bytes_out * registers_pj_per_byte[2]
        )
        adc_pj = by_bits(self.adc_energy_pj, np.atleast_1d(config.adc_bits))
        dac_pj = by_bits(self.dac_energy_pj, np.atleast_1d(config.dac_bits))
        energy_pj |= {
            "adc": work.n_conversions * operators.each(adc_pj),
            "dac": work.n_wordline_drives * operators.each(dac_pj),
            "crossbar": work.n_cell_reads * self.cell_read_energy_pj,
            "sample_hold": work.n_conversions * self.sample_energy_pj,
            "shift_add": work.n_conversions * self.shift_add_energy_pj
            + work.n_merges * self.tile_parts["shift_add"].energy_pj,
        }

        read_ns = self.read_ns_per_wordline * work.n_driven
        convert_ns = work.n_in_turn / operators.each(by_bits(self.adc_samples_per_ns, np.atleast_1d(config.adc_bits)))
        cycle_ns = np.maximum(read_ns, convert_ns)  # a sample-and-hold lets the two overlap

        tiles_per_crossbar = per_design(config.crossbar_size) / self.tile_wordlines
        n_tiles = work.n_crossbars * operators.each(tiles_per_crossbar)
        area_um2 = {
            component: work.n_crossbars * operators.each(each_um2)
            for component, each_um2 in self.mapped_crossbar_area_um2(config).items()
        }
        missing_buffers = self._missing_buffers(operators, bytes_in, n_tiles, config)
        edram = self.tile_parts["edram"]
        area_um2[edram.component] = area_um2[edram.component] + missing_buffers * edram.area_um2
        return OperatorCosts(
            energy_pj=energy_pj,
            time_ns={"adc": work.n_cycles * convert_ns, "crossbar": work.n_cycles * read_ns},
            area_um2=area_um2,
            busy_ns=work.n_cycles * cycle_ns,
            overhead_ns=self.pipeline_overhead_cycles * cycle_ns,
            static_mw=n_tiles * self.tile_static_mw + missing_buffers * edram.static_mw,
            n_crossbars=work.n_crossbars,
            n_used_cells=work.n_used_cells,
            n_tiles=n_tiles,
        )

    def _missing_buffers(self, operators: Operators, bytes_in: Floats, n_tiles: Floats, config: PimConfig) -> Floats:
        """(n,) tile buffers that each operator needs beyond those of its tiles.

        Operators that run in turn have the buffers of all tiles; what the neediest then lacks is shared out by bytes.
        """
        missing = np.maximum(bytes_in / self.edram_bytes - n_tiles, 0.0)
        is_shared = np.atleast_1d(config.execution) == "layer-by-layer"
        if is_shared.any():
            lacking = np.maximum(operators.largest(bytes_in) / self.edram_bytes - operators.total(n_tiles), 0.0)
            share = bytes_in / operators.each(operators.total(bytes_in))
            missing = np.where(operators.each(is_shared), operators.each(lacking) * share, missing)
        return missing
