"""Everything that a result depends on, kept with the result, so that anyone can run it again and compare the bytes."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stratopt._version import __version__
from stratopt.market.bars import Bars
from stratopt.optimization.exceptions import DataValidationError
from stratopt.optimization.job_spec import JobSpec
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.serializer import ParameterSpaceSerializer
from stratopt.strategies.base import Strategy

PACKAGES = ("numpy", "numba", "scipy", "pandas", "pyarrow", "hyperopt", "optuna")
COMMAND = "stratopt reproduce RESULT.json"
NOT_PART_OF_A_RESULT = ("artifacts",)


def manifest(spec: JobSpec, space: ParameterSpace, bars: Bars, strategy: Strategy, first: int) -> dict[str, Any]:
    """Spec (without the name the job has in its batch), data, code and versions behind a result; ``first`` is the first scored bar."""
    return {
        "command": COMMAND,
        "stratopt": __version__,
        "code_hash": code_hash(),
        "spec": {key: value for key, value in spec.to_dict().items() if key != "strategy_id"},
        "spec_fingerprint": spec.fingerprint,
        "seed": spec.seed,
        "space": ParameterSpaceSerializer().to_json(space),
        "data": {**_data(bars), "first_bar": _stamp(bars, first)},
        "strategy_source_hash": strategy.source_hash,
        "versions": dict(versions()),
    }


@cache
def versions() -> Mapping[str, str]:
    """Versions of Python and of the packages that numbers come from."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


@cache
def code_hash() -> str:
    """sha256 over the package's source files, in the order of their paths."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def spec_of(result: Mapping[str, Any]) -> JobSpec:
    """The spec that a result's manifest tells."""
    document = result["manifest"]["spec"]
    return JobSpec.from_dict({**document, "strategy_id": document["strategy"]})


def require_same_data(result: Mapping[str, Any], bars: Bars) -> None:
    """DataValidationError ``data_changed`` with both sides where ``bars`` are not those of a result's manifest; a manifest without data asks for none."""
    told = result["manifest"].get("data", {})
    if told.get("content_hash") in {None, bars.content_hash}:
        return
    found = _data(bars)
    raise DataValidationError(
        f"the market data of {bars.symbol} {bars.timeframe} are not those of the result; import those again, or optimise anew",
        code="data_changed",
        of_the_result={name: told.get(name) for name in found},
        of_this_machine=found,
    )


def _data(bars: Bars) -> dict[str, Any]:
    """What a series is, whatever is scored of it."""
    return {
        "symbol": bars.symbol,
        "timeframe": str(bars.timeframe),
        "content_hash": bars.content_hash,
        "bars": len(bars),
        "last_bar": _stamp(bars, len(bars) - 1) if len(bars) else None,
    }


def _stamp(bars: Bars, index: int) -> str:
    return f"{np.datetime_as_string(bars.stamps[index], unit='s')}Z"


def canonical_bytes(result: Mapping[str, Any]) -> bytes:
    """A result as sorted JSON, without the names of its tables: what two runs must agree on."""
    kept = {key: value for key, value in result.items() if key not in NOT_PART_OF_A_RESULT}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def differences(one: Any, other: Any, at: str = "") -> Sequence[str]:
    """JSON pointers at which two documents differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = sorted({*one, *other} - ({*NOT_PART_OF_A_RESULT} if not at else set()))
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{at}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for k, (a, b) in enumerate(zip(one, other, strict=True)) for d in differences(a, b, f"{at}/{k}")]
    return [] if one == other else [at]
