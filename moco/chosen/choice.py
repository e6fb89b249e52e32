"""The designs one would look at first: the most accurate of a front and its knee, or those that a person names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from moco.costs.batch import are_lossless
from moco.design import Design
from moco.search.best_chip import best_chips
from moco.search.codesign import CodesignStudy
from spaces import Architecture
from studies import knee

ROLES = ("most accurate", "second most accurate")

UNITS = {"energy_pj": "pJ", "latency_ns": "ns"}
"""Of the costs that can be capped when a design is chosen."""


def chosen_designs(front: Sequence[Design], logloss: Mapping[str, float] | None = None) -> list[tuple[str, Design]]:
    """The two most accurate networks of a front, each on its best chip, and the knee, with the reason.

    Designs that differ in the chip alone have one accuracy, so each network is taken once.

    Args:
        front: Designs.
        logloss: Of each, by its key; their supernet scores when left out.
    """
    judged = {design.key: design.logloss for design in front} if logloss is None else logloss
    networks: dict[Architecture, Design] = {}
    for design in sorted(front, key=partial(_by_loss_then_costs, judged)):
        networks.setdefault(design.architecture, design)
    chosen = list(zip(ROLES, networks.values(), strict=False))
    if front:
        costs = np.array(
            [[judged[design.key], np.log(design.energy_pj), np.log(design.latency_ns)] for design in front]
        )
        balanced = front[knee(costs)]
        if all(balanced.key != design.key for _, design in chosen):
            chosen.append(("knee", balanced))
    return chosen


def find_design(designs: Sequence[Design], name: str, roles: Mapping[str, Design]) -> Design:
    """The design that a person names: by its rank from 1, by the beginning of its key, or by its role.

    Args:
        designs: To choose from, a front first.
        name: What was given.
        roles: Chosen designs, by the reason.

    Raises:
        ValueError: No design is meant, or several are.
    """
    if name.isdigit() and 1 <= int(name) <= len(designs):
        return designs[int(name) - 1]
    if name in roles:
        return roles[name]
    matches = [design for design in designs if design.key.startswith(name)]
    if len(matches) != 1:
        raise ValueError(
            f"{len(matches)} designs have a key that begins with {name!r}: give one design by its key, "
            f"its rank from 1 to {len(designs)}, or its role ({', '.join(map(repr, roles))})"
        )
    return matches[0]


def most_accurate_under(
    study: CodesignStudy, designs: Sequence[Design], logloss: Mapping[str, float], limits: Mapping[str, float]
) -> Design:
    """The design of lowest log loss under caps on its costs.

    A trained network that is too dear on its own chip may keep the caps on another, where both lose nothing: then it is
    put on that one, balanced within the caps.

    Args:
        study: Holds the designs.
        designs: To choose from.
        logloss: Of designs trained from scratch, by key: where some of these meet the caps, one of them is taken, so
            that scores are compared with scores and trainings with trainings.
        limits: By figure: energy_pj or latency_ns.

    Raises:
        ValueError: No design meets the caps; the message says how near the nearest comes.
    """
    allowed = [one for one in designs if all(getattr(one, name) <= limit for name, limit in limits.items())]
    trained = [one for one in designs if one.key in logloss]
    moved: set[Architecture] = set()
    for one in sorted(trained, key=partial(_by_loss_then_costs, logloss)):
        if one in allowed:
            return one
        if one.architecture not in moved and are_lossless(one.hardware).all():
            moved.add(one.architecture)
            if found := best_chips(study, [one], ["balance"], limits):
                return found[one.key]["balance"]
    if not allowed:
        told = " and ".join(f"{limit:,.6g} {UNITS[name]}" for name, limit in limits.items())
        least = " and ".join(
            f"{min(getattr(one, name) for one in designs):,.0f} {unit}" for name, unit in UNITS.items()
        )
        raise ValueError(f"no design of the front stays below {told}: the least on it are {least}")
    return min(allowed, key=lambda one: one.logloss)


def _by_loss_then_costs(logloss: Mapping[str, float], design: Design) -> tuple[float, float]:
    """What sorts designs from the most accurate, and its chips from the most balanced one."""
    return logloss[design.key], design.energy_pj * design.latency_ns
