"""Pieces of HTML. Every text that comes in is escaped here, and nowhere else is markup put together from text."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from moco.report.figures import DPI

_CSS_DPI = 96
STYLE = """
:root { --ink: #1b1f24; --muted: #5b6570; --line: #d9dde2; --soft: #f5f6f8; --blue: #0072b2; --warm: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); line-height: 1.55; font-size: 1rem;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 28px 80px; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 3rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.8rem 0 .5rem; }
p, ul { max-width: 76ch; margin: .6rem 0; }
nav { margin: 1.4rem 0 0; font-size: .9rem; }
nav a { margin-right: 1.1rem; white-space: nowrap; }
a { color: var(--blue); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .84em; }
pre { background: var(--soft); border-radius: 6px; padding: 14px 16px; overflow-x: auto; line-height: 1.4; }
.lead { font-size: 1.08rem; color: var(--muted); max-width: 92ch; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 1.6rem 0; }
.tile { flex: 1 1 150px; background: var(--soft); border-radius: 8px; padding: 12px 16px; }
.tile b { display: block; font-size: 1.45rem; font-weight: 650; letter-spacing: -.01em; white-space: nowrap; }
.tile span { color: var(--muted); font-size: .86rem; }
.note { border-left: 4px solid var(--warm); background: #fdf5ef; border-radius: 0 6px 6px 0; padding: 10px 18px;
  margin: 1.4rem 0; max-width: none; }
.note h3 { margin: .2rem 0; }
.note ul { margin: .4rem 0; max-width: 110ch; padding-left: 1.3rem; }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { color: var(--muted); font-size: .9rem; max-width: 100ch; margin-top: .5rem; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 0 32px; align-items: start; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 9px; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { font-weight: 600; color: var(--muted); vertical-align: bottom; border-bottom: 2px solid var(--line); }
thead .group { text-align: center; color: var(--ink); border-bottom: 1px solid var(--line); background: var(--soft); }
thead .group:empty { background: none; border-bottom: none; }
tbody tr:hover { background: #f9fafb; }
td:first-child, thead tr:last-child th:first-child { text-align: left; padding-left: 0; }
td:first-child { font-weight: 550; min-width: 120px; }
table.words td, table.words th { text-align: left; }
table.key td:nth-child(2), table.key thead tr:last-child th:nth-child(2) { text-align: left; }
dl { display: grid; grid-template-columns: minmax(150px, max-content) 1fr; gap: 6px 24px; margin: .8rem 0;
  max-width: 100ch; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--muted); font-size: .85rem; margin-top: 3.5rem; }
@media print {
  @page { margin: 14mm; }
  html { font-size: 11px; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, .tile, .note { break-inside: avoid; }
  .wide { overflow: visible; }
  th, td { padding: 3px 5px; }
  .side { grid-template-columns: 1fr 1fr; }
}
"""


def document(title: str, body: str) -> str:
    """A whole HTML page that needs nothing from anywhere else."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n"
        "</html>\n"
    )


def element(tag: str, text: str, css: str = "") -> str:
    """One element around a text."""
    return f"<{tag}{_class(css)}>{escape(text)}</{tag}>"


def section(heading: str, content: str) -> str:
    """A headed section around markup."""
    return f'<section id="{_anchor(heading)}">\n{element("h2", heading)}\n{content}\n</section>'


def block(css: str, *parts: str) -> str:
    """A division of a style class; parts are markup."""
    return "\n".join([f"<div{_class(css)}>", *parts, "</div>"])


def links(headings: Sequence[str]) -> str:
    """Links to the sections of these headings."""
    items = (f'<a href="#{_anchor(heading)}">{escape(heading)}</a>' for heading in headings)
    return "\n".join(["<nav>", *items, "</nav>"])


def bullets(texts: Sequence[str]) -> str:
    """A list of texts."""
    return "\n".join(["<ul>", *(element("li", text) for text in texts), "</ul>"])


def terms(entries: Mapping[str, str]) -> str:
    """Terms, each with what it means or holds."""
    return "\n".join(["<dl>", *(element("dt", term) + element("dd", text) for term, text in entries.items()), "</dl>"])


def tiles(entries: Mapping[str, str]) -> str:
    """Large figures, given as {what it is: figure}."""
    return block("tiles", *(block("tile", element("b", text), element("span", what)) for what, text in entries.items()))


def picture(png: bytes, description: str, caption: str = "") -> str:
    """A PNG picture inside the page, with a text for those who do not see it."""
    data = base64.b64encode(png).decode()
    width = round(int.from_bytes(png[16:20], "big") * _CSS_DPI / DPI)  # pixels, from the header of the file
    image = f'<img width="{width}" src="data:image/png;base64,{data}" alt="{escape(description)}">'
    return f"<figure>{image}{element('figcaption', caption) if caption else ''}</figure>"


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    groups: Sequence[tuple[str, int]] = (),
    css: str = "",
) -> str:
    """A table of texts.

    Args:
        headings: (C,) of the columns.
        rows: Of C texts each.
        groups: Headings above the headings, each with the number of columns that it spans.
        css: Style class.
    """
    lines = []
    if groups:
        spans = (f'<th class="group" colspan="{n_columns}">{escape(text)}</th>' for text, n_columns in groups)
        lines.append(f"<tr>{''.join(spans)}</tr>")
    lines.append(f"<tr>{''.join(element('th', heading) for heading in headings)}</tr>")
    body = (f"<tr>{''.join(element('td', text) for text in row)}</tr>" for row in rows)
    return block(
        "wide", f"<table{_class(css)}>", "<thead>", *lines, "</thead>", "<tbody>", *body, "</tbody>", "</table>"
    )


def _anchor(heading: str) -> str:
    return escape(heading.lower().replace(" ", "-"))


def _class(css: str) -> str:
    return f' class="{escape(css)}"' if css else ""
