"""Finding a calibration: by its name, at another technology node, or in a file."""

from __future__ import annotations

import re
from pathlib import Path

from pimmodel.calibration import Calibration
from pimmodel.calibration_file import read_calibration
from pimmodel.calibrations import CALIBRATIONS
from pimmodel.scaling import scaled


def find_calibration(calibration: str | Path | Calibration) -> Calibration:
    """The calibration that is meant.

    Args:
        calibration: A name in CALIBRATIONS such as "isaac32", one at another node such as "isaac32@22nm", the
            path of a .toml or .json file, or a calibration, which is returned as it is.

    Raises:
        ValueError: There is none of that name, it cannot be scaled to that node, or the file is wrong.
    """
    if isinstance(calibration, Calibration):
        return calibration
    if Path(calibration).suffix.lower() in (".toml", ".json"):
        return read_calibration(calibration)
    name, is_scaled, node = str(calibration).partition("@")
    if name not in CALIBRATIONS:
        raise ValueError(
            f"unknown calibration {name!r}; calibrations are {', '.join(map(repr, CALIBRATIONS))}, one of them at "
            "another node, such as 'isaac32@22nm', or a .toml or .json file"
        )
    if not is_scaled:
        return CALIBRATIONS[name]
    if not re.fullmatch(r"\d+(\.\d+)?nm", node):
        raise ValueError(f"the node of {str(calibration)!r} must be written as in 'isaac32@22nm', got {node!r}")
    return scaled(CALIBRATIONS[name], float(node.removesuffix("nm")))
