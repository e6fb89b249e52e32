"""A study without a recommender: a welded beam that should be cheap and stiff.

The welded beam of Deb, Pratap and Moitra (Mechanical component design for multiple objectives using elitist
non-dominated sorting GA, PPSN VI, 2000) in stock sizes: choose the weld and the beam's section, and minimise cost and
deflection under limits on stress and buckling.

    python examples/own_problem.py
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Evaluation, Objective, Study, knee

LOAD_LB = 6000.0
LENGTH_IN = 14.0

WELDED_BEAM = Space(
    name="welded-beam",
    blocks=(
        ChoiceBlock("weld_thickness_in", tuple(i / 16 for i in range(2, 33)), is_ordered=True),
        ChoiceBlock("weld_length_in", tuple(i / 4 for i in range(1, 41)), is_ordered=True),
        ChoiceBlock("beam_height_in", tuple(i / 4 for i in range(8, 41)), is_ordered=True),
        ChoiceBlock("beam_width_in", tuple(i / 16 for i in range(2, 33)), is_ordered=True),
    ),
)


def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
    """Cost and deflection of (B, 4) designs, with stresses, weld beyond width and load beyond buckling."""
    h, weld, t, b = np.array([list(design.values()) for design in WELDED_BEAM.decode(genomes)], dtype=float).T
    cost = 1.10471 * h**2 * weld + 0.04811 * t * b * (LENGTH_IN + weld)
    deflection = 2.1952 / (t**3 * b)
    direct = LOAD_LB / (np.sqrt(2) * h * weld)
    arm = np.sqrt(0.25 * (weld**2 + (h + t) ** 2))
    inertia = 2 * (0.707 * h * weld * (weld**2 / 12 + 0.25 * (h + t) ** 2))
    bending = LOAD_LB * (LENGTH_IN + 0.5 * weld) * arm / inertia
    shear = np.sqrt(direct**2 + bending**2 + weld * direct * bending / arm)
    return Evaluation(
        values=np.stack([cost, deflection], axis=1),
        constraints=np.stack(
            [shear, 504_000 / (t**2 * b), h - b, LOAD_LB - 64_746.022 * (1 - 0.0282346 * t) * t * b**3], axis=1
        ),
    )


def main() -> None:
    study = Study(
        name="welded-beam",
        space=WELDED_BEAM,
        objectives=[
            Objective(name="cost", reference=60.0),
            Objective(name="deflection_in", unit="in", reference=0.02),
        ],
        constraints=[
            Constraint(name="shear_psi", limit=13_600.0, unit="psi"),
            Constraint(name="bending_psi", limit=30_000.0, unit="psi"),
            Constraint(name="weld_beyond_width_in", limit=0.0, unit="in"),
            Constraint(name="load_beyond_buckling_lb", limit=0.0, unit="lb"),
        ],
    )
    study.optimize(evaluate, n_trials=3000)
    front = study.front()
    print(study.summary())
    print(f"hypervolume {study.hypervolume():.4f}\n")
    print("    cost  deflection_in  " + "  ".join(block.name for block in WELDED_BEAM.blocks))
    shown = np.unique(np.linspace(0, len(front) - 1, 12).astype(int))
    for row, design in zip(shown, WELDED_BEAM.decode(front.genomes[shown]), strict=True):
        cost, deflection = front.values[row]
        is_knee = row == knee(front.values)
        sizes = "  ".join(f"{size:>{len(name)}}" for name, size in design.items())
        print(f"{cost:8.3f}  {deflection:13.5f}  {sizes}{'  knee' if is_knee else ''}")


if __name__ == "__main__":
    main()
