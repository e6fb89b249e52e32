"""Predictions of an exported network: the folder checked, a raw log read, encoded and scored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.packed import POLARS_ERRORS
from moco.data.tables import read_csv
from moco.design import Design
from moco.export.manifest import DESIGN, MODEL, PREPROCESSING, WEIGHTS, WEIGHTS_FORMAT, ExportError, checked_manifest
from moco.export.preprocess import Preprocessing
from moco.export.runtime import Probability, is_installed, onnx_probability, torch_probability

if TYPE_CHECKING:
    from moco.pruning.network import PrunedNetwork
    from moco.supernet.metrics import Score
    from moco.supernet.network import Network

CSV_ENDS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
"""Separator of the cells by the end of a file's name, before .gz or .zst."""


def read_export(folder: str | Path) -> Exported:
    """The export that a folder holds, every file compared with its digest. Nothing in the folder is executed.

    Raises:
        ExportError: It is no export or of another version, a file is damaged, missing or foreign, or the files do not
            fit together; the message names the file.
    """
    folder = Path(folder)
    manifest = checked_manifest(folder)
    try:
        design = Design.from_json((folder / DESIGN).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"{folder / DESIGN}: {error}") from error
    try:
        preprocessing = Preprocessing.from_json((folder / PREPROCESSING).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"{folder / PREPROCESSING}: {error}") from error
    encoding = preprocessing.encoding
    if (design.cardinalities, design.n_dense) != (encoding.cardinalities, len(encoding.dense)):
        raise ExportError(f"{folder / PREPROCESSING} has other fields than {folder / DESIGN}: export the design again")
    return Exported(folder=folder, design=design, preprocessing=preprocessing, manifest=manifest)


@dataclass(frozen=True, kw_only=True, eq=False)
class Exported:
    """An export that was read.

    Attributes:
        folder: Where it lies.
        design: Network and chip.
        preprocessing: From raw rows to what the network reads.
        manifest: What manifest.json holds.
    """

    folder: Path
    design: Design
    preprocessing: Preprocessing
    manifest: dict[str, Any]

    def predict(self, log: pl.DataFrame | str | Path) -> NDArray[np.float32]:
        """(N,) probabilities of label 1.

        Computed by onnxruntime where it is installed, else by torch from weights.safetensors; both agree to 1e-5. A
        category that training did not know is encoded as the data set encodes unknown ones.

        Args:
            log: Raw rows with the fields of the data set as columns, or a file that `read_log` reads.

        Raises:
            ValueError: The rows cannot be read; the message names column, value and row.
        """
        frame = log if isinstance(log, pl.DataFrame) else self.read_log(log)
        source = "log" if isinstance(log, pl.DataFrame) else str(log)
        ids, dense = self.preprocessing.encoding.encode(frame, source)
        return self.probability(ids, dense)

    def score(self, labels: NDArray[np.float32], probabilities: NDArray[np.float32]) -> Score:
        """Log loss and AUC of (N,) labels and probabilities; ValueError where all labels are equal."""
        from moco.supernet.metrics import Score

        if len(np.unique(labels)) < 2:
            raise ValueError("a score needs rows of label 0 and of label 1, got labels of one kind")
        least = 2.0**-24  # float32 has no number between 1 - 2^-24 and 1
        wide = probabilities.astype(np.float64).clip(np.finfo(np.float32).tiny, 1 - least)
        return Score.of(labels, np.log(wide) - np.log1p(-wide))

    def read_log(self, path: str | Path, separator: str | None = None) -> pl.DataFrame:
        """Raw rows of a file: csv, tsv or txt (tab-separated), plain, .gz or .zst, or parquet.

        Args:
            path: The file.
            separator: Of the cells of a csv; by the file's name when left out.

        Raises:
            ValueError: The file cannot be read, or its name says that it is something else.
        """
        path = Path(path)
        if path.suffix == ".parquet":
            try:
                return pl.read_parquet(path)
            except (OSError, *POLARS_ERRORS) as error:
                raise ValueError(f"cannot read {path} as parquet: {str(error).splitlines()[0]}") from error
        by_name = CSV_ENDS.get(Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix)
        separator = separator or by_name
        if separator is None:
            raise ValueError(
                f"cannot tell from its name what {path} is: give a .csv, .tsv, .txt (plain, .gz or .zst) or .parquet "
                "file, or a separator"
            )
        frame = read_csv(path, separator)
        header = self.preprocessing.header
        is_bare = header is not None and not set(self.preprocessing.encoding.columns) & set(frame.columns)
        return read_csv(path, separator, names=header) if is_bare and frame.width == len(header or ()) else frame

    @cached_property
    def probability(self) -> Probability:
        """(N, F) ids and (N, D) dense values to (N,) probabilities."""
        if is_installed("onnxruntime"):
            return onnx_probability(self.folder / MODEL)
        return torch_probability(self.network)

    @cached_property
    def network(self) -> Network | PrunedNetwork:
        """The network in torch, with the weights before rounding; a pruned one in the sizes that are left.

        Raises:
            ExportError: weights.safetensors does not fit design.json.
        """
        from moco.pruning.network import PrunedNetwork
        from moco.supernet.checkpoint import read_tensors
        from moco.supernet.network import Network

        encoding, architecture = self.preprocessing.encoding, self.design.architecture
        header, tensors = read_tensors(self.folder / WEIGHTS, WEIGHTS_FORMAT, "file of weights")
        network: Network | PrunedNetwork
        try:
            if "kept" in header:
                kept = {name: tuple(units) for name, units in header["kept"].items()}
                network = PrunedNetwork(architecture, encoding.cardinalities, len(encoding.dense), kept)
            else:
                network = Network(architecture, encoding.cardinalities, len(encoding.dense), seed=0)
            network.load_state_dict(tensors)
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError) as error:
            raise ExportError(f"{self.folder / WEIGHTS} does not fit {DESIGN}: {error}") from error
        return network.eval()
