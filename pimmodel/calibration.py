"""A calibration: a named, sourced answer to what every event costs and every instance occupies.

Work outside crossbars is costed the same way everywhere, from the records here; how products lie on crossbars
and what they then cost is each calibration's own arithmetic.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pimmodel.components import Digital, Dram, Movement, TableMemory
from pimmodel.config import PimConfig
from pimmodel.costs import Floats, OperatorCosts, Operators


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(ABC):
    """Every constant of a cost model, and its arithmetic for products on crossbars.

    Attributes:
        name: Key in CALIBRATIONS.
        source: Where the constants come from.
        node_nm: Technology node of the chip.
        digital: Digital arithmetic.
        drams: By table_memory name.
        table_memory: Embedding tables in ReRAM on the chip.
        cell_write_energy_pj, row_write_ns: Writing a cell; writing the cells of one wordline at once.
        cell_endurance_writes: Writes that a cell survives.

    Raises:
        ValueError: a memory is missing.
    """

    name: str
    source: str
    node_nm: float
    digital: Digital
    drams: Mapping[str, Dram]
    table_memory: TableMemory
    cell_write_energy_pj: float
    row_write_ns: float
    cell_endurance_writes: float

    def __post_init__(self) -> None:
        if missing := sorted({"lpddr4", "hbm2"} - self.drams.keys()):
            raise ValueError(f"drams of calibration {self.name!r} must name {missing[0]!r}")

    def _check_lengths(self, n_entries: Mapping[str, int]) -> None:
        """ValueError where a table of one value per bit has another length."""
        for table, length in n_entries.items():
            if (got := len(getattr(self, table))) != length:
                raise ValueError(
                    f"{table} of calibration {self.name!r} must have {length} entries, one per bit, got {got}"
                )

    @property
    @abstractmethod
    def movement(self) -> Movement:
        """Bytes into and out of digital units, crossbars and embedding tables."""

    @abstractmethod
    def mvm_costs(self, operators: Operators, n_copies: Floats, config: PimConfig) -> OperatorCosts:
        """Products of n_vectors input vectors with stored matrices of in_features x out_features.

        Args:
            operators: The n operators of B designs; each has at least one vector.
            n_copies: (n,) or (1,) copies of the matrix, 1 to n_vectors.
            config: B configurations, or one.
        """

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with any constant; stored with every result."""
        return hashlib.sha256(repr(_plain(asdict(self))).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Equal constants as equal text: whole numbers as floats, mappings in the order of their keys."""
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value if isinstance(value, str) else float(value)
