"""What stands around an exported rule: provenance, costs, refusals."""

from __future__ import annotations

import re
from typing import Any

import pytest

import stratopt
from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.errors import ExportError
from stratopt.export.pine import export_pine, pine_script
from stratopt.strategies.catalogue import get_strategy


@pytest.fixture(scope="module")
def result() -> Any:
    return stratopt.optimize(
        stratopt.load_bars("BTC"), "MACD", max_evals=6, algorithm="random", folds=2, costs=Costs(spread_bps=4.0)
    )


def script(execution: Execution | None = None, costs: Costs | None = None, **params: Any) -> str:
    return pine_script(
        get_strategy("RSI"), params, costs=costs or Costs(), execution=execution or Execution(), title='a "title"'
    )


def test_the_header_tells_data_tests_and_verdict(result: Any) -> None:
    """A script travels alone: it says what was tested, on which bars, how it did out of sample, and what was concluded."""
    row = {"verdict": "likely_luck", "verdict_reasons": ["the batch explains it"]}
    text = " ".join(line[2:].strip() for line in export_pine(result, verdict=row).split("\n") if line.startswith("//"))
    document = result.to_dict()
    assert "Verdict: likely luck (the batch explains it)." in text
    assert f"Sharpe ratio {result.out_of_sample['sharpe_ratio']:.2f} a year" in text
    for said in (
        document["manifest"]["spec_fingerprint"],
        document["manifest"]["data"]["content_hash"],
        document["out_of_sample"]["first_bar"],
        f"{document['search']['evaluations']} parameter sets",
        "commission 0.17 % a side",
    ):
        assert said in text


def test_without_a_batch_the_header_says_that_nothing_was_concluded(result: Any) -> None:
    assert "// Verdict: none; one strategy alone is not judged." in export_pine(result)


def test_the_three_forms_of_a_result_give_one_script(result: Any) -> None:
    """The object, its document and an item of a batch are the same result."""
    document = result.to_dict()
    item = {"job_id": "job_1", "status": "succeeded", "result": document}
    assert export_pine(result) == export_pine(document) == export_pine(item)


def test_best_parameters_are_the_defaults_of_the_inputs(result: Any) -> None:
    text = export_pine(result)
    for name, value in result.best_params.items():
        found = re.search(rf'^{name} = input\.\w+\(([^,]+), "{name}"', text, re.MULTILINE)
        assert found is not None, name
        assert found.group(1) == (str(value).lower() if isinstance(value, bool) else repr(value))


def test_execution_and_costs_become_the_declaration() -> None:
    text = script(
        Execution(fill="same_close", initial_cash=5000.0, size=0.5, leverage=2.0, direction="long_short"),
        Costs(fee_bps=2.0, slippage_bps=3.0, spread_bps=2.0),
    )
    for said in (
        'strategy("a \\"title\\""',
        "process_orders_on_close = true",
        "initial_capital = 5000.0",
        "default_qty_value = 100.0",
        "commission_value = 0.06",
        'direction = input.string("long_short"',
    ):
        assert said in text
    assert "default_qty_type = strategy.fixed,\n     default_qty_value = 3.0" in script(
        Execution(sizing="fixed_units", size=3.0)
    )


def test_amounts_that_a_script_cannot_carry_are_told(result: Any) -> None:
    document = result.to_dict()
    spec = {
        **document["manifest"]["spec"],
        "execution": {**document["manifest"]["spec"]["execution"], "sizing": "volatility_target"},
    }
    spec["costs"] = {**spec["costs"], "fixed_fee": 2.0}
    text = export_pine({**document, "manifest": {**document["manifest"], "spec": spec}})
    assert "// Not carried over: fixed_fee 2; sizing volatility_target (the script trades 100 % of equity)." in text


@pytest.mark.parametrize("stop", [{"stop_loss_pct": 0.05}, {"trailing_stop_atr": 2.0}, {"max_holding_bars": 5}])
def test_exits_inside_a_bar_are_refused(stop: dict[str, Any]) -> None:
    """TradingView would take other trades, so there is no script that says the same."""
    with pytest.raises(ExportError, match=next(iter(stop))) as caught:
        script(Execution(**stop))
    assert caught.value.code == "cannot_be_exported"


def test_a_period_beyond_what_scripts_see_is_refused() -> None:
    with pytest.raises(ExportError, match="period = 6000"):
        script(period=6000)


def test_a_strategy_of_your_own_is_refused_with_the_reason() -> None:
    @stratopt.strategy(space={"period": stratopt.IntRange(2, 5, default=3)}, warmup=lambda p: p["period"])
    def Higher(bars: Any, params: Any) -> Any:
        close = bars.close
        target = (close > 0).astype(int)
        target[params["period"] :] = close[params["period"] :] > close[: -params["period"]]
        target[: params["period"]] = 0
        return target

    found = stratopt.optimize(
        stratopt.load_bars("BTC"), Higher, max_evals=3, algorithm="random", cross_validation=False
    )
    with pytest.raises(ExportError, match="Python of your own"):
        export_pine(found)


def test_a_result_of_other_code_is_refused(result: Any) -> None:
    """The rule in Pine belongs to this version's strategy; a result of another one may follow another rule."""
    document = result.to_dict()
    other = {**document, "manifest": {**document["manifest"], "strategy_source_hash": "0" * 64}}
    with pytest.raises(ExportError, match="another version"):
        export_pine(other)


@pytest.mark.parametrize("nothing", [{}, {"result": None, "error": {}}, {"best_params": {}}])
def test_what_is_no_result_is_refused(nothing: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match="no result to export"):
        export_pine(nothing)
