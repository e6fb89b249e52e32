"""What a designer should know about one design before trusting or building it: a sentence each, with numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pimmodel.batch import chunks
from pimmodel.breakdown import Breakdown, breakdown
from pimmodel.calibration import Calibration
from pimmodel.catalogue import find_calibration
from pimmodel.config import PimConfig
from pimmodel.costs import Floats
from pimmodel.estimate import Estimate, estimate
from pimmodel.isaac import IsaacCalibration
from pimmodel.numerics.adc import required_adc_bits
from pimmodel.workload import Kind, Workload

DIE_MM2 = 26.0 * 33.0
"""The largest field that one exposure prints; a larger die cannot be made in one piece."""

LIFETIME_YEARS = 10.0
"""What a chip is usually made to last."""

LEAST_CELLS_USED = 0.5

_YEAR_S = 365.25 * 86_400
_LARGEST_ADC_BITS = 12
_UNIT_STEP_MISSING_BITS = {"isaac": 2, "differential": 4}
"""Bits that an ADC may lack before another range loses less than steps of one that saturate."""


def remarks(workload: Workload, config: PimConfig, calibration: str | Calibration = "isaac32") -> list[str]:
    """What stands out in one network on one chip, and what to do about it; empty where nothing does.

    Looked at: ADC bits against those of lossless column sums, cells that hold nothing, embedding tables and
    crossbars that do not fit, cells that wear out, one operator that the others wait for.

    Args:
        workload: One network.
        config: One chip.
        calibration: Name in CALIBRATIONS, or one of your own.

    Raises:
        ValueError: there are several networks or chips, or no calibration has that name.
    """
    if (len(workload), len(config)) != (1, 1):
        raise ValueError(
            f"remarks are about one network on one chip, got {len(workload)} networks and {len(config)} chips; "
            "pick one with take(i)"
        )
    design = _Design.of(workload, config.take(0), find_calibration(calibration))
    return [
        *_adc(design),
        *_cells(design),
        *_tables(design),
        *_size(design),
        *_wear(design),
        *_bottleneck(design),
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Design:
    """One design and what it costs."""

    workload: Workload
    chip: PimConfig
    calibration: Calibration
    result: Estimate
    parts: Breakdown

    @classmethod
    def of(cls, workload: Workload, chip: PimConfig, calibration: Calibration) -> _Design:
        return cls(
            workload=workload,
            chip=chip,
            calibration=calibration,
            result=estimate(workload, chip, calibration),
            parts=breakdown(workload, chip, calibration),
        )

    def changed(self, **fields: Any) -> Estimate:
        """What it costs with other values in some fields of the chip, one row for each set of values."""
        chips = replace(self.chip, **fields)
        return estimate(self.workload, chips, self.calibration, by_operator=False)

    def positions(self, kind: Kind) -> list[int]:
        """Where the network's operators of a kind stand."""
        present = self.workload.n_vectors[0] > 0
        return [place for place, each in enumerate(self.workload.kinds) if each is kind and present[place]]


def _adc(design: _Design) -> list[str]:
    chip, result = design.chip, design.result
    bits, needed = int(chip.adc_bits), int(required_adc_bits(chip))
    if result.n_crossbars[0] == 0 or bits == needed:
        return []
    if bits > needed:
        saved = 1 - design.changed(adc_bits=needed).energy_pj[0] / result.energy_pj[0]
        return [
            f"The ADC has {bits} bits where lossless column sums need {needed}: "
            f"{_count(bits - needed, 'bit')} bring nothing; adc_bits {needed} takes {saved:.0%} less energy."
        ]
    ways = [f"adc_bits {needed}"] if needed <= _LARGEST_ADC_BITS else []
    halves = [2**power for power in range(11) if 2**power < int(chip.n_active_wordlines)]
    narrower = [replace(chip, n_active_wordlines=n) for n in halves]
    lossless = [n for n, other in zip(halves, narrower, strict=True) if int(required_adc_bits(other)) <= bits]
    ways += [f"n_active_wordlines {max(lossless)}"] if lossless else []
    ways += _better_range(chip, needed - bits)
    return [
        f"The ADC has {bits} bits, lossless column sums need {needed}, {_count(needed - bits, 'bit')} more: "
        f"results are distorted. {_listed(ways, 'What helps')}."
    ]


def _better_range(chip: PimConfig, missing_bits: int) -> list[str]:
    """The ADC range that loses least, where the chip has another.

    Signal to noise, by `exact_product`, of a layer of 512 inputs, 8-bit Gaussian weights and rectified inputs, 128
    wordlines, 1-bit inputs and 2-bit cells, at full scale / unit step / 4 sigma: differential, which needs 10 bits,
    10 / 99 / 99 dB at 8 bits, 4 / 55 / 47 at 6, 2 / 25 / 29 at 5, 0 / 12 / 22 at 4; ISAAC's encoding, which needs 8
    and whose sums are not centred at zero, 12 / 99 / 99 at 7 bits, 6 / 31 / 26 at 6, 0 / -8 / 16 at 5. At 2-bit inputs
    unit steps stop winning at as many missing bits; at 1-bit cells a differential pair stands one bit more.
    """
    better = "unit-step" if missing_bits <= _UNIT_STEP_MISSING_BITS[str(chip.weight_encoding)] else "k-sigma"
    return [] if chip.adc_range == better else [f"adc_range '{better}', which loses less than '{chip.adc_range}'"]


