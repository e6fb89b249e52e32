"""The report as files: complete, self-contained, safe with any name, and honest about its scores."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from moco.chosen.choice import chosen_designs
from moco.data import CtrDataset
from moco.report import ReportInputs, write_report
from moco.report.chips import hardware_section
from moco.report.front import figure_text
from moco.report.words import GLOSSARY
from moco.runs.run import require_front
from moco.search.best_chip import GOALS, WORDS, best_chips
from moco.search.codesign import codesign_space, create_study
from moco.supernet import TrainedSupernet, TrainSettings, train_supernet
from spaces import CodesignSpace
from tests.moco.chips import is_lossless, product

VOID_ELEMENTS = {"meta", "img"}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """Reads a page and fails where its elements do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def attributes(self, *names: str) -> list[str]:
        return [value for _, values in self.elements for name in names if (value := values.get(name)) is not None]


@pytest.fixture(scope="session")
def folder(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert write_report(inputs, folder) == folder / "report.html"
    return folder


@pytest.fixture(scope="session")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_every_file_is_there_and_nothing_else(folder: Path, inputs: ReportInputs) -> None:
    networks = {f"network_{role.replace(' ', '_')}.png" for role, _ in inputs.chosen}
    plots = {"front_pairs.png", "front_3d.png", "hypervolume.png", "energy_breakdown.png", "supernet.png"}
    pictures = networks | plots
    assert {file.name for file in folder.iterdir()} == pictures | {"report.html", "front.csv", "front.json"}
    assert all((folder / name).read_bytes().startswith(PNG_SIGNATURE) for name in pictures)


def test_the_page_needs_nothing_from_elsewhere(folder: Path, page: Page) -> None:
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "base"})
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert all(target.startswith("#") for target in page.attributes("href"))
    assert page.attributes("srcset", "style", "onload", "onerror") == []
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "url(" not in html
    assert "@import" not in html


def test_links_lead_to_sections(page: Page) -> None:
    anchors = page.attributes("id")
    assert len(anchors) == len(set(anchors))
    assert {f"#{anchor}" for anchor in anchors} == set(page.attributes("href"))


def test_pictures_have_a_text(page: Page) -> None:
    assert all(attributes["alt"] for tag, attributes in page.elements if tag == "img")


def test_a_hostile_name_stays_text(page: Page, inputs: ReportInputs) -> None:
    assert inputs.study.data.name in page.text
    assert page.text.count("alert(") == page.text.count(inputs.study.data.name)


def test_scores_carry_their_origin(page: Page) -> None:
    groups = [text for text in page.texts if text.startswith(("supernet score", "from scratch"))]
    assert groups.count("supernet score, valid") == 2  # chosen designs, whole front
    assert groups.count("from scratch, valid") == 2
    assert groups.count("from scratch, test") == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "has not been compared with that of training from scratch",
        "what its analog-to-digital converters do to column sums by a model of gain and noise",
        "Devices are taken as ideal",
    ],
)
def test_the_page_says_what_it_does_not_know(page: Page, sentence: str) -> None:
    assert sentence in page.text


def test_the_front_of_what_was_trained_stands_on_the_page(page: Page, inputs: ReportInputs, tmp_path: Path) -> None:
    heading = "The front of all that was trained"
    assert heading not in page.text
    designs = [design for _, design in inputs.chosen[:2]]
    file = write_report(replace(inputs, trained_front=designs), tmp_path)
    text = Page(file.read_text(encoding="utf-8")).text
    assert heading in text
    assert "2 designs that no other trained one beats" in text
    for name in ("trained_front.csv", "trained_front.json"):
        assert all(design.key in (tmp_path / name).read_text() for design in designs)


def test_from_scratch_figures_are_means_over_seeds(page: Page) -> None:
    assert "0.55000" in page.text  # seeds 0 and 1: 0.5 and 0.6


def test_networks_on_other_chips_take_less_of_what_these_are_best_in(inputs: ReportInputs) -> None:
    designs = inputs.study.designs(inputs.study.study.trials())
    own, lossy = (next(design for design in designs if is_lossless(design) is which) for which in (True, False))
    assert best_chips(inputs.study, [lossy]) == {}
    others = best_chips(inputs.study, [own, lossy])
    told = Page(hardware_section(replace(inputs, chosen=[("one", own), ("two", lossy)], other_chips=others))).texts
    for goal, figures in GOALS.items():
        best = others[own.key][goal]
        assert product(best, figures) <= product(own, figures)
        row = told[told.index(WORDS[goal]) :]
        assert all(figure_text(name, getattr(best, name)) in row for name in figures)
    assert told.count("its own") == 1


def test_what_was_searched_is_told(page: Page, inputs: ReportInputs) -> None:
    study, supernet = inputs.study, inputs.supernet
    for digest in (study.data.digest, study.space.digest, supernet.digest):
        assert digest in page.text
    assert "isaac32" in page.text
    assert "engine nsga2" in page.text
    assert "all 3.5" in page.text  # seconds
    assert all(term in page.text for term in GLOSSARY)


