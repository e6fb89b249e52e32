"""The hand-made networks by name, with their sources and what they are published to reach on Frappe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from moco.baselines.autoint import AutoInt
from moco.baselines.dcn import DcnV2
from moco.baselines.deep import DeepFm, Dnn, WideDeep
from moco.baselines.dlrm import Dlrm
from moco.baselines.finalmlp import FinalMlp
from moco.baselines.hand_made import HandMade, Structure
from moco.baselines.linear import FactorisationMachine, LogisticRegression
from moco.baselines.masknet import MaskNet
from moco.baselines.xdeepfm import XDeepFm
from moco.supernet.metrics import Score
from moco.supernet.network import Network
from moco.supernet.predictor import Predictor
from spaces import PUBLISHED_NETWORKS, Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One network to compare with.

    Attributes:
        network: What it computes: a structure, or one of NASRec's published networks.
        source: The paper.
        frappe: Test log loss and AUC on Frappe_x1 that BARS lists, its best run (reczoo/BARS @5b5e61f); None where it
            lists none.
    """

    network: Structure | Architecture
    source: str
    frappe: Score | None = None


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "LR": Baseline(
            network=LogisticRegression(),
            source="Richardson, Dominowska and Ragno, WWW 2007, doi:10.1145/1242572.1242643",
            frappe=Score(logloss=0.3076, auc=0.9356),
        ),
        "FM": Baseline(
            network=FactorisationMachine(),
            source="Rendle, ICDM 2010, doi:10.1109/ICDM.2010.127",
            frappe=Score(logloss=0.2065, auc=0.9671),
        ),
        "DNN": Baseline(
            network=Dnn(),
            source="Covington, Adams and Sargin, RecSys 2016, doi:10.1145/2959100.2959190",
            frappe=Score(logloss=0.1622, auc=0.9833),
        ),
        "Wide&Deep": Baseline(
            network=WideDeep(),
            source="Cheng et al., DLRS 2016, arXiv 1606.07792",
            frappe=Score(logloss=0.1490, auc=0.9841),
        ),
        "DeepFM": Baseline(
            network=DeepFm(),
            source="Guo et al., IJCAI 2017, arXiv 1703.04247",
            frappe=Score(logloss=0.1482, auc=0.9842),
        ),
        "DCNv2": Baseline(
            network=DcnV2(n_cross=4),
            source="Wang et al., WWW 2021, arXiv 2008.13535",
            frappe=Score(logloss=0.1491, auc=0.9845),
        ),
        "xDeepFM": Baseline(
            network=XDeepFm(),
            source="Lian et al., KDD 2018, arXiv 1803.05170",
            frappe=Score(logloss=0.1466, auc=0.9845),
        ),
        "AutoInt+": Baseline(
            network=AutoInt(),
            source="Song et al., CIKM 2019, arXiv 1810.11921",
            frappe=Score(logloss=0.1490, auc=0.9848),
        ),
        "DLRM": Baseline(
            network=Dlrm(),
            source="Naumov et al., 2019, arXiv 1906.00091",
            frappe=Score(logloss=0.1444, auc=0.9840),
        ),
        "MaskNet": Baseline(
            network=MaskNet(),
            source="Wang, She and Zhang, DLP-KDD 2021, arXiv 2102.07619",
            frappe=Score(logloss=0.1696, auc=0.9837),
        ),
        "FinalMLP": Baseline(
            network=FinalMlp(),
            source="Mao et al., AAAI 2023, arXiv 2304.00902",
            frappe=Score(logloss=0.1484, auc=0.9861),
        ),
        **{
            f"NASRec {name}": Baseline(network=network, source="Zhang et al., WWW 2023, arXiv 2207.07187")
            for name, network in PUBLISHED_NETWORKS.items()
        },
    }
)
"""Networks by name, the simplest first. NASRec's were searched on other data: their widths fit any, and suit few."""

HAND_MADE = tuple(name for name, baseline in BASELINES.items() if isinstance(baseline.network, Structure))
"""The names of those that people made."""


def find_baseline(name: str) -> Baseline:
    """The baseline of a name.

    Raises:
        ValueError: There is none.
    """
    if name not in BASELINES:
        raise ValueError(f"unknown baseline {name!r}; baselines are {', '.join(map(repr, BASELINES))}")
    return BASELINES[name]


def predictor_of(network: Structure | Architecture, cardinalities: Sequence[int], n_dense: int, seed: int) -> Predictor:
    """The network with first weights for data with these fields."""
    if isinstance(network, Architecture):
        return Network(network, cardinalities, n_dense, seed)
    return HandMade(network, cardinalities, n_dense, seed)
