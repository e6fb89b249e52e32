"""Search spaces as data: ordered choice blocks, genomes of choice indices, JSON and digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Choice = str | int | float | bool | tuple[int, ...]
"""One alternative of a choice block: a plain value, or a tuple of integers (a connection set)."""

Genomes = NDArray[np.int64]
"""(B, P) choice indices: one row a design, one column a choice block."""


@dataclass(frozen=True, slots=True)
class ChoiceBlock:
    """One decision in a space.

    Attributes:
        name: Unique in its space.
        choices: The alternatives, in column order; distinct.
        is_ordered: Whether neighbours in `choices` are alike (widths, bits), so that an optimiser may step from one
            to the next.
        only_if: (name of an earlier block, choice): elsewhere this block changes nothing and its canonical choice is
            the first.
    """

    name: str
    choices: tuple[Choice, ...]
    is_ordered: bool = False
    only_if: tuple[str, Choice] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a choice block needs a name, got ''")
        if not isinstance(self.choices, tuple) or not all(_is_choice(choice) for choice in self.choices):
            raise TypeError(
                f"choices of block {self.name!r} must be a tuple of words, finite numbers, booleans or tuples of "
                f"whole numbers, got {self.choices!r}"
            )
        if not self.choices:
            raise ValueError(f"choice block {self.name!r} needs at least one choice, got none")
        tagged = {(isinstance(choice, bool), choice) for choice in self.choices}
        if len(tagged) < len(self.choices):
            raise ValueError(f"choices of block {self.name!r} must be distinct, got {_listed(self.choices)}")

    def index(self, choice: Choice) -> int:
        """Index of a choice; ValueError names the choices when there is no such choice."""
        for index, candidate in enumerate(self.choices):
            if candidate == choice and isinstance(candidate, bool) == isinstance(choice, bool):
                return index
        raise ValueError(
            f"unknown choice {choice!r} in choice block {self.name!r}; choices are {_listed(self.choices)}"
        )


@dataclass(frozen=True)
class Space:
    """An ordered tuple of choice blocks. Every vector of choice indices is a legal design.

    Attributes:
        name: For people; part of the digest.
        blocks: Block order is column order of every genome.
    """

    name: str
    blocks: tuple[ChoiceBlock, ...]

    def __post_init__(self) -> None:
        position = self._position
        if len(position) < len(self.blocks):
            names = [block.name for block in self.blocks]
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"names of choice blocks must be unique, got {_listed(repeated)} more than once")
        for column, block in enumerate(self.blocks):
            if block.only_if is None:
                continue
            parent, choice = block.only_if
            if position.get(parent, column) >= column:
                raise ValueError(f"only_if of choice block {block.name!r} must name an earlier block, got {parent!r}")
            self.blocks[position[parent]].index(choice)

    @cached_property
    def _position(self) -> dict[str, int]:
        return {block.name: column for column, block in enumerate(self.blocks)}

    def column(self, name: str) -> int:
        """Column of a choice block; ValueError when the space has no such block."""
        if name not in self._position:
            raise ValueError(f"space {self.name!r} has no choice block {name!r}; blocks are {_listed(self._position)}")
        return self._position[name]

    @cached_property
    def n_choices(self) -> NDArray[np.int64]:
        """(P,) number of choices of each block."""
        return np.array([len(block.choices) for block in self.blocks], dtype=np.int64)

    @property
    def cardinality(self) -> int:
        """Number of genomes, exactly: the product of the numbers of choices."""
        return math.prod(len(block.choices) for block in self.blocks)

    def with_choices(self, choices: Mapping[str, Sequence[Choice]]) -> Space:
        """The same space with other choices in the named blocks; ValueError when a block does not exist."""
        for name in choices:
            self.column(name)
        blocks = tuple(
            replace(block, choices=tuple(choices[block.name])) if block.name in choices else block
            for block in self.blocks
        )
        return Space(name=self.name, blocks=blocks)

    def sample(self, rng: np.random.Generator, n: int) -> Genomes:
        """(n, P) genomes, each choice uniform and independent."""
        return rng.integers(0, self.n_choices, size=(n, len(self.blocks)), dtype=np.int64)

    def check(self, genomes: ArrayLike) -> Genomes:
        """The genomes as (B, P) int64; ValueError names the first column that is out of range."""
        array = np.asarray(genomes)
        if array.ndim != 2 or array.shape[1] != len(self.blocks):
            raise ValueError(
                f"genomes must have shape (B, {len(self.blocks)}), one column a choice block of space "
                f"{self.name!r}, got {array.shape}"
            )
        if not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"genomes must be integers (choice indices), got {array.dtype}")
        is_outside = (array < 0) | (array >= self.n_choices)
        if is_outside.any():
            row, column = np.argwhere(is_outside)[0]
            raise ValueError(
                f"genome {row} has choice index {array[row, column]} in block {self.blocks[column].name!r}; "
                f"indices are 0 to {self.n_choices[column] - 1}"
            )
        return array.astype(np.int64, copy=False)

    def encode(self, designs: Sequence[Mapping[str, Choice]]) -> Genomes:
        """(B, P) genomes of designs given as {block name: choice}; ValueError names what is missing or unknown."""
        genomes = np.zeros((len(designs), len(self.blocks)), dtype=np.int64)
        for row, design in enumerate(designs):
            unknown = sorted(set(design) - set(self._position))
            missing = sorted(set(self._position) - set(design))
            if unknown or missing:
                raise ValueError(
                    f"design {row} must choose in every block of space {self.name!r} and in no other: "
                    f"missing {_listed(missing)}; unknown {_listed(unknown)}"
                )
            genomes[row] = [block.index(design[block.name]) for block in self.blocks]
        return genomes

    def columns(self, genomes: ArrayLike) -> dict[str, NDArray[Any]]:
        """(B,) chosen values of each block, by name, of (B, P) genomes."""
        chosen = self.check(genomes)
        return {block.name: np.array(block.choices)[chosen[:, column]] for column, block in enumerate(self.blocks)}

    def decode(self, genomes: ArrayLike) -> list[dict[str, Choice]]:
        """Designs as {block name: choice}, one for each of the (B, P) genomes."""
        return [
            {block.name: block.choices[index] for block, index in zip(self.blocks, genome, strict=True)}
            for genome in self.check(genomes).tolist()
        ]

    def canonical(self, genomes: ArrayLike) -> Genomes:
        """(B, P) genomes in which every choice that changes nothing is set to the first one.

        Two designs are the same design exactly when their canonical genomes are equal.
        """
        canonical = self.check(genomes).copy()
        is_active = np.ones(canonical.shape, dtype=bool)
        for column, block in enumerate(self.blocks):
            if block.only_if is not None:
                parent = self._position[block.only_if[0]]
                is_chosen = canonical[:, parent] == self.blocks[parent].index(block.only_if[1])
                is_active[:, column] = is_active[:, parent] & is_chosen
        canonical[~is_active] = 0
        return canonical

    def keys(self, genomes: ArrayLike) -> list[str]:
        """One 32-digit hexadecimal key a design; equal for two genomes exactly when they are the same design."""
        canonical = np.ascontiguousarray(self.canonical(genomes).astype("<i4"))
        return [hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in canonical]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `Space.from_dict` reads it back unchanged."""
        blocks: list[dict[str, Any]] = []
        for block in self.blocks:
            entry: dict[str, Any] = {"name": block.name, "choices": list(block.choices), "is_ordered": block.is_ordered}
            if block.only_if is not None:
                entry["only_if"] = list(block.only_if)
            blocks.append(entry)
        return {"name": self.name, "blocks": blocks}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Space:
        """The space that `to_dict` wrote; ValueError names what is wrong."""
        try:
            blocks = tuple(
                ChoiceBlock(
                    name=entry["name"],
                    choices=tuple(_choice(choice) for choice in entry["choices"]),
                    is_ordered=bool(entry["is_ordered"]),
                    only_if=(entry["only_if"][0], _choice(entry["only_if"][1])) if "only_if" in entry else None,
                )
                for entry in data["blocks"]
            )
            return Space(name=data["name"], blocks=blocks)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"this is not a search space: entry missing or of the wrong type ({error})") from error

    def to_json(self) -> str:
        """The space as one JSON text."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Space:
        """The space that `to_json` wrote; ValueError when the text is none."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"this is not a search space: not JSON ({error})") from error
        if not isinstance(data, dict):
            raise ValueError(f"this is not a search space: expected a JSON object, got {type(data).__name__}")
        return cls.from_dict(data)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that change with the name or with any block; stored with every study."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_choice(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(type(node) is int for node in value)
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _choice(value: Any) -> Choice:
    return tuple(value) if isinstance(value, list) else value


def _listed(values: Any) -> str:
    return ", ".join(repr(value) for value in values) or "none"
