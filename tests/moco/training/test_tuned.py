"""A recipe tuned on a real network."""

from __future__ import annotations

from collections.abc import Callable

from moco.data import load_dataset
from moco.settings import FinalSettings
from moco.supernet.metrics import Score
from moco.training.from_scratch import train_from_scratch
from moco.training.tuned import RANGES, tuned_settings
from spaces import from_compact


def test_a_tuned_recipe_is_no_worse_than_the_given_one() -> None:
    data = load_dataset("synthetic", n_rows=2000, n_fields=3, n_dense=2, max_cardinality=10)
    network = from_compact("FC16|EFC4|00|0|0|0,0")
    n_rounds = 0

    def train(settings: FinalSettings, report: Callable[[Score], None]) -> float:
        def count(score: Score) -> None:
            nonlocal n_rounds
            n_rounds += 1
            report(score)

        return train_from_scratch(data, network, settings=settings, after_round=count).valid.logloss

    given = FinalSettings(epochs=3, batch_size=128)
    settings, found = tuned_settings(train, given, n_trials=5, what="a network")
    assert found.first_loss == train(given, lambda _: None)
    assert found.loss <= found.first_loss
    assert found.loss == train(settings, lambda _: None)
    assert 3 * (7 - found.n_pruned) <= n_rounds <= 3 * 7
    assert {name: getattr(settings, name) for name in RANGES} == found.values
    assert (settings.epochs, settings.batch_size) == (3, 128)
