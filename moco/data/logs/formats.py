"""The raw files of three public click logs, declared: columns, kinds, label rules, the authors' table sizes.

Sources: the public code of NASRec (Zhang et al., arXiv 2207.07187) for which columns are read, in which order and into
how many table rows; the Kaggle pages of Criteo's Display Advertising Challenge, Avazu's Click-Through Rate Prediction
and KDD Cup 2012 track 2 for the files.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from moco.data.rows import DataError

ColumnKind = Literal["label", "number", "hex", "decimal"]
EncodingName = Literal["vocabulary", "authors"]
_PACKED = ("", ".gz", ".zst")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a raw file.

    Attributes:
        name: In the header, or in the description of a file that has none.
        kind: "label"; "number", a whole number that becomes a dense input; "hex", a categorical value of up to 8
            hexadecimal digits; "decimal", a categorical whole number. An empty cell is a missing value, but not a
            label.
        authors_rows: Rows of the authors' embedding table; 0 for a column that is not categorical.
        only_authors: Read under the encoding "authors" alone, because the column leaks the label or names the row.
    """

    name: str
    kind: ColumnKind
    authors_rows: int = 0
    only_authors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """A public log and its raw file.

    Attributes:
        name: Of the data set.
        title: For reports.
        files: Names of the raw files without .gz or .zst; the first one holds the rows. For Criteo and Avazu the file
            may have any name.
        separator: Between two cells of a line.
        has_header: Whether the first line names the columns.
        columns: In the order of the file.
        joined: Categorical columns that the second file adds, keyed by the last column of the first; 0 where it has
            no entry.
        counts_clicks: The label column counts clicks: the label is 1 from one click on. Else it must be 0 or 1.
        is_token: Under "authors" a value is read as a decimal number, else as a hexadecimal one, modulo 2**31 - 1.
            Else it is read as hexadecimal.
        has_placeholder: Under "authors" one dense input is the constant 0.
        is_in_time: Rows are in the order of time: Criteo's and Avazu's data pages say so, KDD Cup 2012's says nothing.
    """

    name: str
    title: str
    files: tuple[str, ...]
    separator: str
    has_header: bool
    columns: tuple[Column, ...]
    joined: tuple[Column, ...] = ()
    counts_clicks: bool = False
    is_token: bool = True
    has_placeholder: bool = False
    is_in_time: bool = True

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns of the raw file."""
        return tuple(column.name for column in self.columns)

    def categorical(self, encoding: EncodingName) -> tuple[Column, ...]:
        """The categorical columns that an encoding reads, in the authors' order, which is that of the file."""
        return self._read(("hex", "decimal"), encoding)

    def numbers(self, encoding: EncodingName) -> tuple[Column, ...]:
        """The number columns that an encoding reads."""
        return self._read(("number",), encoding)

    def dense(self, encoding: EncodingName) -> tuple[str, ...]:
        """Names of the dense inputs under an encoding."""
        if encoding == "authors" and self.has_placeholder:
            return ("constant_0",)
        return tuple(column.name for column in self.numbers(encoding))

    def _read(self, kinds: tuple[ColumnKind, ...], encoding: EncodingName) -> tuple[Column, ...]:
        return tuple(
            column
            for column in (*self.columns, *self.joined)
            if column.kind in kinds and (encoding == "authors" or not column.only_authors)
        )

    def find(self, path: Path) -> tuple[Path, ...]:
        """The raw files at a path: a folder that holds them, or the file of the rows (with the others beside it).

        Raises:
            DataError: a file is not there.
        """
        if path.is_dir():
            return tuple(_one_of(path, name) for name in self.files)
        if not path.is_file():
            raise DataError(f"{path} does not exist; {self.expected_path} is expected")
        return (path, *(_one_of(path.parent, name) for name in self.files[1:]))

    @property
    def expected_path(self) -> str:
        """What a path must lead to, in words."""
        return f"the folder with {' and '.join(self.files)} (plain, .gz or .zst), or {self.files[0]} itself"


def _one_of(folder: Path, name: str) -> Path:
    stem = name.rpartition(".")[0]
    candidates = [folder / f"{base}{packed}" for base in (name, stem) for packed in _PACKED if base != stem or packed]
    found = [path for path in candidates if path.is_file()]
    if not found:
        raise DataError(f"no {name} in {folder}; it, {name}.gz or {name}.zst is expected there")
    return found[0]


def _columns(kind: ColumnKind, **table_rows: int) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind=kind, authors_rows=rows) for name, rows in table_rows.items())


_CRITEO_ROWS = (
    *(1461, 584, 10131227, 2202609, 306, 25, 12518, 634, 4, 93146, 5684, 8351593, 3195),
    *(28, 14993, 5461307, 11, 5653, 2174, 5, 7046548, 19, 16, 286182, 106, 142573),
)

CRITEO = LogFormat(
    name="criteo",
    title="Criteo Kaggle",
    files=("train.txt",),
    separator="\t",
    has_header=False,
    columns=(
        Column(name="label", kind="label"),
        *(Column(name=f"I{i}", kind="number") for i in range(1, 14)),
        *(Column(name=f"C{i}", kind="hex", authors_rows=rows) for i, rows in enumerate(_CRITEO_ROWS, start=1)),
    ),
    is_token=False,
)

AVAZU = LogFormat(
    name="avazu",
    title="Avazu",
    files=("train.csv",),
    separator=",",
    has_header=True,
    columns=(
        Column(name="id", kind="decimal", authors_rows=10000, only_authors=True),  # names the row
        Column(name="click", kind="label"),
        *_columns("decimal", hour=241, C1=8, banner_pos=8),
        *_columns("hex", site_id=4738, site_domain=7746, site_category=27),
        *_columns("hex", app_id=8553, app_domain=560, app_category=37),
        *_columns("hex", device_id=2686409, device_ip=6729487, device_model=8252),
        *_columns("decimal", device_type=6, device_conn_type=5, C14=2627, C15=9, C16=10),
        *_columns("decimal", C17=436, C18=5, C19=69, C20=173, C21=61),
    ),
    has_placeholder=True,
)

KDD2012 = LogFormat(
    name="kdd2012",
    title="KDD Cup 2012 track 2",
    files=("training.txt", "userid_profile.txt"),
    separator="\t",
    has_header=False,
    columns=(
        Column(name="Click", kind="label"),
        Column(name="Impression", kind="number", only_authors=True),  # known only after the fact: it leaks the label
        *_columns("decimal", DisplayURL=26274, AdID=641708, AdvertiserID=14848),
        Column(name="Depth", kind="number"),
        Column(name="Position", kind="number"),
        *_columns("decimal", QueryID=22122011, KeywordID=1188090, TitleID=3735797),
        *_columns("decimal", DescriptionID=2934102, UserID=20004011),
    ),
    joined=_columns("decimal", gender=4, age=8),
    counts_clicks=True,
    is_in_time=False,
)

LOG_FORMATS = {log_format.name: log_format for log_format in (CRITEO, AVAZU, KDD2012)}
