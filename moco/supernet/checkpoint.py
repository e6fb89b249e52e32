"""Supernets on disk: safetensors with a JSON header, resumable while training, only what scoring needs afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from moco.data import ClickLog
from moco.files import write_whole
from moco.settings import TrainSettings
from moco.supernet.network import Supernet
from spaces.codesign import CodesignSpace
from spaces.nasrec import NasrecSpace

FORMAT = "moco supernet 3"
HEADER = "moco"
"""The one entry of the file's metadata: JSON."""


class CheckpointError(ValueError):
    """A supernet file that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Round:
    """What supernet training had come to at the end of a round: an epoch, or an equal part of a long one.

    Attributes:
        n_epochs: Epochs done by then.
        train_logloss: Mean over the round's steps, each on its own random path.
        valid_logloss: Median of the monitored networks' on valid rows, with refitted heads.
        valid_auc: The same of the AUC.
    """

    n_epochs: float
    train_logloss: float
    valid_logloss: float
    valid_auc: float


@dataclass(frozen=True, eq=False)
class TrainedSupernet:
    """A supernet with the weights of its best round.

    Attributes:
        supernet: The weights.
        settings: How it was trained.
        seed: Of its training.
        history: Every round.
        data_digest: Of the data it was trained on.
    """

    supernet: Supernet
    settings: TrainSettings
    seed: int
    history: tuple[Round, ...]
    data_digest: str

    @property
    def best(self) -> Round:
        """The round with the lowest valid log loss: the one whose weights are kept."""
        return best_round(self.history)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that change with any weight, with the data, the space, the settings or the seed."""
        header = [self.data_digest, self.supernet.space.digest, asdict(self.settings), self.seed]
        return weights_digest(self.supernet.state_dict(), json.dumps(header, sort_keys=True))

    def summary(self) -> str:
        """One line for people."""
        n_weights = sum(parameter.numel() for parameter in self.supernet.parameters())
        return (
            f"{n_weights:,} weights, epoch {self.best.n_epochs:.3g} of {self.settings.epochs}: "
            f"median valid log loss {self.best.valid_logloss:.4f}, AUC {self.best.valid_auc:.4f} of random networks"
        )


def best_round(history: tuple[Round, ...]) -> Round:
    """The round with the lowest valid log loss, the first of equal ones."""
    return min(history, key=lambda one: one.valid_logloss)


def held_out_rows(n_rows: int, settings: TrainSettings, seed: int) -> NDArray[np.int64]:
    """Train rows, ascending, that supernet training never sees: on them heads are refitted."""
    n_held_out = max(1, round(n_rows * settings.held_out_share))
    return np.sort(np.random.default_rng((seed, 1)).permutation(n_rows)[:n_held_out])


def seen_rows(n_rows: int, held_out: NDArray[np.int64]) -> NDArray[np.int64]:
    """The train rows beside those held out, ascending: on them supernets are trained, and layers tuned."""
    return np.setdiff1d(np.arange(n_rows), held_out, assume_unique=True)


@dataclass(frozen=True, slots=True)
class SavedState:
    """What a supernet file holds.

    Attributes:
        tensors: "supernet.<weight>" of the best round; while training also "current.<weight>", "auxiliary.<weight>"
            and "optimiser.<moment>".
        n_rounds_done: Rounds done, those of the embeddings counted.
        is_finished: Whether training has ended.
        settings: Of the training.
        seed: Of the training.
        history: Rounds so far, those of the embeddings left out.
        data_digest: Of the data.
        space: The space, as `NasrecSpace.to_dict` gives it.
        space_digest: Of the space.
        hardware_digest: Of the space of chips that it was trained on; empty where there were none.
    """

    tensors: Mapping[str, Tensor]
    n_rounds_done: int
    is_finished: bool
    settings: TrainSettings
    seed: int
    history: tuple[Round, ...]
    data_digest: str
    space: Mapping[str, Any]
    space_digest: str
    hardware_digest: str


