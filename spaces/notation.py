"""Two written forms of a network: the NASRec authors' JSON records, and a compact line that people can read.

The compact line has one entry a block, separated by `;`:

    dense operator and width | sparse operator and rows | mergers | dense inputs | sparse inputs | left,right

such as `SG128|ATT64|10|0|0|0,0 ; DP32|EFC64|00|0|01|0,1`. Operators are FC, DP (dot product), SG (sigmoid gating),
SUM, EFC and ATT (attention); mergers are two digits, dense-to-sparse and factorisation machine; inputs are node
digits, or numbers joined by `+` where a node has two digits (`2+11`; node 11 alone is `11+`).

Source of the JSON form: the published configurations of NASRec's code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from spaces.architecture import Architecture, Block

_WRITTEN = {
    "fc": "FC",
    "dot-product": "DP",
    "gating": "SG",
    "sum": "SUM",
    "efc": "EFC",
    "attention": "ATT",
}
_READ = {written: operator for operator, written in _WRITTEN.items()}

_OPERATOR_IDS: dict[str, tuple[str, ...]] = {
    "autoctr": ("fc", "dot-product", "efc"),
    "xlarge": ("fc", "dot-product", "gating", "sum", "attention", "efc"),
}
"""The authors' operator numbers, by their name of the space (autoctr: NASRec-Small, xlarge: NASRec-Full)."""

_ENTRY = re.compile(
    r"(?P<dense>FC|DP|SG|SUM)(?P<dense_dim>\d+)\|(?P<sparse>EFC|ATT)(?P<sparse_dim>\d+)\|(?P<merger>[01])(?P<fm>[01])"
    r"\|(?P<dense_inputs>\d+(\+\d+)*\+?)\|(?P<sparse_inputs>\d+(\+\d+)*\+?)\|(?P<left>\d+),(?P<right>\d+)"
)


def from_compact(text: str, *, embedding_dim: int = 16) -> Architecture:
    """The network of a compact line; ValueError shows the entry that cannot be read."""
    blocks = []
    for number, entry in enumerate(text.split(";"), start=1):
        match = _ENTRY.fullmatch(entry.strip())
        if match is None:
            raise ValueError(
                f"block {number} of the network cannot be read: {entry.strip()!r}; "
                "expected a form like 'FC128|EFC16|10|02|012|0,0'"
            )
        blocks.append(
            Block(
                dense_operator=_READ[match["dense"]],
                sparse_operator=_READ[match["sparse"]],
                dense_inputs=_nodes(match["dense_inputs"]),
                sparse_inputs=_nodes(match["sparse_inputs"]),
                left=int(match["left"]),
                right=int(match["right"]),
                dense_dim=int(match["dense_dim"]),
                sparse_dim=int(match["sparse_dim"]),
                has_dense_to_sparse=match["merger"] == "1",
                has_fm=match["fm"] == "1",
            )
        )
    return Architecture(blocks=tuple(blocks), embedding_dim=embedding_dim)


def to_compact(architecture: Architecture) -> str:
    """The compact line of a network. Weight bits are not part of it."""
    return " ; ".join(
        f"{_WRITTEN[block.dense_operator]}{block.dense_dim}|{_WRITTEN[block.sparse_operator]}{block.sparse_dim}"
        f"|{block.has_dense_to_sparse:d}{block.has_fm:d}|{_written(block.dense_inputs)}|{_written(block.sparse_inputs)}"
        f"|{block.left},{block.right}"
        for block in architecture.blocks
    )


def from_nasrec_json(text: str, *, embedding_dim: int = 16) -> Architecture:
    """The network of one of the authors' records.

    Raises:
        ValueError: The text is not such a record; the message names the entry.
    """
    try:
        record = json.loads(text)
        operators = _operators_by_id(record)
        if len(record["macro"]) != len(record["micro"]):
            raise ValueError(
                "entries 'macro' and 'micro' of a NASRec record must have one item a block each, "
                f"got {len(record['macro'])} and {len(record['micro'])}"
            )
        blocks = [
            Block(
                dense_operator=operators[micro["active_nodes"][0]],
                sparse_operator=operators[micro["active_nodes"][1]],
                dense_inputs=tuple(sorted(macro["dense_idx"])),
                sparse_inputs=tuple(sorted(macro["sparse_idx"])),
                left=macro["dense_left_idx"][0],
                right=macro["dense_right_idx"][0],
                # The authors' "in" widths are widths of the operators' outputs.
                dense_dim=micro["dense_in_dims"],
                sparse_dim=micro["sparse_in_dims"],
                has_dense_to_sparse=bool(micro["dense_sparse_interact"]),
                has_fm=bool(micro["deep_fm"]),
            )
            for macro, micro in zip(record["macro"], record["micro"], strict=True)
        ]
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not a NASRec record: not JSON ({error})") from error
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"this is not a NASRec record: entry missing or of the wrong type ({error})") from error
    return Architecture(blocks=tuple(blocks), embedding_dim=embedding_dim)


def to_nasrec_json(architecture: Architecture) -> str:
    """The authors' record of a network, in the larger space's operator numbers. Weight bits are not part of it."""
    number = {operator: index for index, operator in enumerate(_OPERATOR_IDS["xlarge"])}
    record = {
        "micro": [
            {
                "active_nodes": [number[block.dense_operator], number[block.sparse_operator]],
                "dense_in_dims": block.dense_dim,
                "sparse_in_dims": block.sparse_dim,
                "dense_sparse_interact": int(block.has_dense_to_sparse),
                "deep_fm": int(block.has_fm),
            }
            for block in architecture.blocks
        ],
        "macro": [
            {
                "dense_idx": list(block.dense_inputs),
                "sparse_idx": list(block.sparse_inputs),
                "dense_left_idx": [block.left],
                "dense_right_idx": [block.right],
            }
            for block in architecture.blocks
        ],
        "num_blocks": len(architecture.blocks),
        "use_layernorm": 0,
        "config": "xlarge",
    }
    return json.dumps(record)


def _operators_by_id(record: Mapping[str, Any]) -> dict[int, str]:
    config = record["config"]
    if config not in _OPERATOR_IDS:
        raise ValueError(f"unknown NASRec space {config!r} in entry 'config'; known are 'autoctr' and 'xlarge'")
    return dict(enumerate(_OPERATOR_IDS[config]))


def _nodes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(node) for node in (text.removesuffix("+").split("+") if "+" in text else text)))


def _written(nodes: tuple[int, ...]) -> str:
    if max(nodes) < 10:
        return "".join(map(str, nodes))
    return "+".join(map(str, nodes)) + ("+" if len(nodes) == 1 else "")
