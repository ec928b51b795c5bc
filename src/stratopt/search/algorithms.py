"""Every engine by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from stratopt.errors import ParameterSpaceError
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.plain_samplers import GridSampler, QmcSampler, RandomSampler
from stratopt.search.sampler import Sampler
from stratopt.search.tpe import TpeSampler


@dataclass(frozen=True, kw_only=True)
class SearchTask:
    """What an engine is made for."""

    space: ParameterSpace
    seed: int
    startup_trials: int = 20
    budget: int = 1000
    objectives: int = 1


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """An engine; ``needs`` is a module beyond the base installation and ``extra`` what installs it."""

    make: Callable[[SearchTask], Sampler]
    summary: str
    takes_several: bool = False
    needs: str | None = None
    extra: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether the engine can be used here."""
        return self.needs is None or find_spec(self.needs) is not None


def make_sampler(
    algorithm: str,
    space: ParameterSpace,
    *,
    seed: int,
    startup_trials: int = 20,
    budget: int = 1000,
    objectives: int = 1,
) -> Sampler:
    """The engine of that name, or ParameterSpaceError.

    ``budget`` is the number of points that will be asked for: a grid thins its ranges to it, "auto" decides by it.
    """
    task = SearchTask(space=space, seed=seed, startup_trials=startup_trials, budget=budget, objectives=objectives)
    return check_algorithm(algorithm, objectives=objectives).make(task)


def check_algorithm(name: str, *, objectives: int = 1) -> Algorithm:
    """The algorithm of that name if it is known, installed and able to take that many objectives, or ParameterSpaceError."""
    if name not in ALGORITHMS:
        near = difflib.get_close_matches(name, ALGORITHMS, n=1)
        raise ParameterSpaceError(
            f"unknown algorithm {name!r}; known: {', '.join(ALGORITHMS)}",
            code="unknown_algorithm",
            algorithm=name,
            suggestion=near[0] if near else None,
        )
    algorithm = ALGORITHMS[name]
    if not algorithm.is_installed:
        raise ParameterSpaceError(
            f"{name} needs {algorithm.needs}, which is not installed; pip install 'stratopt[{algorithm.extra}]'",
            code="missing_extra",
            algorithm=name,
            extra=algorithm.extra,
        )
    if objectives > 1 and not algorithm.takes_several:
        able = ", ".join(n for n, a in ALGORITHMS.items() if a.takes_several)
        raise ParameterSpaceError(
            f"{name} takes one objective, not {objectives}; use one of {able}",
            code="too_many_objectives",
            algorithm=name,
        )
    return algorithm


def _hyperopt(engine: str) -> Callable[[SearchTask], Sampler]:
    def make(task: SearchTask) -> Sampler:
        from stratopt.search.hyperopt_sampler import HyperoptSampler

        return HyperoptSampler(task.space, task.seed, engine=engine, startup_trials=task.startup_trials)

    return make


def _optuna(engine: str) -> Callable[[SearchTask], Sampler]:
    def make(task: SearchTask) -> Sampler:
        from stratopt.search.optuna_sampler import OptunaSampler

        return OptunaSampler(
            task.space, task.seed, engine=engine, startup_trials=task.startup_trials, objectives=task.objectives
        )

    return make


def _grid(task: SearchTask) -> Sampler:
    return GridSampler(task.space, budget=task.budget)


def _tpe(task: SearchTask) -> Sampler:
    return TpeSampler(task.space, task.seed, startup_trials=task.startup_trials)


def _auto(task: SearchTask) -> Sampler:
    size = task.space.size(task.budget)
    return _grid(task) if size is not None and size <= task.budget else _tpe(task)


ALGORITHMS: Mapping[str, Algorithm] = {
    "tpe": Algorithm(make=_tpe, summary="tree-structured Parzen estimator, compiled; never repeats a point"),
    "auto": Algorithm(make=_auto, summary="exhaustive where the whole space costs no more than the budget, else tpe"),
    "random": Algorithm(
        make=lambda task: RandomSampler(task.space, task.seed), summary="independent draws", takes_several=True
    ),
    "qmc": Algorithm(
        make=lambda task: QmcSampler(task.space, task.seed), summary="scrambled Sobol sequence", takes_several=True
    ),
    "grid": Algorithm(make=_grid, summary="the grid, spread evenly over the budget", takes_several=True),
    "exhaustive": Algorithm(make=_grid, summary="the same as grid", takes_several=True),
    "hyperopt_tpe": Algorithm(make=_hyperopt("tpe"), summary="hyperopt's TPE"),
    "hyperopt_anneal": Algorithm(make=_hyperopt("anneal"), summary="hyperopt's annealing"),
    "hyperopt_atpe": Algorithm(
        make=_hyperopt("atpe"),
        summary="hyperopt's adaptive TPE; knows no weights of options",
        needs="lightgbm",
        extra="atpe",
    ),
    "optuna_tpe": Algorithm(make=_optuna("tpe"), summary="Optuna's TPE"),
    "optuna_cmaes": Algorithm(make=_optuna("cmaes"), summary="CMA-ES of Optuna", needs="cmaes", extra="cmaes"),
    "optuna_gp": Algorithm(make=_optuna("gp"), summary="Gaussian process of Optuna", needs="torch", extra="gp"),
    "optuna_nsga2": Algorithm(make=_optuna("nsga2"), summary="NSGA-II of Optuna", takes_several=True),
    "optuna_nsga3": Algorithm(make=_optuna("nsga3"), summary="NSGA-III of Optuna", takes_several=True),
}
