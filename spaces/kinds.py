"""A space of any kind, read back from its JSON."""

from __future__ import annotations

import json

from spaces.codesign import CodesignSpace
from spaces.nasrec import NasrecSpace
from spaces.space import Space


def read_space(text: str) -> Space:
    """The space that `to_json` of a plain, a network or a co-design space wrote, as that kind of space.

    Raises:
        ValueError: The text is no space.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not a search space: not JSON ({error})") from error
    if not isinstance(data, dict):
        raise ValueError(f"this is not a search space: expected a JSON object, got {type(data).__name__}")
    if {"network", "hardware"} <= set(data):
        return CodesignSpace.from_dict(data)
    if "kind" in data:
        return NasrecSpace.from_dict(data)
    return Space.from_dict(data)