def write_state(path: Path, state: SavedState) -> None:
    """Writes a supernet file, whole or not at all."""
    header = {
        "n_rounds_done": state.n_rounds_done,
        "is_finished": state.is_finished,
        "settings": asdict(state.settings),
        "seed": state.seed,
        "history": [asdict(one) for one in state.history],
        "data_digest": state.data_digest,
        "space": dict(state.space),
        "space_digest": state.space_digest,
        "hardware_digest": state.hardware_digest,
    }
    write_tensors(path, FORMAT, header, state.tensors)


def write_tensors(path: Path, format_name: str, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes a safetensors file of a format of ours with a header of plain JSON, whole or not at all."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    metadata = {HEADER: json.dumps({"format": format_name, **header})}
    write_whole(path, safetensors.torch.save(plain, metadata=metadata))


def read_tensors(path: Path, format_name: str, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a file that `write_tensors` wrote; `kind` says in messages what is due.

    Raises:
        CheckpointError: There is no such file, it is damaged, or it is something else.
    """
    with _opened(path, format_name, kind) as (header, file):
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return header, tensors


def read_header(path: Path, format_name: str, kind: str) -> dict[str, Any]:
    """The header of such a file alone; its tensors stay on disk.

    Raises:
        CheckpointError: See `read_tensors`.
    """
    with _opened(path, format_name, kind) as (header, _):
        pass
    return header


@contextmanager
def _opened(path: Path, format_name: str, kind: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Header and open file; what goes wrong with the file until it is closed becomes a CheckpointError."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            if header["format"] != format_name:
                raise CheckpointError(f"{path} has format {header['format']!r}, this version reads {format_name!r}")
            yield header, file
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {kind} at {path}: train one first") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is not a {kind}, or is damaged or cut short ({error}): remove it and train again"
        ) from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is a safetensors file of something else ({error})") from error


def read_state(path: Path, data: ClickLog, space: NasrecSpace) -> SavedState:
    """Reads a supernet file of this data and space.

    Raises:
        CheckpointError: See `read_tensors`; or it belongs to other data or another space.
    """
    header, tensors = read_tensors(path, FORMAT, "supernet")
    try:
        state = SavedState(
            tensors=tensors,
            n_rounds_done=header["n_rounds_done"],
            is_finished=header["is_finished"],
            settings=TrainSettings(**header["settings"]),
            seed=header["seed"],
            history=tuple(Round(**one) for one in header["history"]),
            data_digest=header["data_digest"],
            space=header["space"],
            space_digest=header["space_digest"],
            hardware_digest=header["hardware_digest"],
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is a safetensors file of something else ({error})") from error
    for name, saved, given in (
        ("data", state.data_digest, data.digest),
        ("space", state.space_digest, space.digest),
    ):
        if saved != given:
            raise CheckpointError(
                f"{path} holds a supernet of {name} {saved}, this {name} is {given}: give another file, "
                f"or the {name} it was trained with"
            )
    return state


def load_supernet(path: str | Path, data: ClickLog, space: NasrecSpace | CodesignSpace) -> TrainedSupernet:
    """The trained supernet that a file holds.

    Raises:
        CheckpointError: See `read_state`; or its training has not ended.
    """
    path = Path(path)
    space = space.network if isinstance(space, CodesignSpace) else space
    state = read_state(path, data, space)
    if not state.is_finished:
        raise CheckpointError(
            f"{path} holds a supernet in training, {state.n_rounds_done} rounds done: "
            "train with the same file and settings to end it"
        )
    return trained(path, state, data, space)


def trained(path: Path, state: SavedState, data: ClickLog, space: NasrecSpace) -> TrainedSupernet:
    """The trained supernet of a finished state; CheckpointError when its weights do not fit the space."""
    supernet = Supernet(space, data.cardinalities, seed=0)
    try:
        supernet.load_state_dict(part(state.tensors, "supernet."))
    except RuntimeError as error:
        raise CheckpointError(f"the weights of {path} do not fit the space: {error}") from error
    return TrainedSupernet(supernet, state.settings, state.seed, state.history, state.data_digest)


def weights_digest(weights: Mapping[str, Tensor], beside: str = "") -> str:
    """16 hexadecimal digits that change with any weight, its name, or the text beside them."""
    whole = hashlib.sha256(beside.encode())
    for name, tensor in sorted(weights.items()):
        whole.update(name.encode())
        whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()[:16]


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
