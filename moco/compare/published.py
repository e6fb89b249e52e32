"""What papers say of searched recommenders on processing-in-memory hardware, to stand beside figures of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One paper's gains.

    Attributes:
        name: Of the work.
        source: Where it says so.
        gains: How many times better, by figure in the paper's words.
        figures: The name in `Figures` that comes nearest to each.
        differs: What makes ours another figure, in one sentence.
    """

    name: str
    source: str
    gains: Mapping[str, float]
    figures: Mapping[str, str]
    differs: str


PUBLISHED = (
    Published(
        name="NASRec with PIM",
        source="Zhang et al., Towards Automated Model Design on Recommender Systems, arXiv 2411.07569, abstract",
        gains={"FLOPs": 2.0, "energy": 1.8, "performance": 1.5},
        figures={"FLOPs": "macs", "energy": "energy_pj", "performance": "throughput_per_s"},
        differs="The abstract does not say what these are relative to, and neither code nor hardware model of its "
        "co-design is public; it is of Criteo's scale and may rest on pruning, ours on network, weight bits and chip "
        "searched together.",
    ),
    Published(
        name="AutoRAC",
        source="arXiv 2505.10748, abstract",
        gains={"speed": 3.36, "area": 1.68, "power efficiency": 12.48},
        figures={"speed": "throughput_per_s", "area": "area_mm2", "power efficiency": "inferences_per_s_w"},
        differs="These are the largest gains of three data sets over naive mappings and hand-made designs; ours are of "
        "one data set against a reference that is no more accurate.",
    ),
)
