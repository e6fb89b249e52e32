"""The comparison as tables of words: the same ones for a terminal, a page and a file."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_WIDTH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        title: Of a few words.
        about: Sentences before it.
        headings: (C,) of the columns.
        rows: Of C texts each.
        notes: Sentences after it.
    """

    title: str
    about: Sequence[str]
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def are_numbers(self) -> list[bool]:
        """(C,) whether a column holds numbers, which stand to the right."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.headings)
        return [any(_NUMBER.match(text) for text in column) for column in columns]


_NUMBER = re.compile(r"[+-]?\d[\d.,]*(?:x|$| ±)")


def text_of(tables: Sequence[Table]) -> str:
    """Of fixed width."""
    parts = []
    for table in tables:
        widths = [max(map(len, column)) for column in zip(table.headings, *table.rows, strict=True)]
        lines = [table.title, "-" * len(table.title), *_wrapped(table.about)]
        for row in (table.headings, *table.rows):
            cells = zip(row, widths, table.are_numbers, strict=True)
            texts = (text.rjust(width) if is_number else text.ljust(width) for text, width, is_number in cells)
            lines.append("  ".join(texts).rstrip())
        parts.append("\n".join([*lines, *_wrapped(table.notes)]))
    return "\n\n".join(parts)


def markdown_of(title: str, tables: Sequence[Table]) -> str:
    """A whole file."""
    parts = [f"# {title}"]
    for table in tables:
        rule = ["---:" if is_number else "---" for is_number in table.are_numbers]
        escaped = ([text.replace("|", "\\|") for text in row] for row in (table.headings, rule, *table.rows))
        lines = [f"| {' | '.join(row)} |" for row in escaped]
        parts += [f"## {table.title}", *table.about, "\n".join(lines), *table.notes]
    return "\n\n".join(parts) + "\n"


def _wrapped(sentences: Sequence[str]) -> list[str]:
    return [line for sentence in sentences for line in textwrap.wrap(sentence, _WIDTH)]


def read_tables(file: Path) -> list[Table]:
    """The tables that compare.json keeps; none when there is no file.

    Raises:
        ValueError: The file holds something else.
    """
    if not file.exists():
        return []
    try:
        return [Table(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))["tables"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} does not hold a comparison ({error}); remove it and run 'moco compare'") from error
