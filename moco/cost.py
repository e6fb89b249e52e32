"""What one design costs, as text: totals, by component and by operator."""

from __future__ import annotations

from collections.abc import Sequence

from moco.lowering import lower
from pimmodel import ISAAC, PimConfig, energy_breakdown_pj, estimate, lossless_adc_bits
from spaces import Architecture, ArchitectureBatch, macs, n_parameters


def cost_text(
    architecture: Architecture,
    hardware: PimConfig | None,
    n_dense: int,
    cardinalities: Sequence[int],
    calibration: str = "isaac32",
) -> str:
    """Energy, latency, area and power of a network on a chip (ISAAC's when None), with breakdowns.

    Raises:
        ValueError: The calibration is unknown.
    """
    chip = ISAAC if hardware is None else hardware
    networks = ArchitectureBatch.of([architecture])
    workload = lower(networks, n_dense, cardinalities)
    result = estimate(workload, chip, calibration)
    shape = (networks, n_dense, len(cardinalities))
    energy_pj = float(result.energy_pj[0])
    lines = [
        f"calibration   {calibration}",
        f"energy        {energy_pj:,.1f} pJ per inference",
        f"latency       {result.latency_ns[0]:,.1f} ns per inference",
        f"throughput    {1e9 / result.period_ns[0]:,.0f} inferences per s, pipelined",
        f"area          {result.area_mm2[0]:,.4f} mm2",
        f"power         {result.power_mw[0]:,.1f} mW at that rate",
        f"cells used    {result.cell_utilisation[0]:.1%} of those on the chip",
        f"work          {macs(*shape)[0]:,} multiply-accumulates, {n_parameters(*shape)[0]:,} parameters "
        "without tables",
    ]
    needed = int(lossless_adc_bits(chip.n_active_wordlines, chip.dac_bits, chip.cell_bits))
    if needed > int(chip.adc_bits):
        lines.append(
            f"warning       the ADC has {int(chip.adc_bits)} bits, lossless column sums need {needed}: "
            "results will be distorted"
        )
    lines += ["", f"{'component':<28}{'energy pJ':>14}{'share':>8}{'area mm2':>12}"]
    for component, energy, area in zip(
        result.components, result.energy_by_component_pj[0], result.area_by_component_mm2[0], strict=True
    ):
        lines.append(f"{component:<28}{energy:>14,.1f}{energy / energy_pj:>8.1%}{area:>12.5f}")
    main = energy_breakdown_pj(workload, chip, calibration)[0].argmax(axis=1)
    lines += ["", f"{'operator':<28}{'energy pJ':>14}{'share':>8}{'latency ns':>12}  most of it"]
    for operator, energy, latency, component in zip(
        result.operators,
        result.energy_by_operator_pj[0],
        result.latency_by_operator_ns[0],
        main,
        strict=True,
    ):
        if energy > 0:
            lines.append(
                f"{operator:<28}{energy:>14,.1f}{energy / energy_pj:>8.1%}{latency:>12,.1f}"
                f"  {result.components[component]}"
            )
    return "\n".join(lines)
