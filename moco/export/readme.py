"""The README of an export, for whoever receives the folder and does not know moco."""

from __future__ import annotations

from collections.abc import Sequence

from moco.costs.breakdown import CostSheet
from moco.design import Design
from moco.export.manifest import TABLE
from moco.export.metrics import TrainedSeed, best_seed
from moco.export.preprocess import Preprocessing, TableEncoding
from moco.pruning import CRITERIA, WAYS, PruningSettings
from moco.supernet.metrics import Score

_MOST_FIELDS = 60
_EXAMPLES = 4

_FILES = {
    "model.onnx": "the network: inputs `ids` int64 (N, F){dense}, output `probability` float32 (N,); its weights are "
    "rounded to the design's bits",
    TABLE: "the embedding table of `model.onnx`, which must lie beside it",
    "preprocessing.json": "how raw column values become those inputs",
    "predict.py": "reads a raw log and writes probabilities; needs NumPy and onnxruntime",
    "metrics.json": "log loss and AUC of every seed that was trained",
    "design.json": "network and chip as moco writes them; `moco cost design.json` costs them again",
    "hardware.json": "the chip: every parameter with its unit, how each operator lies on crossbars, what it costs",
    "weights.safetensors": "the trained weights before rounding, to train on or to round otherwise",
    "manifest.json": "SHA-256 of every other file; `moco predict` refuses a folder that differs from it",
}

_FILES_OF_PRUNED = {
    "design.json": "the network as it was before pruning, and the chip, as moco writes them; `moco cost design.json` "
    "costs that whole network",
    "hardware.json": "the chip: every parameter with its unit, how what is left of each operator lies on crossbars, "
    "what that costs",
    "weights.safetensors": "the trained weights that are left, before rounding; its header names the neurons kept",
}

_CRITERIA = dict(zip(CRITERIA, ("those of the smallest weights", "those whose learned masks closed"), strict=True))
_WAYS = dict(zip(WAYS, ("fine-tuned", "trained again from its first weights"), strict=True))


def readme_text(
    design: Design,
    trained: Sequence[TrainedSeed],
    preprocessing: Preprocessing,
    data_name: str,
    sheet: CostSheet,
    *,
    role: str,
    files: Sequence[str],
    pruned_from: tuple[CostSheet, PruningSettings] | None = None,
) -> str:
    """The README in Markdown.

    Args:
        design: Network and chip.
        trained: Its trainings; the best seed is the exported one.
        preprocessing: Of the data.
        data_name: Of the data set.
        sheet: What the exported network costs on the chip.
        role: Why the design was chosen; may be empty.
        files: Names of the files in the folder.
        pruned_from: Of a pruned network what it cost before, and how it was pruned.
    """
    best = best_seed(trained)
    chosen = f", chosen as the {role} design" if role else ""
    n_fields, n_dense = len(design.cardinalities), design.n_dense
    needed = ", ".join(f"`{name}`" for name in preprocessing.encoding.columns)
    dense = ", `dense` float32 (N, D)" if n_dense else ""
    headerless = (
        "Raw files of this log have no header line, and none is needed where a file has all of its columns. "
        if preprocessing.header is not None
        else ""
    )
    told = _FILES if pruned_from is None else {**_FILES, **_FILES_OF_PRUNED}
    lines = [
        "# A click-through-rate network and its chip",
        "",
        f"Trained by moco on {data_name}{chosen}. The network predicts the probability of label 1 from {n_fields} "
        f"categorical and {n_dense} dense fields; the chip beside it runs the network in memory. Key `{design.key}`.",
        *([] if pruned_from is None else ["", _pruning_text(sheet, *pruned_from)]),
        "",
        "## Figures",
        "",
        "| seed | log loss, valid | log loss, test | AUC, test | on the chip: log loss, test | AUC, test |",
        "|---|---|---|---|---|---|",
        *(_score_row(one, one is best) for one in trained),
        "",
        f"The exported weights are those of seed {best.seed}, which has the lowest log loss on valid rows. Figures are "
        "what `model.onnx` computes; on the chip, tables, activations and converters have the chip's bits.",
        "",
        *_cost_table({"": sheet} if pruned_from is None else {"pruned": sheet, "whole": pruned_from[0]}),
        "",
        f"Costs are those of the hardware model under calibration {sheet.calibration.name}. Absolute energies of "
        "published models of such chips differ a hundredfold, ranks of designs far less.",
        "",
        "## Predict",
        "",
        "    pip install numpy onnxruntime",
        "    python predict.py LOG.csv > probabilities.txt",
        "",
        f"LOG is a csv or tab-separated file, plain or .gz, with the columns {needed}; others are left out. "
        f"{headerless}Lines without any value are skipped. An empty cell is a missing value. A category that training "
        "did not know is treated like a missing one. With moco, `moco predict FOLDER LOG` also reads parquet, and "
        f"gives log loss and AUC where the log has its label{_label(preprocessing)}.",
        "",
        "## Fields",
        "",
        *_field_lines(preprocessing),
        "",
        "## Files",
        "",
        *(f"- `{name}`: {text.format(dense=dense)}" for name, text in told.items() if name in files),
        "",
    ]
    return "\n".join(lines)


