"""Optuna's TPE behind the ask/tell protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Latent
from stratopt.search.sampler import Drawn

optuna.logging.set_verbosity(optuna.logging.WARNING)


class OptunaSampler:
    """Optuna's univariate TPE on an in-memory study."""

    asks_params = False

    def __init__(self, space: ParameterSpace, seed: int, *, startup_trials: int = 20) -> None:
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup_trials)
        self._study = optuna.create_study(direction="minimize", sampler=sampler)
        self._distributions = {name: _distribution(latent) for name, latent in space.latents().items()}
        self._open: dict[int, optuna.trial.Trial] = {}

    def ask(self, count: int) -> Sequence[Drawn]:
        """``count`` points; points asked and not yet told count as bad ones ("constant liar")."""
        return [self._ask_one() for _ in range(count)]

    def _ask_one(self) -> Drawn:
        trial = self._study.ask(self._distributions)
        drawn = {name: float(value) for name, value in trial.params.items()}
        self._open[id(drawn)] = trial
        return drawn

    def tell(self, drawn: Mapping[str, Any], loss: float) -> None:
        """Record the loss."""
        self._study.tell(self._open.pop(id(drawn)), loss)


def _distribution(latent: Latent) -> BaseDistribution:
    if latent.kind == "categorical":
        return CategoricalDistribution(list(range(latent.count)))
    if latent.kind == "int":
        step = int(latent.step or 1)
        return IntDistribution(int(latent.low), int(latent.high), log=latent.log, step=1 if latent.log else step)
    return FloatDistribution(latent.low, latent.high, log=latent.log, step=None if latent.log else latent.step)
