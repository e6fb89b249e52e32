"""How much room the embedding tables of a data set take: in memory, and on a chip by the hardware model."""

from __future__ import annotations

from dataclasses import dataclass

from moco.data import ClickLog
from pimmodel import Calibration, Kind, Operator, PimConfig, Workload, estimate, find_calibration
from pimmodel.remarks import DIE_MM2

BITS = (4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSizes:
    """The tables of all fields, or of one.

    Attributes:
        name: Of the field; "all fields" for all.
        rows: Table rows, that of unknown values included.
        memory_bytes: Of weights in float32.
        training_bytes: The same with the state of row-wise Adagrad, one float32 a row.
        stored_bytes: On or beside a chip, by the bits of one number.
        reram_mm2: Chip area in ReRAM, by the bits of one number.
    """

    name: str
    rows: int
    memory_bytes: int
    training_bytes: int
    stored_bytes: dict[int, int]
    reram_mm2: dict[int, float]


def table_sizes(
    data: ClickLog, embedding_dim: int = 16, calibration: str | Calibration = "isaac32"
) -> list[TableSizes]:
    """Sizes of all tables together, then of each field's, the largest first.

    Args:
        data: The click log; of a stored log with limited tables, those.
        embedding_dim: Numbers of a row.
        calibration: Of the hardware model, for the area of ReRAM.

    Raises:
        ValueError: embedding_dim is below 1, or there is no such calibration.
    """
    if embedding_dim < 1:
        raise ValueError(f"embedding_dim must be at least 1, got {embedding_dim}")
    rows = dict(zip(data.categorical, data.cardinalities, strict=True))
    names = ["all fields", *sorted(rows, key=lambda name: (-rows[name], name))]
    rows["all fields"] = sum(data.cardinalities)
    model = find_calibration(calibration)
    return [
        TableSizes(
            name=name,
            rows=rows[name],
            memory_bytes=4 * embedding_dim * rows[name],
            training_bytes=4 * (embedding_dim + 1) * rows[name],
            stored_bytes={bits: -(-rows[name] * embedding_dim * bits // 8) for bits in BITS},
            reram_mm2={bits: _reram_mm2(rows[name], embedding_dim, bits, model) for bits in BITS},
        )
        for name in names
    ]


def _reram_mm2(rows: int, width: int, bits: int, calibration: Calibration) -> float:
    """What the hardware model charges a chip for a table of so many rows."""
    lookup = Operator(name="table", kind=Kind.LOOKUP, in_features=rows, out_features=width)
    chip = PimConfig(table_memory="reram", table_bits=bits)
    return float(estimate(Workload.from_operators([lookup]), chip, calibration).area_mm2[0])


def table_sizes_text(data: ClickLog, embedding_dim: int = 16, n_fields: int = 5) -> str:
    """The sizes as a printable table, of all fields together and of the largest ones."""
    model = find_calibration("isaac32")
    sizes = table_sizes(data, embedding_dim, model)
    lines = [
        f"embedding tables, {embedding_dim} numbers a row",
        f"{'field':<14}{'rows':>13}{'float32 MB':>13}{'in training':>13}"
        + "".join(f"{f'{bits}-bit MB':>12}{'ReRAM mm2':>12}" for bits in BITS),
    ]
    for size in sizes[: 1 + n_fields]:
        on_chip = "".join(f"{size.stored_bytes[bits] / 1e6:>12,.1f}{size.reram_mm2[bits]:>12,.2f}" for bits in BITS)
        lines.append(
            f"{size.name:<14}{size.rows:>13,}{size.memory_bytes / 1e6:>13,.1f}{size.training_bytes / 1e6:>13,.1f}"
            + on_chip
        )
    if len(sizes) > 1 + n_fields:
        lines.append(f"and {len(sizes) - 1 - n_fields} smaller ones")
    dies = sizes[0].reram_mm2[8] / DIE_MM2
    drams = ", ".join(
        f"{-(-sizes[0].stored_bytes[8] // dram.capacity_bytes):,.0f} {name} of {dram.capacity_bytes / 1e9:.3g} GB"
        for name, dram in model.drams.items()
    )
    lines.append(f"at 8 bits: {dies:,.2f} of the largest die of {DIE_MM2:.0f} mm2 in ReRAM ({model.name}), or {drams}")
    return "\n".join(lines)
