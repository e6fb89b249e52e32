"""An encoded log in three parts: what training, search and report read, and its form on disk."""

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.encode import NumericKind, NumericTransform, field_ids, fit_transform, vocabulary
from moco.data.folders import whole_folder
from moco.data.packed import POLARS_ERRORS
from moco.data.rows import DataError, Rows
from moco.data.schema import TableSchema, typed_features
from moco.data.split import PARTS
from moco.data.stretches import label_means_text

_FORMAT = "moco-data-2"
_MANIFEST = "manifest.json"
_VOCABULARY = "vocabulary.parquet"  # the values of all fields, one field after another
_ARRAYS = ("ids", "dense", "labels")


@dataclass(frozen=True, kw_only=True, eq=False)
class CtrDataset:
    """An encoded click log.

    Attributes:
        name: What the rows are; a re-sampled or incomplete public data set says so here.
        categorical: (F,) names of the fields in `Rows.ids`.
        dense: (D,) names of the fields in `Rows.dense`.
        cardinalities: (F,) embedding rows of each field, row 0 (out of vocabulary) included.
        train: Rows to fit on; vocabularies and numeric statistics come from these alone.
        valid: Rows to select on.
        test: Rows to touch once, at the end.
        vocabularies: (F,) the values of each field; value i has id i + 1.
        transform: From raw numbers to dense inputs.
        n_missing: For each categorical, then each dense field: missing values in train, valid and test.
        best_logloss: The least log loss that any model can expect on test; known for synthetic data only.
        label_means: Mean label of ten equal stretches of the whole log in its order; none where it has no order.
        order: What that order is, in words.
    """

    name: str
    categorical: tuple[str, ...]
    dense: tuple[str, ...]
    cardinalities: tuple[int, ...]
    train: Rows
    valid: Rows
    test: Rows
    vocabularies: tuple[pl.Series, ...]
    transform: NumericTransform
    n_missing: tuple[tuple[int, int, int], ...]
    best_logloss: float | None = None
    label_means: tuple[float, ...] = ()
    order: str = ""

    def __post_init__(self) -> None:
        if self.cardinalities != tuple(len(values) + 1 for values in self.vocabularies):
            raise DataError("cardinalities must be one more than the vocabulary of each field holds values")
        n_fields, n_dense = len(self.categorical), len(self.dense)
        if len(self.cardinalities) != n_fields or len(self.n_missing) != n_fields + n_dense:
            raise DataError("cardinalities and n_missing must have an entry for each field")
        for part in PARTS:
            rows: Rows = getattr(self, part)
            if rows.ids.shape[1] != n_fields or rows.dense.shape[1] != n_dense:
                raise DataError(
                    f"{part} must have {n_fields} ids and {n_dense} dense inputs per row, "
                    f"got {rows.ids.shape[1]} and {rows.dense.shape[1]}"
                )
            if len(rows) and not (rows.ids.min() >= 0 and (rows.ids.max(axis=0) < self.cardinalities).all()):
                raise DataError(f"{part} holds an id outside the cardinality of its field")

    @classmethod
    def from_frames(
        cls,
        name: str,
        schema: TableSchema,
        frames: dict[str, pl.DataFrame],
        *,
        min_count: int = 1,
        numeric_transform: NumericKind = "log",
        best_logloss: float | None = None,
        label_means: tuple[float, ...] = (),
        order: str = "",
    ) -> Self:
        """Encode the typed parts of a log.

        Args:
            name: Of the data set.
            schema: Which columns to encode.
            frames: "train", "valid" and "test", with text, float64 and float32 label columns, null for missing.
            min_count: A value seen in fewer train rows shares id 0.
            numeric_transform: "log", "standard" or "none".
            best_logloss: The least expected log loss on test, where it is known.
            label_means: Of the whole log in its order, from `moco.data.stretches`.
            order: What that order is, in words.

        Raises:
            DataError: a part has no rows or only one label, or an option is out of range.
        """
        for part in PARTS:
            labels = frames[part][schema.label]
            if labels.n_unique() < 2:
                held = f"only label {labels[0]:g}" if len(labels) else "no rows"
                raise DataError(
                    f"part {part!r} of data set {name!r} has {held}; each part needs rows of label 0 and of label 1"
                )
        train = frames["train"]
        vocabularies = tuple(vocabulary(train[field], min_count) for field in schema.categorical)
        transform = fit_transform(train, schema.numeric, numeric_transform)
        parts = {
            part: Rows(
                field_ids(frame, schema.categorical, vocabularies),
                transform.dense(frame, schema.numeric, f"part {part!r}"),
                frame[schema.label].to_numpy(writable=True),
            )
            for part, frame in frames.items()
        }
        fields = (*schema.categorical, *schema.numeric)
        n_missing = [[frames[part][field].null_count() for part in PARTS] for field in fields]
        return cls(
            name=name,
            categorical=schema.categorical,
            dense=schema.numeric,
            cardinalities=tuple(len(values) + 1 for values in vocabularies),
            vocabularies=vocabularies,
            transform=transform,
            n_missing=tuple((train, valid, test) for train, valid, test in n_missing),
            best_logloss=best_logloss,
            label_means=label_means,
            order=order,
            **parts,
        )

    def encode(self, frame: pl.DataFrame) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Encode new raw rows as this data set is encoded.

        Args:
            frame: Raw columns, at least the categorical and dense fields of this data set.

        Returns:
            (N, F) ids and (N, D) dense inputs.

        Raises:
            DataError: a column is absent or holds text where a number is due.
        """
        typed = typed_features(frame, self.categorical, self.dense, "new rows")
        ids = field_ids(typed, self.categorical, self.vocabularies)
        return ids, self.transform.dense(typed, self.dense, "new rows")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all rows and how they are encoded; equal digests mean that a model sees the same."""
        digest = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode())
        for array in self._arrays().values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        for values in self.vocabularies:
            digest.update(values.str.len_bytes().to_numpy().astype("<u4").tobytes())
            digest.update(values.str.join("").item().encode())
        return digest.hexdigest()

    def describe(self) -> str:
        """A printable account: rows and label mean of each part, then each field with what is missing in it."""
        lines = [f"{self.name}   digest {self.digest[:12]}", "", f"{'part':<8}{'rows':>12}{'label mean':>12}"]
        for part in PARTS:
            rows: Rows = getattr(self, part)
            lines.append(f"{part:<8}{len(rows):>12,}{rows.labels.mean(dtype=np.float64):>12.4f}")
        if self.label_means:
            lines += ["", label_means_text(self.label_means, self.order)]
        n_rows = len(self.train) + len(self.valid) + len(self.test)
        width = max(len(field) for field in ("field", *self.categorical, *self.dense)) + 2
        lines += ["", f"{'field':<{width}}{'table rows':>12}{'missing':>10}{'unknown in test':>17}"]
        for column, (field, n_missing) in enumerate(zip((*self.categorical, *self.dense), self.n_missing, strict=True)):
            missing = f"{sum(n_missing) / n_rows:>10.2%}"
            if column < len(self.categorical):
                n_unknown = int((self.test.ids[:, column] == 0).sum()) - n_missing[2]
                table_rows = f"{self.cardinalities[column]:>12,}"
                lines.append(f"{field:<{width}}{table_rows}{missing}{n_unknown / len(self.test):>17.2%}")
            else:
                lines.append(f"{field:<{width}}{'number':>12}{missing}")
        lines += ["", f"{sum(self.cardinalities):,} table rows in all"]
        if self.dense:
            lines.append(f"transform of numbers: {self.transform.kind}")
        if self.best_logloss is not None:
            lines.append(f"best attainable log loss on test: {self.best_logloss:.6f}")
        return "\n".join(lines)

    def save(self, folder: str | Path) -> None:
        """Write the data set to a folder, whole or not at all; an earlier data set there is replaced.

        Raises:
            DataError: the folder holds something else, or cannot be written.
        """
        folder = Path(folder)
        if folder.is_dir() and any(folder.iterdir()) and not is_saved(folder):
            raise DataError(f"{folder} holds other files than a data set; choose a new folder")
        with whole_folder(folder) as partial:
            for name, array in self._arrays().items():
                _write_array(partial / f"{name}.npy", array)
            table = pl.concat([values.alias("value") for values in self.vocabularies]).to_frame()
            buffer = io.BytesIO()
            table.write_parquet(buffer)
            (partial / _VOCABULARY).write_bytes(buffer.getbuffer())
            account = {"label_means": self.label_means, "order": self.order}
            manifest = {"format": _FORMAT, "digest": self.digest, **self._header(), **account}
            (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a saved data set and check its digest. Nothing in the folder is executed.

        Raises:
            DataError: there is no data set, it has another format, or it is damaged or cut short.
        """
        folder = Path(folder)
        if not is_saved(folder):
            raise DataError(f"no saved data set in {folder}: {_MANIFEST} is expected there")
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            written_as = manifest["format"]
            if written_as == _FORMAT:
                dataset = cls._from_manifest(manifest, folder)
                if dataset.digest != manifest["digest"]:
                    raise DataError("its digest does not match")
                return dataset
        except (Exception, *POLARS_ERRORS) as error:  # damaged bytes make the parsers raise nearly anything
            raise DataError(f"the data set in {folder} is damaged ({error}); make it anew") from error
        raise DataError(f"{folder} has format {written_as!r}, this version reads {_FORMAT!r}; make the data set anew")

    @classmethod
    def _from_manifest(cls, manifest: dict[str, Any], folder: Path) -> Self:
        table = pl.read_parquet(folder / _VOCABULARY)
        bounds = np.cumsum(np.array(manifest["cardinalities"]) - 1)[:-1].tolist()
        starts, ends = [0, *bounds], [*bounds, table.height]
        values = (table["value"][start:end] for start, end in zip(starts, ends, strict=True))
        parts = {
            part: Rows(*(np.load(folder / f"{part}_{name}.npy", allow_pickle=False) for name in _ARRAYS))
            for part in PARTS
        }
        transform = manifest["transform"]
        return cls(
            name=manifest["name"],
            categorical=tuple(manifest["categorical"]),
            dense=tuple(manifest["dense"]),
            cardinalities=tuple(manifest["cardinalities"]),
            vocabularies=tuple(map(pl.Series.alias, values, manifest["categorical"])),
            transform=NumericTransform(transform["kind"], tuple(transform["shift"]), tuple(transform["scale"])),
            n_missing=tuple(tuple(counts) for counts in manifest["n_missing"]),
            best_logloss=manifest["best_logloss"],
            label_means=tuple(manifest["label_means"]),
            order=manifest["order"],
            **parts,
        )

    def _header(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "categorical": self.categorical,
            "dense": self.dense,
            "cardinalities": self.cardinalities,
            "transform": asdict(self.transform),
            "n_missing": self.n_missing,
            "best_logloss": self.best_logloss,
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {f"{part}_{name}": getattr(getattr(self, part), name) for part in PARTS for name in _ARRAYS}


def _write_array(path: Path, array: NDArray[Any]) -> None:
    """As numpy.save, which does not notice a full disk when the end of a file is flushed (NumPy 2.4)."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.asarray(array, order="C").data)


def is_saved(folder: Path) -> bool:
    """Whether a folder holds a saved data set."""
    return (folder / _MANIFEST).is_file()
