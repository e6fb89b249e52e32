"""Words of the page: names and units of figures and hardware choices, large numbers, and a glossary."""

from __future__ import annotations

import math
from collections.abc import Mapping

COST_LABELS: Mapping[str, str] = {
    "energy_pj": "energy, pJ",
    "latency_ns": "latency, ns",
    "area_mm2": "area, mm²",
    "power_mw": "power, mW",
    "period_ns": "period, ns",
    "macs": "MACs",
    "n_parameters": "parameters",
}

HARDWARE_FIELDS: Mapping[str, tuple[str, str]] = {
    "crossbar_size": ("Crossbar, wordlines and bitlines", "lines"),
    "cell_bits": ("Weight bits in one cell", "bits"),
    "dac_bits": ("Input bits driven in one cycle", "bits"),
    "adc_bits": ("ADC resolution", "bits"),
    "adc_range": ("ADC range", ""),
    "columns_per_adc": ("Bitlines that share one ADC", "lines"),
    "n_active_wordlines": ("Wordlines driven together", "lines"),
    "activation_bits": ("Activations", "bits"),
    "weight_encoding": ("Signed weights in cells", ""),
    "product_unit": ("Products of two activations", ""),
    "n_copies": ("Copies of the weights, at most", "copies"),
    "execution": ("Execution", ""),
    "table_memory": ("Memory of the embedding tables", ""),
    "table_bits": ("Stored embedding number", "bits"),
}
"""Label and unit of each field of a hardware configuration."""

GLOSSARY: Mapping[str, str] = {
    "CTR": "Click-through rate: the share of shown items that are clicked. A CTR network estimates it for one user and "
    "one item.",
    "log loss": "Mean negative log-likelihood of the labels, in nats. Lower is better; differences of 0.001 count.",
    "AUC": "Area under the ROC curve: how often a clicked row gets a higher estimate than one that was not clicked. "
    "0.5 is chance, 1 is perfect.",
    "supernet": "One network that holds every operator and width of the space. Trained once, it scores any network of "
    "the space with shared weights.",
    "from scratch": "The network of one design, trained alone from new weights, then computed as its chip does.",
    "Pareto front": "Designs that no other evaluated design beats or equals in all objectives while beating it in one.",
    "hypervolume": "Volume between the front and a fixed reference point: one figure for how good a whole front is.",
    "knee": "The design of the front with the best balance: the least sum of the objectives, each scaled to the front, "
    "energy and latency by their logarithm.",
    "PIM, ReRAM crossbar": "Processing in memory: an array of resistive cells holds weights, and a whole "
    "matrix-vector product is read from it as currents at once.",
    "wordline, bitline": "A row of a crossbar, which carries inputs; a column, which carries a sum.",
    "DAC, ADC": "Converters that drive the wordlines, and that read the bitlines. ADCs often take most of the energy.",
    "energy, latency": "Of one inference, from the embedding lookup to the estimate.",
    "period, power": "Time between two inferences when the chip works as a full pipeline, and the power it draws then.",
    "dense, sparse": "The vector made from numeric fields and what follows from it; the set of embedding rows, one for "
    "each categorical field, and what follows from them.",
    "FC, EFC": "Fully connected layer on the dense vector; fully connected layer across sparse rows.",
    "dot product": "Products of all pairs of rows, as in DLRM.",
    "gating, sum": "One dense vector scales another through a sigmoid; two dense vectors are added.",
    "attention": "Self-attention over sparse rows.",
    "FM": "Factorisation machine: all products of pairs of sparse rows, added to the dense vector.",
    "MAC": "Multiply-accumulate, of the live part of a network in one inference.",
    "feasible": "Keeps every limit of the search.",
}


def power_of_ten(count: int) -> str:
    """A large count in a few digits: 4,096 or 1.3 × 10⁵⁴."""
    if count < 10**6:
        return f"{count:,}"
    exponent = math.floor(math.log10(count))
    mantissa = f"{count / 10**exponent:.1f}"
    if mantissa == "10.0":
        exponent, mantissa = exponent + 1, "1.0"
    digits = str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{digits}"
