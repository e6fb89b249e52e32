"""A network drawn as a graph, from left to right: dense operators in the upper lane, sparse ones in the lower.

Only what the head depends on is drawn. A connection to the next column is a straight arrow; one that skips columns
is an arc outside the lanes, so that no arrow crosses an operator. Dense vectors and sparse rows differ in colour and
in line.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from moco.report.figures import BLUE, INK, MUTED, PAPER, VERMILLION
from spaces import Architecture, ArchitectureBatch, liveness, products, widths
from spaces.architecture import HEAD_BITS, MERGER_ROWS, Block
from spaces.shapes import BLOCK_PRODUCTS

DENSE, SPARSE, HEAD = "dense", "sparse", "head"
_LANE_Y = {DENSE: 1.3, SPARSE: -1.3, HEAD: 0.0}
_COLOURS = {DENSE: BLUE, SPARSE: VERMILLION, HEAD: INK}
_FILLS = {DENSE: "#E5F1F8", SPARSE: "#FBEBE0", HEAD: "#F1F2F4"}
_LINES: dict[str, tuple[float, tuple[float, ...]]] = {DENSE: (0, ()), SPARSE: (0, (4, 1.6))}
_PITCH, _WIDTH, _HEIGHT = 2.6, 2.0, 1.22
_SHIFT = 0.64
"""Of the outer ones of three arrows inside a column."""
_HEAD_LENGTH = 0.12
"""Of an arrow."""
_INCHES = 0.62
"""Of one unit of the drawing."""
_Point = tuple[float, float]
_DENSE_NAMES = {"fc": "FC", "dot-product": "dot product", "gating": "gating", "sum": "sum"}
_SPARSE_NAMES = {"efc": "EFC", "attention": "attention"}
_DENSE_PRODUCTS = ("fc", "dot_dense", "dot_sparse", "dot_pairs", "gate", "resize")
_SPARSE_PRODUCTS = ("efc", "attention_qkv")


@dataclass(frozen=True, slots=True)
class Edge:
    """What flows (dense or sparse) from a lane of one column to a lane of a later one."""

    flow: str
    source: tuple[int, str]
    target: tuple[int, str]

    @property
    def span(self) -> int:
        return self.target[0] - self.source[0]


@dataclass(frozen=True, slots=True)
class Merger:
    """An upright arrow inside a column.

    Attributes:
        flow: Dense flows down, sparse flows up.
        column: Of the block.
        shift: Of the arrow from the middle of the column.
        text: On the arrow.
    """

    flow: str
    column: int
    shift: float
    text: str


@dataclass
class Drawing:
    """Boxes by (column, lane), each with its lines of text, and all arrows."""

    boxes: dict[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    mergers: list[Merger] = field(default_factory=list)

    @property
    def n_columns(self) -> int:
        return 1 + max(column for column, _ in self.boxes)


def network_figure(architecture: Architecture, n_dense: int, n_sparse: int) -> Figure:
    """The live part of a network for data with n_dense dense and n_sparse categorical fields."""
    drawing = drawing_of(architecture, n_dense, n_sparse)
    above = max((_reach(edge) for edge in drawing.edges if _is_arc(edge) and edge.flow == DENSE), default=0.0)
    below = max((_reach(edge) for edge in drawing.edges if _is_arc(edge) and edge.flow == SPARSE), default=0.0)
    top = _LANE_Y[DENSE] + _HEIGHT / 2 + above + 0.15
    bottom = _LANE_Y[SPARSE] - _HEIGHT / 2 - below - 0.6
    left, right = -_WIDTH / 2 - 0.15, (drawing.n_columns - 1) * _PITCH + _WIDTH / 2 + 0.15
    figure = Figure(figsize=(_INCHES * (right - left), _INCHES * (top - bottom)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    for edge, source, target in _with_ports(drawing.edges):
        _draw_edge(axes, edge, source, target)
    for merger in drawing.mergers:
        _draw_merger(axes, merger)
    for (column, lane), lines in drawing.boxes.items():
        _draw_box(axes, column * _PITCH, lane, lines)
    _draw_legend(axes)
    return figure


def picture_name(role: str) -> str:
    """File name of the picture of the network that was chosen for this role."""
    return f"network_{re.sub('[^a-z0-9]+', '_', role.lower()).strip('_')}.png"


def drawing_of(architecture: Architecture, n_dense: int, n_sparse: int) -> Drawing:
    """What `network_figure` draws."""
    batch = ArchitectureBatch.of([architecture])
    live, made, size = liveness(batch), products(batch, n_dense, n_sparse), widths(batch, n_dense, n_sparse)
    bits = made.weight_bits[0, :-1].reshape(-1, len(BLOCK_PRODUCTS))
    is_made = (made.n_vectors * made.in_features)[0, :-1].reshape(bits.shape) > 0

    def weight_bits(block: int, names: Sequence[str]) -> int:
        slots = [BLOCK_PRODUCTS.index(name) for name in names]
        return int(np.max(bits[block, slots], where=is_made[block, slots], initial=0))

    def weights_text(block: int, names: Sequence[str]) -> str:
        n_bits = weight_bits(block, names)
        return f"{n_bits}-bit weights" if n_bits else "no weights"

    def merger(flow: str, block: int, shift: float, text: str, product: str) -> Merger:
        n_bits = weight_bits(block, [product])
        return Merger(flow, column[block + 1], shift, f"{text}\n{n_bits}-bit" if n_bits else text)

    shown = [block for block in range(len(architecture.blocks)) if live.block[0, block]]
    column = {0: 0, **{block + 1: position for position, block in enumerate(shown, start=1)}}
    head = len(shown) + 1
    drawing = Drawing()
    width = architecture.embedding_dim
    n_inputs = int(size.dense[0, 0])
    if n_inputs > 0 and live.dense_node[0, 0]:
        fields = [f"{n_dense} dense fields"] if n_dense > 0 else []
        flat = [f"{n_sparse} x {width} embedded"] if architecture.has_flat_input else []
        drawing.boxes[0, DENSE] = ("input", *fields, *flat)
    if live.sparse_node[0, 0]:
        drawing.boxes[0, SPARSE] = ("input", f"{n_sparse} embeddings", f"of {width}")

    def connect(flow: str, nodes: Iterable[int], target: tuple[int, str]) -> None:
        for node in sorted(set(nodes)):
            if (column[node], flow) in drawing.boxes:  # data without dense fields has no dense input to read
                drawing.edges.append(Edge(flow, (column[node], flow), target))

    for index in shown:
        block, name, place = architecture.blocks[index], f"b{index + 1}", column[index + 1]
        if live.dense_operator[0, index]:
            operator = f"{name} · {_DENSE_NAMES[block.dense_operator]}{_operands(block, n_inputs)}"
            weights = weights_text(index, _DENSE_PRODUCTS)
            drawing.boxes[place, DENSE] = (operator, f"{block.dense_dim} wide", weights)
            if live.reads_dense_inputs[0, index]:
                connect(DENSE, block.dense_inputs, (place, DENSE))
            if live.reads_left_right[0, index]:
                connect(DENSE, (block.left, block.right), (place, DENSE))
            if block.dense_operator == "dot-product" and live.sparse_operator[0, index]:
                drawing.mergers.append(Merger(SPARSE, place, -_SHIFT, "same\ninputs"))
            elif block.dense_operator == "dot-product":
                connect(SPARSE, block.sparse_inputs, (place, DENSE))
        if live.sparse_operator[0, index]:
            operator = f"{name} · {_SPARSE_NAMES[block.sparse_operator]}"
            rows = f"{block.sparse_dim} rows of {width}"
            drawing.boxes[place, SPARSE] = (operator, rows, weights_text(index, _SPARSE_PRODUCTS))
            connect(SPARSE, block.sparse_inputs, (place, SPARSE))
        if live.dense_to_sparse[0, index]:
            drawing.mergers.append(merger(DENSE, index, 0.0, f"+{MERGER_ROWS} rows", "dense_to_sparse"))
        if live.fm[0, index]:
            drawing.mergers.append(merger(SPARSE, index, _SHIFT, "FM", "fm"))
    drawing.boxes[head, HEAD] = ("head", f"{size.head_in[0]} inputs", f"{HEAD_BITS}-bit weights")
    for flow in (DENSE, SPARSE):
        connect(flow, [len(architecture.blocks)], (head, HEAD))
    return drawing


def _operands(block: Block, n_inputs: int) -> str:
    """What gating and sum do with their two inputs; node 0 is x, or 0 where its dense output has no width."""
    left, right = (f"b{node}" if node else "x" if n_inputs else "0" for node in (block.left, block.right))
    return {"gating": f"\nσ({left}) × {right}", "sum": f"\n{left} + {right}"}.get(block.dense_operator, "")


def _is_arc(edge: Edge) -> bool:
    return edge.span > 1 and edge.source[1] == edge.target[1]


def _height(edge: Edge) -> float:
    """Of an arc's control points; the curve itself reaches three quarters of it."""
    return 0.45 + 0.5 * (edge.span - 1)


