"""hyperopt's engines behind the ask/tell protocol."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from hyperopt import anneal, hp, tpe
from hyperopt.base import JOB_STATE_DONE, STATUS_OK, Domain, Trials

from stratopt.errors import ParameterSpaceError
from stratopt.search.foreign import ForeignSampler
from stratopt.search.latent import Latent
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.prior import to_step

logging.getLogger("hyperopt").setLevel(logging.WARNING)

ENGINES = ("tpe", "anneal", "atpe")
SAME_TIME = datetime(1970, 1, 1)  # noqa: DTZ001 - hyperopt's stamps have no zone; ATPE reads how long a trial took, which must not decide


class HyperoptSampler(ForeignSampler):
    """One suggestion a call, as that library can; parameters of inactive branches are not told.

    ``engine`` is "tpe", "anneal" or "atpe" (which needs lightgbm, extra ``atpe``, and takes the options of a choice as equally
    likely, because it knows no weights).
    """

    def __init__(self, space: ParameterSpace, seed: int, *, engine: str = "tpe", startup_trials: int = 20) -> None:
        super().__init__(space)
        self._latents = space.latents()
        if engine == "atpe":
            _refuse_rounded_normals(self._latents)
        self._suggest = _engine(engine, startup_trials)
        self._domain = Domain(
            lambda point: 0.0, {name: _node(name, latent, engine) for name, latent in self._latents.items()}
        )
        self._trials = Trials()
        self._seeds = np.random.default_rng(seed)

    def _draw(self) -> tuple[Any, Mapping[str, float]]:
        number = self._trials.new_trial_ids(1)
        seed = int(self._seeds.integers(2**31 - 1))
        (document,) = self._suggest(number, self._domain, self._trials, seed)
        misc = document["misc"]
        drawn = {name: _value(self._latents[name], values[0]) for name, values in misc["vals"].items() if values}
        active = self._space.resolve(drawn)
        for name in drawn:
            if name not in active:
                misc["vals"][name], misc["idxs"][name] = [], []
        return document, drawn

    def observe(self, params: Params, losses: Sequence[float]) -> None:
        """Learn a point that was evaluated elsewhere."""
        (tid,) = self._trials.new_trial_ids(1)
        drawn = self._space.unresolve(params)
        misc = {
            "tid": tid,
            "cmd": self._domain.cmd,
            "workdir": self._domain.workdir,
            "idxs": {name: [tid] if name in drawn else [] for name in self._latents},
            "vals": {n: [_told(latent, drawn[n])] if n in drawn else [] for n, latent in self._latents.items()},
        }
        (document,) = self._trials.new_trial_docs([tid], [None], [self._domain.new_result()], [misc])
        self._learn(document, losses)

    def _learn(self, token: Any, losses: Sequence[float]) -> None:
        token["state"] = JOB_STATE_DONE
        token["result"] = {"status": STATUS_OK, "loss": float(losses[0])}
        token["book_time"] = token["refresh_time"] = SAME_TIME
        self._trials.insert_trial_doc(token)
        self._trials.refresh()


def _engine(engine: str, startup_trials: int) -> Callable[..., Any]:
    if engine == "tpe":
        return partial(tpe.suggest, n_startup_jobs=startup_trials, verbose=False)
    if engine == "anneal":
        return partial(anneal.suggest)
    try:
        import lightgbm  # noqa: F401 - ATPE does so in the middle of a search
    except (ImportError, OSError) as error:  # OSError: the package is there, the system's libgomp is not
        raise ParameterSpaceError(
            f"hyperopt_atpe needs lightgbm and the system's libgomp ({error}); pip install 'stratopt[atpe]', on Debian apt install libgomp1",
            code="missing_extra",
            extra="atpe",
        ) from error
    return _seeded_atpe


def _seeded_atpe(ids: Sequence[int], domain: Any, trials: Trials, seed: int) -> Any:
    """ATPE's suggestion: it ignores its seed and draws from the process-wide generators, which are set for it and put back."""
    from hyperopt import atpe

    before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return atpe.suggest(ids, domain, trials, seed)
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def _refuse_rounded_normals(latents: Mapping[str, Latent]) -> None:
    for name, latent in latents.items():
        if latent.kind == "normal" and (latent.step or latent.quantum):
            raise ParameterSpaceError(
                f"hyperopt_atpe cannot search {name}, a rounded normal distribution; use tpe or hyperopt_tpe",
                parameter=name,
            )


def _node(name: str, latent: Latent, engine: str) -> Any:
    if latent.kind == "categorical":
        if latent.weights and engine != "atpe":
            total = sum(latent.weights)
            return hp.pchoice(name, [(weight / total, index) for index, weight in enumerate(latent.weights)])
        return hp.choice(name, list(range(latent.count)))
    q = latent.step or latent.quantum
    if latent.kind == "normal":
        prior = ("q" if q else "") + ("lognormal" if latent.log else "normal")
        return getattr(hp, prior)(name, latent.mu, latent.sigma, *([q] if q else []))
    low, high = latent.low, latent.high
    if latent.low == latent.high:
        return hp.choice(name, [0])
    if latent.log:
        low, high = float(np.log(low)), float(np.log(high))
    if q:
        return hp.qloguniform(name, low, high, q) if latent.log else hp.quniform(name, low, high, q)
    return hp.loguniform(name, low, high) if latent.log else hp.uniform(name, low, high)


def _value(latent: Latent, value: Any) -> float:
    if latent.kind in {"int", "float"} and latent.low == latent.high:
        return latent.low
    if latent.step:
        return to_step(float(value), latent)
    if latent.kind in {"categorical", "normal"} or latent.quantum:
        return float(value)
    return float(min(max(float(value), latent.low), latent.high))


def _told(latent: Latent, value: float) -> float | int:
    if latent.kind == "categorical":
        return int(value)
    return 0 if latent.kind != "normal" and latent.low == latent.high else value
