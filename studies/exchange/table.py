"""A study as a table for other programs, and the words in which a choice leaves a study."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.space import Choice, ChoiceBlock
from studies.files.stored import StoredStudy, stored_study

if TYPE_CHECKING:
    import polars

Plain = str | int | float | bool
TABLE_SUFFIXES = (".csv", ".parquet")


def export_table(file: str | Path, name: str, out: str | Path) -> int:
    """Writes one row a trial to a .csv or .parquet file, in place of one that is there; returns the number of rows.

    Columns: number, generation, key, is_feasible; objectives in their own sign, constrained quantities and attributes
    that are single numbers, under their names (empty where not a number); then one column a choice block with the
    readable choice, named choice_<block> where its name is taken. A quantity that is both objective and constraint is
    written once. Breakdowns stay in the study.

    Raises:
        ValueError: The suffix is neither, or there is no such study.
        StudyFileError: There is no such file, or it holds no studies of ours.
        OSError: The file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() not in TABLE_SUFFIXES:
        raise ValueError(f"a table is written to a file that ends in {' or '.join(TABLE_SUFFIXES)}, got {out.name!r}")
    frame = trials_frame(stored_study(file, name))
    partial = out.with_name(f".{out.name}.{uuid.uuid4().hex}.partial")
    try:
        if out.suffix.lower() == ".csv":
            frame.write_csv(partial)
        else:
            frame.write_parquet(partial)
        partial.replace(out)
    finally:
        with suppress(OSError):
            partial.unlink()
    return frame.height


def trials_frame(stored: StoredStudy) -> polars.DataFrame:
    """One row a trial, with the columns that `export_table` names."""
    import polars

    trials, record = stored.trials, stored.record
    columns: dict[str, polars.Series] = {}

    def add(name: str, column: polars.Series) -> None:
        if name.casefold() not in {taken.casefold() for taken in columns}:
            columns[name] = column

    add("number", polars.Series(trials.number))
    add("generation", polars.Series(trials.generation))
    add("key", polars.Series(trials.keys, dtype=polars.String))
    add("is_feasible", polars.Series(trials.is_feasible))
    numbers = {objective.name: trials.values[:, place] for place, objective in enumerate(record.objectives)}
    for place, constraint in enumerate(record.constraints):
        numbers.setdefault(constraint.name, trials.constraints[:, place])
    for attribute, values in trials.attributes.items():
        if values.ndim == 1:
            numbers.setdefault(attribute, values)
    for quantity, values in numbers.items():
        add(quantity, polars.Series(np.ascontiguousarray(values)).fill_nan(None))
    for place, block in enumerate(stored.space.blocks):
        column = _column_of(block, trials.genomes[:, place].tolist())
        name = block.name
        while name.casefold() in {taken.casefold() for taken in columns}:
            name = f"choice_{name}"
        add(name, column)
    return polars.DataFrame(columns)


def plain_choices(block: ChoiceBlock) -> tuple[Plain, ...]:
    """The choices of a block as words, numbers or flags that differ from each other.

    A tuple becomes its JSON text, "[0, 2]". Where two would be equal, every one becomes text; where two would read
    alike, text with its index.
    """
    choices: tuple[Plain, ...] = tuple(
        choice if isinstance(choice, str | int | float | bool) else json.dumps(choice) for choice in block.choices
    )
    texts = tuple(_text(choice) for choice in choices)
    if len(set(texts)) < len(texts):
        return tuple(f"{index}: {text}" for index, text in enumerate(texts))
    return choices if len(set(choices)) == len(choices) else texts  # True is 1


def choice_index(block: ChoiceBlock, value: Any) -> int | None:
    """Index of the choice that a value stands for: the choice itself, its plain form or its text; None for none."""
    if isinstance(value, list):
        value = tuple(value)
    with suppress(ValueError, TypeError):
        return block.index(value)
    plain = plain_choices(block)
    forms: list[list[Choice | str]] = [list(plain), [str(choice) for choice in block.choices]]
    for form in forms:
        matching = [
            index
            for index, choice in enumerate(form)
            if isinstance(choice, bool) == isinstance(value, bool) and choice == value
        ]
        if len(matching) == 1:
            return matching[0]
    return None


def _column_of(block: ChoiceBlock, indices: list[int]) -> polars.Series:
    import polars

    plain = plain_choices(block)
    kinds = {type(choice) for choice in plain}
    dtype: Any
    if kinds == {bool}:
        dtype = polars.Boolean
    elif kinds <= {int, float} and all(abs(choice) < 2**53 for choice in plain if isinstance(choice, int)):
        dtype = polars.Int64 if kinds == {int} else polars.Float64
        plain = tuple(choice if kinds == {int} else float(choice) for choice in plain)
    else:
        dtype, plain = polars.String, tuple(_text(choice) for choice in plain)
    return polars.Series([plain[index] for index in indices], dtype=dtype)


def _text(choice: Plain) -> str:
    return choice if isinstance(choice, str) else json.dumps(choice)
