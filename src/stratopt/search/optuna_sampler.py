"""Optuna's engines behind the ask/tell protocol."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from stratopt.errors import ParameterSpaceError
from stratopt.search.foreign import ForeignSampler
from stratopt.search.latent import Latent
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.prior import from_unit, to_step, to_unit

optuna.logging.set_verbosity(optuna.logging.WARNING)

EXTRAS: Mapping[str, tuple[str, str]] = {"cmaes": ("cmaes", "cmaes"), "gp": ("torch", "gp")}
"""Engine -> the module that it needs beyond Optuna, and the extra of stratopt that installs it."""
SMALLEST_UNIT, LARGEST_UNIT = 1e-9, 1 - 1e-9


class OptunaSampler(ForeignSampler):
    """``engine`` of Optuna on an in-memory study: "tpe", "cmaes", "gp", "nsga2" or "nsga3"."""

    def __init__(
        self, space: ParameterSpace, seed: int, *, engine: str = "tpe", startup_trials: int = 20, objectives: int = 1
    ) -> None:
        super().__init__(space)
        self.objectives = objectives
        self._latents = space.latents()
        self._distributions = {name: _distribution(latent) for name, latent in self._latents.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = _engine(engine)(seed, startup_trials)
        self._study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)

    def _draw(self) -> tuple[Any, Mapping[str, float]]:
        trial = self._study.ask(self._distributions)
        return trial, {name: _value(self._latents[name], value) for name, value in trial.params.items()}

    def observe(self, params: Params, losses: Sequence[float]) -> None:
        """Learn a point that was evaluated elsewhere."""
        drawn = self._space.unresolve(params)
        told = {name: _told(self._latents[name], value) for name, value in drawn.items()}
        self._study.add_trial(
            optuna.trial.create_trial(
                params=told,
                distributions={name: self._distributions[name] for name in told},
                values=list(losses),
            )
        )

    def _learn(self, token: Any, losses: Sequence[float]) -> None:
        self._study.tell(token, list(losses) if self.objectives > 1 else losses[0])


def _engine(engine: str) -> Callable[[int, int], Any]:
    if engine in EXTRAS and find_spec(EXTRAS[engine][0]) is None:
        module, extra = EXTRAS[engine]
        raise ParameterSpaceError(
            f"optuna_{engine} needs {module}, which is not installed; pip install 'stratopt[{extra}]'",
            code="missing_extra",
            extra=extra,
        )
    samplers = optuna.samplers
    engines: Mapping[str, Callable[[int, int], Any]] = {
        "tpe": lambda seed, startup: samplers.TPESampler(seed=seed, n_startup_trials=startup),
        "cmaes": lambda seed, startup: samplers.CmaEsSampler(
            seed=seed, n_startup_trials=startup, warn_independent_sampling=False
        ),
        "gp": lambda seed, startup: samplers.GPSampler(seed=seed, n_startup_trials=startup),
        "nsga2": lambda seed, startup: samplers.NSGAIISampler(seed=seed, population_size=max(2, startup)),
        "nsga3": lambda seed, startup: samplers.NSGAIIISampler(seed=seed, population_size=max(2, startup)),
    }
    return engines[engine]


def _distribution(latent: Latent) -> BaseDistribution:
    """Optuna has no normal priors: those are drawn as a quantile in (0, 1)."""
    if latent.kind == "categorical":
        return CategoricalDistribution(list(range(latent.count)))
    if latent.kind == "normal":
        return FloatDistribution(SMALLEST_UNIT, LARGEST_UNIT)
    if latent.kind == "int":
        step = int(latent.step or 1)
        return IntDistribution(int(latent.low), int(latent.high), log=latent.log, step=1 if latent.log else step)
    return FloatDistribution(latent.low, latent.high, log=latent.log, step=None if latent.log else latent.step)


def _value(latent: Latent, value: Any) -> float:
    if latent.kind == "normal":
        return from_unit(latent, value)
    if latent.step:
        return to_step(float(value), latent)
    if latent.quantum:
        return float(round(value / latent.quantum) * latent.quantum)
    return float(value)


def _told(latent: Latent, value: float) -> float | int:
    if latent.kind == "normal":
        return min(max(to_unit(latent, value), SMALLEST_UNIT), LARGEST_UNIT)
    return int(value) if latent.kind in {"categorical", "int"} else value
