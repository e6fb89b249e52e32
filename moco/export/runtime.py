"""A network's probabilities from ids and dense values: by onnxruntime, or by torch where that is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.export.manifest import ExportError

Probability = Callable[[NDArray[np.int32], NDArray[np.float32]], NDArray[np.float32]]
"""(N, F) ids and (N, D) dense values to (N,) probabilities."""

BATCH = 4096
"""Rows of one call."""

EXTRA = ("onnx", "onnxruntime")


def require_extra() -> None:
    """ExportError that says what to install, where it is not."""
    missing = [name for name in EXTRA if not is_installed(name)]
    if missing:
        raise ExportError(
            f"export needs {' and '.join(missing)}, an extra: install it with  pip install 'moco[export]'"
        )


def is_installed(name: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(name) is not None


def onnx_probability(path: Path) -> Probability:
    """That of an ONNX file of `moco.export.onnx_network`, by onnxruntime on the CPU.

    Raises:
        ExportError: The file is none that onnxruntime can run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: warnings of machines without some device are no news
    try:
        session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but Exception
        raise ExportError(f"onnxruntime cannot run {path} ({error}): export the design again") from error
    has_dense = any(one.name == "dense" for one in session.get_inputs())

    def probability(ids: NDArray[np.int32], dense: NDArray[np.float32]) -> NDArray[np.float32]:
        inputs: dict[str, NDArray[Any]] = {"ids": ids.astype(np.int64)}
        if has_dense:
            inputs["dense"] = dense
        found: NDArray[np.float32] = session.run(["probability"], inputs)[0]
        return found

    return in_batches(probability)


def torch_probability(network: Any) -> Probability:
    """That of a `Network`, by torch on the CPU."""
    import torch

    @torch.no_grad()
    def probability(ids: NDArray[np.int32], dense: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = network(torch.from_numpy(np.ascontiguousarray(ids)), torch.from_numpy(np.ascontiguousarray(dense)))
        found: NDArray[np.float32] = torch.sigmoid(logits).numpy()
        return found

    return in_batches(probability)


def in_batches(probability: Probability) -> Probability:
    """The same, some rows at a time, so that memory does not grow with their number."""

    def whole(ids: NDArray[np.int32], dense: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = range(0, len(ids), BATCH)
        parts = [probability(ids[start : start + BATCH], dense[start : start + BATCH]) for start in starts]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    return whole
