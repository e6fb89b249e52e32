"""One design, which tests vary."""

from moco.design import Design
from pimmodel import ISAAC
from spaces import from_compact

FIRST = Design(
    key="0",
    architecture=from_compact("FC16|EFC4|00|0|0|0,0"),
    hardware=ISAAC,
    n_dense=0,
    cardinalities=(3,),
    logloss=0.50,
    auc=0.8,
    energy_pj=1000.0,
    latency_ns=1000.0,
    area_mm2=1.0,
    power_mw=1.0,
    period_ns=1.0,
    macs=1,
    n_parameters=1,
    generation=0,
)