def test_every_design_of_the_front_is_in_the_table(page: Page, inputs: ReportInputs) -> None:
    assert all(design.key[:8] in page.text for design in inputs.study.front())


def test_the_same_inputs_give_the_same_bytes(folder: Path, inputs: ReportInputs, tmp_path: Path) -> None:
    write_report(inputs, tmp_path)
    for file in folder.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_stored_study_says_how_to_open_the_dashboard(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    study = create_study("stored", data, space, supernet, storage=tmp_path / "clicks.db", n_jobs=1)
    inputs = ReportInputs(title="Stored", study=study, supernet=supernet)
    page = Page(write_report(inputs, tmp_path).read_text(encoding="utf-8"))
    study.study.close()
    assert "optuna-dashboard sqlite:///clicks.db" in page.text
    assert str(tmp_path) not in page.text


def test_a_front_of_one_design(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    study = create_study("one", data, space, supernet, n_jobs=1)
    study.optimize(1)
    (design,) = study.front()  # the first known design, whose ADC loses nothing
    inputs = ReportInputs(title="One", study=study, supernet=supernet, chosen=chosen_designs([design]))
    page = Page(write_report(inputs, tmp_path).read_text(encoding="utf-8"))
    assert design.key[:8] in page.text
    assert (tmp_path / "network_most_accurate.png").exists()


def test_a_front_of_useless_designs_is_empty_and_says_why(
    data: CtrDataset, space: CodesignSpace, tmp_path: Path
) -> None:
    opposite = replace(data, valid=replace(data.valid, labels=1 - data.valid.labels))
    supernet = train_supernet(opposite, space.network, settings=TrainSettings(epochs=1, embedding_epochs=0), seed=0)
    study = create_study("useless", opposite, space, supernet, n_jobs=1)
    study.optimize(1)
    assert len(study.study.front()) == 1
    assert study.front() == []
    with pytest.raises(ValueError, match=r"1 designs predicts better than the mean label, whose log loss is 0\.5713"):
        require_front(study)
    inputs = ReportInputs(title="Useless", study=study, supernet=supernet)
    page = Page(write_report(inputs, tmp_path).read_text(encoding="utf-8"))
    assert "The front is empty: None of 1 designs" in page.text


def test_an_empty_front_names_the_hardest_constraint(
    data: CtrDataset, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    space = codesign_space(data, n_blocks=3, dense_dims=(4, 8), sparse_dims=(2, 4), embedding_dim=4)
    study = create_study("capped", data, space, supernet, population_size=5, n_jobs=1, max_area_mm2=1e-6)
    study.optimize(5)
    page = Page(
        write_report(ReportInputs(title="Capped", study=study, supernet=supernet), tmp_path).read_text(encoding="utf-8")
    )
    assert "The front is empty" in page.text
    assert "area_mm2" in page.text
    assert {file.name for file in tmp_path.iterdir()} == {"report.html", "front.csv", "front.json", "supernet.png"}


def test_a_study_that_has_not_begun(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    study = create_study("new", data, space, supernet, n_jobs=1)
    page = Page(
        write_report(ReportInputs(title="New", study=study, supernet=supernet), tmp_path).read_text(encoding="utf-8")
    )
    assert "The front is empty" in page.text


def test_data_without_dense_fields(data: CtrDataset, tmp_path: Path) -> None:
    bare = replace(
        data,
        dense=(),
        n_missing=data.n_missing[: len(data.categorical)],
        transform=replace(data.transform, shift=(), scale=()),
        **{
            part: replace(getattr(data, part), dense=getattr(data, part).dense[:, :0])
            for part in ("train", "valid", "test")
        },
    )
    space = codesign_space(bare, n_blocks=2, dense_dims=(4, 8), sparse_dims=(2, 4), embedding_dim=4)
    supernet = train_supernet(bare, space.network, settings=TrainSettings(epochs=1, embedding_epochs=1), seed=0)
    study = create_study("bare", bare, space, supernet, n_jobs=1)
    study.optimize(4)
    chosen = chosen_designs(study.front())
    inputs = ReportInputs(title="Bare", study=study, supernet=supernet, chosen=chosen)
    Page(write_report(inputs, tmp_path).read_text(encoding="utf-8"))


def test_two_designs_of_one_role_are_refused(inputs: ReportInputs, tmp_path: Path) -> None:
    (_, first), (_, second), *_ = inputs.chosen
    with pytest.raises(ValueError, match="roles of chosen designs name their pictures and must differ"):
        write_report(replace(inputs, chosen=[("best", first), ("Best!", second)]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_chosen_design_of_another_study_is_refused(inputs: ReportInputs, tmp_path: Path) -> None:
    stranger = replace(inputs.chosen[0][1], key="f" * 32)
    with pytest.raises(ValueError, match="chosen designs must be trials of study 'small'"):
        write_report(replace(inputs, chosen=[("knee", stranger)]), tmp_path)
