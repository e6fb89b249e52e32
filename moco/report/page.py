"""The report as one page: what was found, how far to trust it, and what was searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from moco.design import FIGURES, Design
from moco.report import markup
from moco.report.chips import hardware_section
from moco.report.front import KEY_DIGITS, SUPERNET_SCORES, TRAINED_FIGURES, figure_text, trained_means, trained_rows
from moco.report.graph import picture_name
from moco.report.inputs import ReportInputs
from moco.report.plots import letter
from moco.report.retrained import retrained_section
from moco.report.words import COST_LABELS, GLOSSARY, power_of_ten
from spaces import ArchitectureBatch, liveness

if TYPE_CHECKING:
    from studies import Trials

_COSTS = tuple(name for name in FIGURES if name in COST_LABELS)


def page_html(inputs: ReportInputs, front: Sequence[Design], trials: Trials, pictures: Mapping[str, bytes]) -> str:
    """The page.

    Args:
        inputs: What is reported.
        front: Of the study.
        trials: Every evaluated design.
        pictures: PNG files by name.
    """
    sections: dict[str, str] = {}
    if front:
        sections["The Pareto front"] = _front(inputs, front, pictures)
    if inputs.chosen:
        sections["Chosen designs"] = _chosen(inputs, pictures)
        sections["Networks"] = _networks(inputs, pictures)
        sections["Hardware"] = hardware_section(inputs)
    if inputs.retrained:
        sections["Retrained designs"] = retrained_section(inputs.retrained, pictures)
    if inputs.comparison:
        sections["Comparison"] = inputs.comparison
    sections["What was searched"] = _search(inputs, pictures)
    sections["Go on from here"] = _again(inputs)
    sections["Glossary"] = markup.terms(GLOSSARY)
    if front:
        sections["The whole front"] = _whole_front(inputs, front)
    parts = [
        markup.element("h1", inputs.title),
        markup.element("p", _lead(inputs, front), "lead"),
        markup.tiles(
            {
                "designs in the space": power_of_ten(inputs.study.space.cardinality),
                "designs evaluated": f"{len(trials):,}",
                "of them feasible": f"{trials.is_feasible.sum():,}",
                "on the Pareto front": f"{len(front):,}",
            }
        ),
        _caveats(inputs),
        markup.links(list(sections)),
        *(markup.section(heading, content) for heading, content in sections.items()),
        markup.element("footer", "Written by moco. This page needs no network and no script."),
    ]
    return markup.document(inputs.title, "\n".join(parts))


def _lead(inputs: ReportInputs, front: Sequence[Design]) -> str:
    name = inputs.study.data.name
    text = (
        f"Click-through-rate networks for {name}, searched together with the processing-in-memory chip that runs them, "
        "for low log loss, energy and latency at once."
    )
    if not front:
        return f"{text} The front is empty: {inputs.study.why_empty()}"
    roles = dict(inputs.chosen)
    if "most accurate" not in roles or "knee" not in roles:
        return text
    best, knee = roles["most accurate"], roles["knee"]
    return (
        f"{text} The front's knee takes {knee.energy_pj / best.energy_pj:.1%} of the energy and "
        f"{knee.latency_ns / best.latency_ns:.1%} of the latency of the most accurate design, at a supernet score of "
        f"{figure_text('logloss', knee.logloss)} instead of {figure_text('logloss', best.logloss)}."
    )


def _caveats(inputs: ReportInputs) -> str:
    return markup.block(
        "note",
        markup.element("h3", "How far to trust these figures"),
        markup.bullets(
            [
                "Accuracy on the front is a supernet score: shared weights, with the last layer fitted anew, stand in "
                "for a training of each network. Designs that were trained from scratch carry those figures beside it.",
                "The order in which the supernet puts designs has not been compared with that of training from "
                "scratch in this run."
                if inputs.validation is None
                else inputs.validation.summary(),
                "Log loss is the score as it is; nothing corrects it."
                if inputs.study.correction is None
                else inputs.study.correction.summary(),
                "The score is computed as the design's chip would: weights, activations and tables in its bits, and "
                "what its analog-to-digital converters do to column sums by a model of gain and noise. The chosen "
                "designs carry beside it the score with every such product computed slice by slice. Devices are "
                "taken as ideal.",
                "Energy, latency, area and power come from an analytical hardware model. Models of this kind differ "
                "widely in absolute figures, far less in how they order designs.",
            ]
        ),
    )


def _front(inputs: ReportInputs, front: Sequence[Design], pictures: Mapping[str, bytes]) -> str:
    marks = ", ".join(f"{letter(position)} {role}" for position, (role, _) in enumerate(inputs.chosen))
    chosen = f" Chosen designs: {marks}." if marks else ""
    parts = [
        markup.picture(
            pictures["front_pairs.png"],
            "Front in pairs: energy and log loss, latency and log loss, energy and latency",
            f"All feasible designs and the {len(front)} on the front, two objectives at a time; lower left is better. "
            "A design on the front may look beaten in one pair: it is better in the third objective." + chosen,
        )
    ]
    side = [
        markup.picture(
            pictures["front_3d.png"],
            "Front in three dimensions: energy, latency and log loss",
            "The front in all three objectives. Each point stands on its energy and latency.",
        )
    ]
    if "hypervolume.png" in pictures:
        reference = ", ".join(
            f"{objective.name} {objective.reference:.4g} {objective.unit}".rstrip()
            for objective in inputs.study.study.objectives
            if objective.reference is not None
        )
        side.append(
            markup.picture(
                pictures["hypervolume.png"],
                "Hypervolume over the designs evaluated",
                "How the front grew over the generations. A flat end says that the search had little left to find. "
                f"Hypervolume {inputs.study.study.hypervolume():.4g}, reference point {reference}.",
            )
        )
    return "\n".join([*parts, markup.block("side", *side)])


def _chosen(inputs: ReportInputs, pictures: Mapping[str, bytes]) -> str:
    costs = [name for name in _COSTS if name != "period_ns"]
    rows = []
    for position, (role, design) in enumerate(inputs.chosen):
        trained = trained_means(design.key, inputs.from_scratch)
        rows.append(
            [
                f"{letter(position)} · {role}",
                *(figure_text(name, getattr(design, name)) for name in SUPERNET_SCORES),
                *(
                    figure_text(name, getattr(inputs.exact[design.key], name)) if design.key in inputs.exact else "–"
                    for name in SUPERNET_SCORES
                ),
                *(figure_text(name, trained[name]) if trained else "–" for name in TRAINED_FIGURES),
                *(figure_text(name, getattr(design, name)) for name in costs),
            ]
        )
    groups = [
        ("", 1),
        ("supernet score, valid", 2),
        ("the same, exact products", 2),
        ("from scratch, valid", 2),
        ("from scratch, test", 2),
    ]
    parts = [
        markup.element(
            "p",
            "Supernet scores are on valid rows, those with exact products, computed slice by slice, on fewer of them. "
            "From scratch: the same network trained alone, for its chip where that loses something, and scored as the "
            "chip computes, the mean over seeds where there are several; test rows are read once, after the choice is "
            "made. A dash stands for a design that was not trained.",
        ),
        markup.table(
            ["design", *["log loss", "AUC"] * 4, *(COST_LABELS[name] for name in costs)],
            rows,
            groups=[*groups, ("hardware model, and size", len(costs))],
        ),
    ]
    name_of = {design.key: f"{letter(position)} · {role}" for position, (role, design) in enumerate(inputs.chosen)}
    runs = [
        [name_of[run.key], run.key[:KEY_DIGITS], str(run.seed), f"{run.n_epochs:.3g}"]
        + [figure_text(name, getattr(run, name)) for name in TRAINED_FIGURES]
        for key in name_of
        for run in inputs.from_scratch
        if run.key == key
    ]
    if runs:
        names = ["valid log loss", "valid AUC", "test log loss", "test AUC"]
        parts += [
            markup.element("h3", "Each training from scratch"),
            markup.table(["design", "key", "seed", "epochs", *names], runs, css="key"),
        ]
    if inputs.trained_front:
        parts += [
            markup.element("h3", "The front of all that was trained"),
            markup.element(
                "p",
                f"{len(inputs.trained_front)} designs that no other trained one beats in valid log loss, energy and "
                "latency, the most accurate first; trained_front.csv and trained_front.json hold them. What a network "
                "reached holds for all chips that lose nothing.",
            ),
            markup.table(
                ["key", "seeds", *["log loss", "AUC"] * 2, *(COST_LABELS[name] for name in costs)],
                trained_rows(inputs.trained_front, inputs.from_scratch, costs),
                groups=[("", 2), ("valid", 2), ("test", 2), ("hardware model, and size", len(costs))],
                css="key",
            ),
        ]
    parts += [
        markup.element("h3", "Where the energy goes"),
        markup.picture(
            pictures["energy_breakdown.png"],
            "Energy of the chosen designs by component of the chip",
            "Energy of one inference by component of the chip: in pJ, and as shares.",
        ),
    ]
    return "\n".join(parts)


def _networks(inputs: ReportInputs, pictures: Mapping[str, bytes]) -> str:
    parts = [
        markup.element(
            "p",
            "What the head depends on; operators that it does not depend on cost nothing and are left out. Dense "
            "operators stand in the upper lane, sparse ones in the lower; x is the input, b1 the first block.",
        )
    ]
    for position, (role, design) in enumerate(inputs.chosen):
        n_live = int(liveness(ArchitectureBatch.of([design.architecture])).block.sum())
        n_blocks = len(design.architecture.blocks)
        parts += [
            markup.element("h3", f"{letter(position)} · {role}"),
            markup.picture(
                pictures[picture_name(role)],
                f"Graph of the network of the {role} design",
                f"{n_live} of {n_blocks} blocks live, {design.macs:,} multiply-accumulates, "
                f"{design.n_parameters:,} parameters without embedding tables.",
            ),
        ]
    return "\n".join(parts)


def _whole_front(inputs: ReportInputs, front: Sequence[Design]) -> str:
    mark_of = {design.key: f"{letter(position)} · " for position, (_, design) in enumerate(inputs.chosen)}
    rows = []
    for design in front:
        trained = trained_means(design.key, inputs.from_scratch)
        rows.append(
            [
                mark_of.get(design.key, "") + design.key[:KEY_DIGITS],
                *(figure_text(name, getattr(design, name)) for name in SUPERNET_SCORES),
                *(figure_text(name, trained[name]) if trained else "–" for name in ("valid_logloss", "valid_auc")),
                *(figure_text(name, getattr(design, name)) for name in _COSTS),
                str(design.generation),
            ]
        )
    labels = [COST_LABELS[name] for name in _COSTS]
    groups = [
        ("", 1),
        ("supernet score, valid", 2),
        ("from scratch, valid", 2),
        ("hardware model, and size", len(labels)),
    ]
    about = (
        f"{len(front)} designs, lowest supernet score first. front.csv holds the same in full precision, front.json "
        "every network and chip."
    )
    headings = ["key", *["log loss", "AUC"] * 2, *labels, "generation"]
    return "\n".join([markup.element("p", about), markup.table(headings, rows, groups=[*groups, ("", 1)])])


def _search(inputs: ReportInputs, pictures: Mapping[str, bytes]) -> str:
    study = inputs.study
    space = study.space
    network = space.network
    about = {
        "space": f"{space.name}: {len(space.blocks)} choice blocks, {power_of_ten(space.cardinality)} designs",
        "networks": f"{network.n_blocks} blocks; dense widths {_listed(network.dense_dims)}; sparse rows "
        f"{_listed(network.sparse_dims)}; weight bits {_listed(network.weight_bits)}; embeddings of "
        f"{network.embedding_dim}",
        "chips": "; ".join(f"{block.name} {_listed(block.choices)}" for block in space.hardware.blocks),
        "objectives": _listed(f"{o.name} ({o.direction})" for o in study.study.objectives),
        "limits": _listed(f"{c.name} at most {c.limit:g} {c.unit}".rstrip() for c in study.study.constraints),
        "hardware model": f"calibration {study.calibration.name}: {study.calibration.source}",
        "study": study.study.name,
        **inputs.settings,
    }
    supernet = inputs.supernet
    training = _listed(f"{name} {value}" for name, value in asdict(supernet.settings).items())
    digests = {"data": study.data.digest, "space": space.digest, "supernet": supernet.digest}
    if study.correction is not None:
        digests["correction"] = study.correction.digest
    parts = [
        markup.element("h3", "Data"),
        markup.element("pre", study.data.describe()),
        markup.element("h3", "Space, objectives and settings"),
        markup.terms(about),
        markup.element("h3", "Supernet"),
        markup.terms({"result": supernet.summary(), "training": training, "seed": str(supernet.seed)}),
        markup.picture(
            pictures["supernet.png"],
            "Median log loss of the supernet's monitored networks over the epochs",
            "Median log loss of a fixed set of networks on valid rows, with the supernet's shared weights; the weights "
            "at the marked point score the designs.",
        ),
        markup.element("h3", "Digests"),
        markup.terms(digests),
    ]
    if inputs.seconds_by_stage:
        total = sum(inputs.seconds_by_stage.values())
        rows = [[stage, f"{seconds:,.1f}"] for stage, seconds in inputs.seconds_by_stage.items()]
        parts += [
            markup.element("h3", "Time"),
            markup.table(["stage", "seconds"], [*rows, ["all", f"{total:,.1f}"]]),
        ]
    return "\n".join(parts)


def _again(inputs: ReportInputs) -> str:
    storage = inputs.study.study.storage
    files = "Beside this page: front.csv and front.json with every design of the front, and the pictures as PNG files."
    if storage is None:
        return markup.element("p", f"{files} The study was kept in memory, so it cannot be opened again.")
    look = f"Every evaluated design is in {storage.name}, a SQLite file. To see it in a browser, run in its folder:"
    command = f"optuna-dashboard sqlite:///{storage.name}"
    return "\n".join([markup.element("p", files), markup.element("p", look), markup.element("pre", command)])


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"