def _reach(edge: Edge) -> float:
    return 0.75 * _height(edge)


def _with_ports(edges: list[Edge]) -> list[tuple[Edge, _Point, _Point]]:
    """Each edge with the points where it leaves and arrives.

    Edges that leave or arrive at one side of a box are spread along it, long ones outermost, so that they do not
    cross: they leave by the right half of the side and arrive by the left half.
    """
    leaving, arriving = defaultdict(list), defaultdict(list)
    for edge in edges:
        leaving[edge.source, _side(edge, edge.source[1])].append(edge)
        arriving[edge.target, _side(edge, edge.target[1])].append(edge)
    for groups, is_reversed in ((leaving, True), (arriving, False)):
        for group in groups.values():
            group.sort(key=lambda edge: edge.span, reverse=is_reversed)
    ported = []
    for edge in edges:
        points = []
        for (column, lane), groups, sign in ((edge.source, leaving, 1), (edge.target, arriving, -1)):
            side = _side(edge, lane)
            group = groups[(column, lane), side]
            spread = _spread(group.index(edge), len(group))
            x, y = column * _PITCH, _LANE_Y[lane]
            if side == 0:
                lift = {DENSE: 0.2, SPARSE: -0.2}[edge.flow] if lane == HEAD else 0.0
                points.append((x + sign * _WIDTH / 2, y + lift))
            else:
                inner = x + sign * (_WIDTH / 2 - 0.5)
                points.append((inner + spread * 0.3, y + side * _HEIGHT / 2))
        ported.append((edge, points[0], points[1]))
    return ported


