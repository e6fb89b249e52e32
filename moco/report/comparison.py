"""The comparison as a section of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from moco.report import markup
from moco.report.tables import Table, read_tables


def comparison_section(folder: Path) -> str:
    """Markup of the comparison that a run's folder holds; empty where it was not made.

    Raises:
        ValueError: compare.json is damaged.
    """
    return tables_html(read_tables(folder / "compare" / "compare.json"))


def tables_html(tables: Sequence[Table]) -> str:
    """Tables as the content of a section."""
    parts = []
    for table in tables:
        parts += [
            markup.element("h3", table.title),
            *(markup.element("p", sentence) for sentence in table.about),
            markup.table(list(table.headings), table.rows, css="" if any(table.are_numbers) else "words"),
            *(markup.element("p", sentence) for sentence in table.notes),
        ]
    return "\n".join(parts)