def _pruning_text(sheet: CostSheet, whole: CostSheet, pruning: PruningSettings) -> str:
    number, chip = pruning.n_rounds, "as the chip computes" if pruning.for_chip else "in plain numbers"
    return (
        f"The network was pruned: in {number} {'round' if number == 1 else 'rounds'} neurons were removed, "
        f"{_CRITERIA[pruning.criterion]} (`{pruning.criterion}`), to save {pruning.share:.0%} of the "
        f"multiply-accumulates in each, and after each round it was {_WAYS[pruning.way]} {chip}. "
        f"{sheet.n_macs / whole.n_macs:.1%} of the whole network's multiply-accumulates are left. Every seed lost "
        "neurons of its own; files and costs are those of the exported one."
    )


def _cost_table(sheets: dict[str, CostSheet]) -> list[str]:
    """A row for each network, with its name before it where there are several."""
    head = (
        "| energy per inference | latency | area | power at full rate | multiply-accumulates | parameters, no tables |"
    )
    names = ["| network ", "|---", *(f"| {name} " for name in sheets)] if len(sheets) > 1 else [""] * 3
    rows = []
    for sheet in sheets.values():
        total = sheet.totals
        rows.append(
            f"| {total['energy_pj']:,.1f} pJ | {total['latency_ns']:,.1f} ns | {total['area_mm2']:.4g} mm2 | "
            f"{total['power_mw']:,.4g} mW | {sheet.n_macs:,} | {sheet.n_parameters:,} |"
        )
    return [f"{name}{row}" for name, row in zip(names, (head, "|---|---|---|---|---|---|", *rows), strict=True)]


def _score_row(one: TrainedSeed, is_exported: bool) -> str:
    seed = f"**{one.seed}**" if is_exported else str(one.seed)
    chip = one.chip_test
    return (
        f"| {seed} | {one.valid.logloss:.5f} | {one.test.logloss:.5f} | {one.test.auc:.5f} | "
        f"{_or_dash(chip, 'logloss')} | {_or_dash(chip, 'auc')} |"
    )


def _or_dash(score: Score | None, name: str) -> str:
    return "-" if score is None else f"{getattr(score, name):.5f}"


def _label(preprocessing: Preprocessing) -> str:
    return "" if preprocessing.label is None else f", the column `{preprocessing.label}`"


def _field_lines(preprocessing: Preprocessing) -> list[str]:
    """The most frequent values of each field, so that a reader sees what is meant."""
    encoding = preprocessing.encoding
    lines = []
    for place, (name, rows) in enumerate(zip(encoding.categorical, encoding.cardinalities, strict=True)):
        text = f"- `{name}`: categorical, {rows:,} table rows"
        if isinstance(encoding, TableEncoding) and len(encoding.vocabularies[place]):
            shown = encoding.vocabularies[place].head(_EXAMPLES).to_list()
            text += f"; most frequent {', '.join(f'`{value[:40]}`' for value in shown)}"
        lines.append(text)
    lines += [f"- `{name}`: a number" for name in encoding.columns[len(encoding.categorical) :]]
    if len(lines) > _MOST_FIELDS:
        lines = [*lines[:_MOST_FIELDS], f"- and {len(lines) - _MOST_FIELDS} more in `preprocessing.json`"]
    return lines