def _side(edge: Edge, lane: str) -> int:
    """Where an edge touches a box: 1 above, -1 below, 0 at its left or right end."""
    if edge.target[1] == HEAD or (edge.source[1] == edge.target[1] and not _is_arc(edge)):
        return 0
    outside = 1 if lane == DENSE else -1
    return outside if _is_arc(edge) else -outside


def _spread(position: int, n_places: int) -> float:
    """Places from -1 to 1; the middle when there is one."""
    return 0.0 if n_places == 1 else 2 * position / (n_places - 1) - 1


def _draw_edge(axes: Axes, edge: Edge, source: _Point, target: _Point) -> None:
    (x0, y0), (x1, y1) = source, target
    if _is_arc(edge):
        lift = _height(edge) * (1 if edge.flow == DENSE else -1)
        curve = [(x0, y0), (x0, y0 + lift), (x1, y1 + lift), (x1, y1)]
    elif edge.target[1] == HEAD:
        bend = (x1 - x0) / 2
        curve = [(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
    elif y0 == y1:
        curve = [(x0, y0), (x1, y1)]
    else:  # from the sparse lane up to the dense lane, through the corridor between them
        curve = [(x0, y0), (x0, 0.0), (x1, 0.0), (x1, y1)]
    _draw_arrow(axes, edge.flow, curve)


def _draw_merger(axes: Axes, merger: Merger) -> None:
    x, inner = merger.column * _PITCH + merger.shift, _LANE_Y[DENSE] - _HEIGHT / 2
    start = inner if merger.flow == DENSE else -inner
    _draw_arrow(axes, merger.flow, [(x, start), (x, -start)])
    axes.text(
        x,
        0,
        merger.text,
        ha="center",
        va="center",
        fontsize=7.5,
        color=_COLOURS[merger.flow],
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.2},
        zorder=4,
    )


def _draw_arrow(axes: Axes, flow: str, points: Sequence[_Point]) -> None:
    """A straight line of two points, or a Bezier curve of four, that ends in a solid head."""
    codes = [Path.MOVETO, *([Path.LINETO] if len(points) == 2 else [Path.CURVE4] * 3)]
    line = FancyArrowPatch(
        path=Path(points, codes),
        arrowstyle="-",
        linestyle=_LINES[flow],
        color=_COLOURS[flow],
        linewidth=1.3,
        zorder=2,
    )
    axes.add_patch(line)
    (x0, y0), (x1, y1) = points[-2:]
    length = math.hypot(x1 - x0, y1 - y0)
    tail = (x1 - _HEAD_LENGTH * (x1 - x0) / length, y1 - _HEAD_LENGTH * (y1 - y0) / length)
    head = FancyArrowPatch(
        tail, (x1, y1), arrowstyle="-|>", mutation_scale=9, color=_COLOURS[flow], shrinkA=0, shrinkB=0, zorder=5
    )
    axes.add_patch(head)


def _draw_box(axes: Axes, x: float, lane: str, lines: tuple[str, ...]) -> None:
    y = _LANE_Y[lane]
    axes.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2, y - _HEIGHT / 2),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=_FILLS[lane],
            edgecolor=_COLOURS[lane],
            linewidth=1.1,
            zorder=3,
        )
    )
    title, *rest = "\n".join(lines).split("\n")
    pitch = 0.24
    upper = y + pitch * len(rest) / 2
    axes.text(x, upper, title, ha="center", va="center", fontsize=9, fontweight="bold", color=INK, zorder=4)
    for row, line in enumerate(rest, start=1):
        axes.text(x, upper - row * pitch, line, ha="center", va="center", fontsize=8, color=INK, zorder=4)


def _draw_legend(axes: Axes) -> None:
    handles = [
        Line2D([], [], color=_COLOURS[DENSE], linestyle=_LINES[DENSE], label="dense vector"),
        Line2D([], [], color=_COLOURS[SPARSE], linestyle=_LINES[SPARSE], label="sparse rows"),
    ]
    legend = axes.legend(
        handles=handles, loc="lower left", ncols=2, frameon=False, fontsize=8.5, labelcolor=MUTED, borderaxespad=0.2
    )
    legend.set_zorder(1)
