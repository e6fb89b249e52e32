"""One co-design: a network, the chip that runs it, and what is known of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pimmodel import PimConfig
from spaces import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A network and a chip, with the supernet's score and the hardware model's costs.

    Attributes:
        key: The canonical key; equal for equal designs.
        architecture: The network.
        hardware: The chip.
        n_dense: Dense fields of the data.
        cardinalities: Rows of the embedding table of each categorical field of the data.
        logloss: Log loss on valid rows as the supernet scores it, corrected where the study has a correction; not of
            this network trained from scratch.
        auc: Area under the ROC curve on the same rows, by the supernet alone.
        energy_pj: Energy of one inference.
        latency_ns: Time of one inference through the network's graph.
        area_mm2: Chip area.
        power_mw: Power at full, pipelined rate.
        period_ns: Time between two inferences at full rate.
        macs: Multiply-accumulates of one inference, live parts only.
        n_parameters: Trainable numbers without embedding tables, live parts only.
        generation: Generation of the search that bred it.
    """

    key: str
    architecture: Architecture
    hardware: PimConfig
    n_dense: int
    cardinalities: tuple[int, ...]
    logloss: float
    auc: float
    energy_pj: float
    latency_ns: float
    area_mm2: float
    power_mw: float
    period_ns: float
    macs: int
    n_parameters: int
    generation: int

    def to_json(self) -> str:
        """The design as one JSON text: key, architecture, hardware, the data's fields and figures."""
        parts = design_parts(self.architecture, self.hardware, self.n_dense, self.cardinalities)
        figures = {name: getattr(self, name) for name in FIGURES}
        return json.dumps({"key": self.key, **parts, "supernet_score_and_costs": figures}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Design:
        """What `to_json` gave.

        Raises:
            ValueError: The text is something else; the message says what is missing.
        """
        parts, entries = read_design(text), json.loads(text)
        if parts.hardware is None or parts.n_dense is None or parts.cardinalities is None:
            raise ValueError("this is not a whole design: it needs the entries 'architecture', 'hardware' and 'data'")
        try:
            figures = {name: entries["supernet_score_and_costs"][name] for name in FIGURES}
            return cls(
                key=entries["key"],
                architecture=parts.architecture,
                hardware=parts.hardware,
                n_dense=parts.n_dense,
                cardinalities=parts.cardinalities,
                **figures,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"this is not a whole design: entry missing or of the wrong type ({error}); give a file of "
                "'moco front --design'"
            ) from error


FIGURES = (
    "logloss",
    "auc",
    "energy_pj",
    "latency_ns",
    "area_mm2",
    "power_mw",
    "period_ns",
    "macs",
    "n_parameters",
    "generation",
)
"""Columns of a front table, in order."""


def design_parts(
    architecture: Architecture, hardware: PimConfig, n_dense: int, cardinalities: Sequence[int]
) -> dict[str, Any]:
    """What a design file needs, as plain data for JSON: network, chip and the data's fields."""
    return {
        "architecture": asdict(architecture),
        "hardware": json.loads(hardware.to_json()),
        "data": {"n_dense": n_dense, "cardinalities": list(cardinalities)},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignFile:
    """What a design file says: a network, and where given the chip and the data's fields."""

    architecture: Architecture
    hardware: PimConfig | None = None
    n_dense: int | None = None
    cardinalities: tuple[int, ...] | None = None


def read_design(text: str) -> DesignFile:
    """A design from JSON: what `Design.to_json` wrote, or an architecture alone.

    Raises:
        ValueError: The text is neither; the message says what is missing.
    """
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not a design: not JSON ({error})") from error
    if not isinstance(entries, Mapping):
        raise ValueError(f"this is not a design: expected a JSON object, got {type(entries).__name__}")
    if "blocks" in entries:
        return DesignFile(architecture=Architecture.from_dict(entries))
    if "architecture" not in entries:
        raise ValueError(f"this is not a design: it needs the entry 'architecture' or 'blocks', got {sorted(entries)}")
    hardware, fields = entries.get("hardware"), entries.get("data")
    try:
        return DesignFile(
            architecture=Architecture.from_dict(entries["architecture"]),
            hardware=None if hardware is None else PimConfig.from_json(json.dumps(hardware)),
            n_dense=None if fields is None else int(fields["n_dense"]),
            cardinalities=None if fields is None else tuple(int(rows) for rows in fields["cardinalities"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is not a design: entry missing or of the wrong type ({error})") from error