def _cells(design: _Design) -> list[str]:
    result, parts, size = design.result, design.parts, int(design.chip.crossbar_size)
    used = float(result.cell_utilisation[0])
    if result.n_crossbars[0] == 0 or used >= LEAST_CELLS_USED:
        return []
    n_cells = parts.n_crossbars[0] * size**2
    empty = n_cells - parts.n_used_cells[0]
    is_worst = parts.n_used_cells[0] < LEAST_CELLS_USED * n_cells
    worst = [place for place in np.argsort(-empty * is_worst)[:3].tolist() if is_worst[place]]
    names = ", ".join(
        f"{parts.operators[place]} ({parts.n_used_cells[0, place] / n_cells[place]:.0%} of "
        f"{_count(parts.n_crossbars[0, place], 'crossbar')})"
        for place in worst
    )
    crossbars = _count(result.n_crossbars[0], "crossbar")
    text = f"Only {used:.0%} of the cells of {crossbars} hold weights; most empty ones: {names}."
    sizes = np.array([2**power for power in range(3, 10) if 2**power < size], dtype=np.int64)
    if sizes.size:
        smaller = design.changed(
            crossbar_size=sizes,
            n_active_wordlines=np.minimum(sizes, int(design.chip.n_active_wordlines)),
            columns_per_adc=np.minimum(sizes, int(design.chip.columns_per_adc)),
        )
        fits = np.flatnonzero(smaller.cell_utilisation >= LEAST_CELLS_USED)
        pick = int(fits[-1]) if fits.size else int(smaller.cell_utilisation.argmax())
        text += (
            f" Crossbars of {sizes[pick]} would be {smaller.cell_utilisation[pick]:.0%} used, at "
            f"{smaller.energy_pj[pick] / result.energy_pj[0]:.2f} times the energy and "
            f"{smaller.area_mm2[pick] / result.area_mm2[0]:.2f} times the area."
        )
    return [text]


def _tables(design: _Design) -> list[str]:
    """Tables larger than where they are to live; each lookup operator has a memory of its own."""
    found = []
    memory, workload = str(design.chip.table_memory), design.workload
    for place in design.positions(Kind.LOOKUP):
        n_elements = int(workload.in_features[0, place]) * int(workload.out_features[0, place])
        n_bytes = n_elements * int(design.chip.table_bits) / 8
        tables = f"The tables of {workload.names[place]} take {n_bytes / 1e9:,.3g} GB"
        if memory == "reram":
            area_mm2 = design.parts.area_mm2[0, place, design.parts.components.index("embedding_memory")]
            if area_mm2 > DIE_MM2:
                found.append(
                    f"{tables} and {area_mm2:,.0f} mm2 of ReRAM, the largest die is {DIE_MM2:.0f} mm2: put them beside "
                    f"the chip (table_memory {' or '.join(map(repr, design.calibration.drams))})."
                )
            continue
        capacity = design.calibration.drams[memory].capacity_bytes
        if n_bytes > capacity:
            ways = [
                f"table_memory {name!r} ({dram.capacity_bytes / 1e9:.3g} GB)"
                for name, dram in design.calibration.drams.items()
                if dram.capacity_bytes >= n_bytes
            ]
            bits = [n for n in (4, 8, 16) if n < int(design.chip.table_bits) and n_elements * n / 8 <= capacity]
            ways += [f"table_bits {max(bits)}"] if bits else []
            ways += [f"rows shared by several values, or tables spread over {-(-n_bytes // capacity):,.0f} of them"]
            found.append(
                f"{tables}, one {memory} memory holds {capacity / 1e9:.3g} GB: they do not fit. "
                f"{_listed(ways, 'What helps')}."
            )
    return found


def _size(design: _Design) -> list[str]:
    """A chip too large to make in one piece, tables left out; more crossbars than the calibration's chip has."""
    found = []
    lookups = design.positions(Kind.LOOKUP)
    area_mm2 = float(design.result.area_mm2[0] - design.parts.area_mm2[0, lookups].sum())
    if area_mm2 > DIE_MM2:
        found.append(
            f"The chip without embedding tables takes {area_mm2:,.0f} mm2, the largest die is {DIE_MM2:.0f} mm2: "
            "spread it over several, or take narrower operators, fewer copies or more columns_per_adc."
        )
    constants = design.calibration
    if isinstance(constants, IsaacCalibration):
        n_crossbars = float(design.result.n_crossbars[0])
        n_there = constants.tiles_per_chip * constants.tile_wordlines / int(design.chip.crossbar_size)
        if n_crossbars > n_there:
            found.append(
                f"The design takes {n_crossbars:,.0f} crossbars, one chip of {constants.name} holds {n_there:,.0f} of "
                f"this size: it needs {np.ceil(n_crossbars / n_there):.0f} chips, whose links are not in the figures."
            )
    return found


