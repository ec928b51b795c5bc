"""Pine Script v6 of a result: the strategy's rule with its parameters, for TradingView.

The rules are written in ``pine_code/``: one file a strategy, and ``functions.pine`` with the indicators in this package's conventions (seeds,
flat prices, ties), for TradingView's own ones start otherwise. A script computes ``target`` on every bar; orders follow its changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.errors import ExportError
from stratopt.export.pine_declaration import declaration, direction_lines, order_lines, refuse_execution
from stratopt.export.pine_header import Provenance, header
from stratopt.export.pine_inputs import input_lines, lookback_bars
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.manifest import spec_of
from stratopt.optimization.optimization_result import OptimizationResult
from stratopt.strategies.base import Strategy
from stratopt.strategies.catalogue import BUILT_IN

FUNCTION_NAME = re.compile(r"^(\w+)\(.*=>$", re.MULTILINE)
WORD = re.compile(r"\b\w+\b")


def export_pine(result: OptimizationResult | Mapping[str, Any], *, verdict: Mapping[str, Any] | None = None) -> str:
    """A result as a Pine Script v6 strategy.

    Parameters
    ----------
    result : OptimizationResult or mapping
        What ``optimize`` returns, its ``to_dict()``, or an item of a batch.
    verdict : mapping, optional
        ``verdict`` and ``verdict_reasons`` of the result's line in its batch's ranking. Without it the script says that no verdict is known.

    Raises
    ------
    ExportError
        ``cannot_be_exported``: no result, not a strategy that ships with stratopt, another version of its code, or rules that a script
        cannot carry (stops, a limit of holding time).
    """
    document = _document(result)
    spec = spec_of(document)
    strategy = _strategy(spec, document["manifest"])
    provenance = Provenance(result=document, spec=spec, verdict=verdict)
    return pine_script(
        strategy,
        document["best_params"],
        costs=spec.costs,
        execution=spec.execution,
        title=f"{spec.strategy} {spec.symbol} {spec.timeframe} (stratopt)",
        comment=header(strategy, provenance),
    )


def pine_script(
    strategy: Strategy,
    params: Mapping[str, Any] | None = None,
    *,
    costs: Costs,
    execution: Execution,
    title: str,
    comment: str = "",
) -> str:
    """The script of one parameter set; ``comment`` is put below the version line. Raises as ``export_pine`` does."""
    rule = _rule(strategy.name)
    refuse_execution(strategy.name, execution)
    complete = strategy.validate(params)
    blocks = [
        f"//@version=6\n{comment}".rstrip("\n"),
        declaration(title, costs, execution, lookback_bars(strategy, complete)),
        "\n".join([*input_lines(strategy.space, complete), *direction_lines(execution)]),
        *_functions_of(rule),
        f"var int target = 0\nint targetBefore = target\n{rule}",
        order_lines(),
    ]
    return "\n\n".join(blocks) + "\n"


def exportable_strategies() -> frozenset[str]:
    """Names of the strategies whose rule is written in Pine Script."""
    return frozenset(path.name.removesuffix(".pine") for path in _code().iterdir()) - {"functions"}


def _document(result: OptimizationResult | Mapping[str, Any]) -> Mapping[str, Any]:
    document = result.to_dict() if isinstance(result, OptimizationResult) else result
    if "result" in document and "best_params" not in document:
        document = document["result"] or {}
    if "best_params" not in document or "manifest" not in document:
        raise ExportError(
            "there is no result to export; give what `optimize` returned or an item of a batch that succeeded"
        )
    return document


def _strategy(spec: JobSpec, manifest: Mapping[str, Any]) -> Strategy:
    found = next((strategy for strategy in BUILT_IN if strategy.name == spec.strategy), None)
    if found is None:
        raise _refusal(
            spec.strategy,
            "its rule is Python of your own, and nothing translates that into Pine Script; write the rule in Pine by hand",
        )
    if manifest["strategy_source_hash"] != found.source_hash:
        raise _refusal(
            spec.strategy,
            f"the result comes from another version of its code (stratopt {manifest['stratopt']}); optimise again with this version",
        )
    return found


def _refusal(name: str, reason: str) -> ExportError:
    return ExportError(f"{name} cannot be exported: {reason}", strategy=name, reason=reason)


def _rule(name: str) -> str:
    if name not in exportable_strategies():
        raise _refusal(name, "its rule is not written in Pine Script; write it by hand")
    return _text(f"{name}.pine").strip("\n")


def _functions_of(rule: str) -> list[str]:
    """Text of the functions that a rule needs, in an order in which each stands above its callers."""
    library = _library()
    wanted: set[str] = set()
    waiting = [rule]
    while waiting:
        for word in set(WORD.findall(waiting.pop())) & library.keys() - wanted:
            wanted.add(word)
            waiting.append(library[word])
    return [text for name, text in library.items() if name in wanted]


@cache
def _library() -> dict[str, str]:
    blocks = _text("functions.pine").strip("\n").split("\n\n")
    return {FUNCTION_NAME.findall(block)[0]: block for block in blocks}


def _text(name: str) -> str:
    return (_code() / name).read_text(encoding="utf-8")


def _code() -> Any:
    return files("stratopt.export") / "pine_code"
