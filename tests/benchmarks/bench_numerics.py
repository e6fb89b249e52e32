"""Time of the exact product beside a plain matrix product, rate of the moment model, and how far the two agree.

Run: python tests/benchmarks/bench_numerics.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pimmodel import PimConfig
from pimmodel.numerics import (
    ENCODINGS,
    SQNR_CAP_DB,
    ProductProfile,
    exact_product,
    predict_distortion,
    profile_product,
    sqnr_db,
)

Ints = NDArray[np.int64]

N_ROWS, N_IN, N_OUT = 256, 512, 256
SLICINGS = ((1, 1), (1, 2), (2, 2), (4, 2))  # DAC and cell bits
RANGES = ("full-scale", "unit-step", "k-sigma")


def relu_layer(n_rows: int, seed: int = 0) -> tuple[Ints, Ints]:
    """Rectified Gaussian inputs and Gaussian weights at 8 bits."""
    rng = np.random.default_rng(seed)
    x, w = np.maximum(rng.standard_normal((n_rows, N_IN)), 0), rng.standard_normal((N_IN, N_OUT))
    return np.rint(x / x.max() * 255).astype(np.int64), np.rint(w / np.abs(w).max() * 127).astype(np.int64)


def best_ms(run: Callable[[], object], n_repeats: int = 9) -> float:
    """Best of some repeats, after one for warm-up."""
    run()
    seconds = []
    for _ in range(n_repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 1e3 * min(seconds)


def every_chip() -> PimConfig:
    """All slicings, ADC bits and ranges."""
    cases = list(product(SLICINGS, range(1, 11), RANGES))
    return PimConfig(
        dac_bits=np.array([dac_bits for (dac_bits, _), _, _ in cases]),
        cell_bits=np.array([cell_bits for (_, cell_bits), _, _ in cases]),
        adc_bits=np.array([adc_bits for _, adc_bits, _ in cases]),
        adc_range=np.array([adc_range for _, _, adc_range in cases]),
    )


def random_chips(n_chips: int) -> PimConfig:
    """Chips over the choices of the hardware space."""
    rng = np.random.default_rng(0)
    crossbar_size = rng.choice([32, 64, 128, 256], n_chips)
    return PimConfig(
        crossbar_size=crossbar_size,
        cell_bits=rng.choice([1, 2, 4], n_chips),
        dac_bits=rng.choice([1, 2, 4], n_chips),
        adc_bits=rng.integers(4, 11, n_chips),
        adc_range=rng.choice(RANGES, n_chips),
        columns_per_adc=8,
        n_active_wordlines=np.minimum(crossbar_size, rng.choice([16, 32, 64, 128], n_chips)),
    )


def print_exact_times() -> None:
    x, w = relu_layer(N_ROWS)
    x_float, w_float = x.astype(np.float32), w.astype(np.float32)
    plain_ms = best_ms(lambda: x_float @ w_float)
    print(f"{N_ROWS} x {N_IN} x {N_OUT}, one thread: float32 matrix product {plain_ms:.2f} ms")
    for encoding, (dac_bits, cell_bits) in product(ENCODINGS, ((1, 1), (2, 2))):
        chip = PimConfig(
            dac_bits=dac_bits, cell_bits=cell_bits, adc_bits=6, adc_range="unit-step", weight_encoding=encoding
        )
        exact_ms = best_ms(partial(exact_product, x, w, chip))
        print(
            f"  exact, {encoding}, {dac_bits}-bit DAC, {cell_bits}-bit cells: {exact_ms:.1f} ms, "
            f"{exact_ms / plain_ms:.0f} times"
        )


def print_model_rates(profile: ProductProfile) -> None:
    chips = replace(random_chips(20_000), weight_encoding=profile.words.encoding)
    start = time.perf_counter()
    predict_distortion(profile, chips)
    first_s = time.perf_counter() - start
    again_s = 1e-3 * best_ms(lambda: predict_distortion(profile, chips), n_repeats=3)
    table = np.stack([chips.crossbar_size, chips.cell_bits, chips.dac_bits, chips.n_active_wordlines], axis=1)
    adcs = np.stack([chips.adc_bits, np.unique(chips.adc_range, return_inverse=True)[1]], axis=1)
    n_kinds = len(np.unique(np.concatenate([table, adcs], axis=1), axis=0))
    n_crossbars = len(np.unique(table, axis=0))
    print(f"moment model, {len(chips):,} random chips, {n_kinds:,} of them different, {n_crossbars} crossbars")
    print(f"  first time: {first_s:.2f} s, {1e3 * (first_s - again_s) / n_crossbars:.0f} ms for each crossbar")
    print(f"  again: {len(chips) / again_s:,.0f} chips/s, {n_kinds / again_s:,.0f} different ones/s")


def print_agreement() -> None:
    for encoding in ENCODINGS:
        chips = replace(every_chip(), weight_encoding=encoding)
        x, w = relu_layer(1024 + N_ROWS)
        w = w[:, ::2]
        profile, x_test = profile_product(x[N_ROWS:], w, encoding=encoding), x[:N_ROWS]
        predicted = predict_distortion(profile, chips).sqnr_db
        ideal = x_test @ w
        exact = np.array(
            [sqnr_db(ideal, exact_product(x_test, w, chips.take(i), profile=profile)) for i in range(len(chips))]
        )
        print(
            f"moment model against exact, {encoding}, {len(chips)} chips, {exact.min():.0f} to {exact.max():.0f} dB, "
            f"Spearman {spearmanr(exact, predicted).statistic:.4f}"
        )
        for low, high in ((-np.inf, 40), (40, 60), (60, SQNR_CAP_DB)):
            error_db = np.abs(predicted - exact)[(exact >= low) & (exact < high)]
            if error_db.size:
                print(
                    f"  {max(low, exact.min()):3.0f} to {high:.0f} dB, {error_db.size:3} chips: error median "
                    f"{np.median(error_db):.2f}, 90 % {np.quantile(error_db, 0.9):.2f}, largest {error_db.max():.2f} dB"
                )
        lossless = predicted[exact == SQNR_CAP_DB]
        print(f"  lossless, {len(lossless)} chips: predicted {lossless.min():.0f} dB or more")


def main() -> None:
    with threadpool_limits(1):
        print_exact_times()
        for encoding in ENCODINGS:
            print(encoding, end=", ")
            print_model_rates(profile_product(*relu_layer(1024), encoding=encoding))
        print_agreement()


if __name__ == "__main__":
    main()
