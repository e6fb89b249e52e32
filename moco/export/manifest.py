"""Which files an export holds, with their digests: a damaged, missing or foreign file is found before it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = "moco export 1"
WEIGHTS_FORMAT = "moco weights 1"
MANIFEST = "manifest.json"

DESIGN = "design.json"
HARDWARE = "hardware.json"
WEIGHTS = "weights.safetensors"
MODEL = "model.onnx"
TABLE = "model.onnx.table"
"""The embedding table of a network whose tables are too large for one ONNX file."""
PREPROCESSING = "preprocessing.json"
METRICS = "metrics.json"
README = "README.md"
SCRIPT = "predict.py"

REQUIRED = (DESIGN, HARDWARE, WEIGHTS, MODEL, PREPROCESSING, METRICS, README, SCRIPT)
OPTIONAL = (TABLE,)


class ExportError(ValueError):
    """A design that cannot be exported, or a folder that is no sound export; the message says why and what to do."""


def write_manifest(folder: Path, about: Mapping[str, Any]) -> None:
    """Writes the manifest of the files that a folder holds.

    Args:
        folder: With all other files in place.
        about: Further entries, plain data.
    """
    files = {path.name: file_digest(path) for path in sorted(folder.iterdir())}
    manifest = {"format": FORMAT, **about, "sha256": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def checked_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder whose files are all there, whole, and no others beside them.

    Raises:
        ExportError: The folder is no export, of another format, or a file is damaged, missing or foreign.
    """
    manifest = _manifest(folder)
    if manifest is None:
        raise ExportError(f"{folder} holds no export: a {MANIFEST} of the format {FORMAT!r} is expected there")
    if manifest["format"] != FORMAT:
        raise ExportError(
            f"{folder / MANIFEST} has format {manifest['format']!r}, this version reads {FORMAT!r}: export the design "
            "again, or read it with the version that wrote it"
        )
    digests = manifest.get("sha256")
    if not isinstance(digests, dict) or not all(isinstance(digest, str) for digest in digests.values()):
        raise ExportError(f"{folder / MANIFEST} is damaged: 'sha256' must name a digest for each file; export again")
    for name in (*REQUIRED, *digests):
        if name not in digests or name not in (*REQUIRED, *OPTIONAL):
            what = "does not list" if name not in digests else "lists a file that no export has,"
            raise ExportError(f"{folder / MANIFEST} is damaged: it {what} {name!r}; export the design again")
        if not (folder / name).is_file():
            raise ExportError(f"{folder / name} is missing: export the design again, or copy the whole folder")
        if file_digest(folder / name) != digests[name]:
            raise ExportError(f"{folder / name} is damaged: its SHA-256 is not that of {MANIFEST}; export again")
    for path in sorted(folder.iterdir()):
        if path.name != MANIFEST and path.name not in digests:
            raise ExportError(f"{path} is not part of the export: move it out of the folder")
    return manifest


def is_export(folder: Path) -> bool:
    """Whether a folder holds an export, of any version and sound or not."""
    manifest = _manifest(folder)
    return manifest is not None and manifest["format"].startswith("moco export ")


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest with a text under "format"; None where there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(manifest, dict) and isinstance(manifest.get("format"), str)
    return manifest if is_ours else None