def _wear(design: _Design) -> list[str]:
    lifetime_s = float(design.result.lifetime_s[0])
    if lifetime_s >= LIFETIME_YEARS * _YEAR_S:
        return []
    written = [design.workload.names[place] for place in design.positions(Kind.PRODUCT)]
    return [
        f"Cells of {written[0]}{f' and {len(written) - 1} more' if len(written) > 1 else ''} are written in every "
        f"inference and wear out after {_duration(lifetime_s)} at {design.result.throughput_per_s[0]:,.0f} inferences "
        f"per s ({design.calibration.cell_endurance_writes:.0e} writes a cell), less than {LIFETIME_YEARS:.0f} years: "
        "product_unit 'digital' writes none."
    ]


def _bottleneck(design: _Design) -> list[str]:
    """One operator that takes twice as long as any other, so that the rest of the chip waits for it."""
    names = design.workload.names
    is_serial = design.chip.execution == "layer-by-layer"
    times_ns = design.result.latency_by_operator_ns[0] if is_serial else _busy_ns(design)
    if np.count_nonzero(times_ns) < 2:
        return []
    slowest, second = np.argsort(-times_ns)[:2].tolist()
    if is_serial:
        share = times_ns[slowest] / design.result.latency_ns[0]
        if share <= 0.5:
            return []
        text = f"{names[slowest]} takes {share:.0%} of the latency of {design.result.latency_ns[0]:,.0f} ns"
    else:
        if times_ns[second] > times_ns[slowest] / 2:
            return []
        text = (
            f"{names[slowest]} is busy for {times_ns[slowest]:,.0f} ns an inference and sets the period, no other "
            f"operator for more than {times_ns[second]:,.0f} ns ({names[second]})"
        )
    way = _faster(design, slowest)
    return [f"{text}: {way}." if way else f"{text}."]


def _faster(design: _Design, place: int) -> str:
    """What shortens the time of an operator, with the period that it then gives; empty where nothing here does."""
    chip, kind, period_ns = design.chip, design.workload.kinds[place], float(design.result.period_ns[0])
    n_vectors = int(design.workload.n_vectors[0, place])
    options: list[dict[str, Any]] = []
    if kind is Kind.MVM and n_vectors > int(chip.n_copies):
        counts = np.unique(np.minimum(n_vectors, int(chip.n_copies) * 2 ** np.arange(1, 32)))
        periods_ns = design.changed(n_copies=counts).period_ns
        least = int(np.flatnonzero(periods_ns <= 1.05 * periods_ns.min())[0])
        options = [{"n_copies": int(counts[least])}]
    elif kind is Kind.MVM:
        options = [{"columns_per_adc": max(1, int(chip.columns_per_adc) // 4)}]
        if int(chip.n_active_wordlines) < int(chip.crossbar_size):
            options += [{"n_active_wordlines": int(chip.crossbar_size)}]
        if int(chip.dac_bits) < int(chip.activation_bits):
            options += [{"dac_bits": min(8, 2 * int(chip.dac_bits))}]
    elif kind is Kind.PRODUCT:
        options = [{"product_unit": "crossbar" if chip.product_unit == "digital" else "digital"}]
    elif kind is Kind.LOOKUP:
        options = [{"table_memory": name} for name in design.calibration.drams if name != chip.table_memory]
    for option in options:
        new_ns = float(design.changed(**option).period_ns[0])
        if new_ns < 0.95 * period_ns:
            ((field, value),) = option.items()
            needed = int(required_adc_bits(replace(chip, **option)))
            lossy = f", and lossless sums then need {needed} ADC bits" if needed > int(chip.adc_bits) else ""
            return f"{field} {value!r} makes the period {new_ns:,.0f} instead of {period_ns:,.0f} ns{lossy}"
    return ""


def _busy_ns(design: _Design) -> Floats:
    """(L,) time until each operator can take the next inference."""
    busy_ns = np.zeros(len(design.workload.names))
    for chunk in chunks(design.workload, design.chip, design.calibration):
        for group in chunk.groups:
            busy_ns[group.position] = group.costs.busy_ns
    return busy_ns


def _count(n: float, noun: str) -> str:
    """A count with its noun; fractions of shared crossbars are shown as such."""
    number = f"{n:,.0f}" if n >= 10 or float(n).is_integer() else f"{n:,.2g}"
    return f"{number} {noun}{'' if n == 1 else 's'}"


def _listed(ways: list[str], lead: str) -> str:
    return f"{lead}: {', or '.join(ways)}" if ways else "Nothing in the chip's choices helps"


def _duration(seconds: float) -> str:
    """A time in the largest unit that gives at least one."""
    for unit, length_s in (("years", _YEAR_S), ("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= length_s:
            return f"{seconds / length_s:,.1f} {unit}"
    return f"{seconds:.3g} s"
