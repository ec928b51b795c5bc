"""hyperopt's TPE behind the ask/tell protocol."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hyperopt import hp, tpe
from hyperopt.base import JOB_STATE_DONE, STATUS_OK, Domain, Trials

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Latent
from stratopt.search.sampler import Drawn

logging.getLogger("hyperopt").setLevel(logging.WARNING)


class HyperoptSampler:
    """TPE of hyperopt 0.3, one suggestion a call as that library can; every latent is drawn in every trial."""

    asks_params = False

    def __init__(self, space: ParameterSpace, seed: int, *, startup_trials: int = 20) -> None:
        self._latents = space.latents()
        self._domain = Domain(lambda point: 0.0, {name: _node(name, latent) for name, latent in self._latents.items()})
        self._trials = Trials()
        self._seeds = np.random.default_rng(seed)
        self._startup_trials = startup_trials
        self._open: dict[int, dict[str, Any]] = {}

    def ask(self, count: int) -> Sequence[Drawn]:
        """``count`` points, each suggested on the losses told so far."""
        return [self._ask_one() for _ in range(count)]

    def _ask_one(self) -> Drawn:
        number = self._trials.new_trial_ids(1)
        seed = int(self._seeds.integers(2**31 - 1))
        (document,) = tpe.suggest(
            number, self._domain, self._trials, seed, n_startup_jobs=self._startup_trials, verbose=False
        )
        drawn = {
            name: _value(self._latents[name], values[0]) for name, values in document["misc"]["vals"].items() if values
        }
        self._open[id(drawn)] = document
        return drawn

    def tell(self, drawn: Mapping[str, Any], loss: float) -> None:
        """Record the loss."""
        document = self._open.pop(id(drawn))
        document["state"] = JOB_STATE_DONE
        document["result"] = {"status": STATUS_OK, "loss": loss}
        self._trials.insert_trial_doc(document)
        self._trials.refresh()


def _node(name: str, latent: Latent) -> Any:
    if latent.kind == "categorical":
        if latent.weights:
            total = sum(latent.weights)
            return hp.pchoice(name, [(weight / total, index) for index, weight in enumerate(latent.weights)])
        return hp.choice(name, list(range(latent.count)))
    low, high = (latent.low, latent.high) if not latent.log else (np.log(latent.low), np.log(latent.high))
    if latent.kind == "int" or latent.step:
        step = latent.step or 1
        return hp.qloguniform(name, low, high, step) if latent.log else hp.quniform(name, low, high, step)
    return hp.loguniform(name, low, high) if latent.log else hp.uniform(name, low, high)


def _value(latent: Latent, value: Any) -> float:
    if latent.kind == "categorical":
        return float(value)
    return float(min(max(float(value), latent.low), latent.high))
