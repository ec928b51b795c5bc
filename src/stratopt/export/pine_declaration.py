"""The strategy declaration and the orders of a script: costs, capital, size, fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import DIRECTIONS, Execution
from stratopt.errors import ExportError
from stratopt.export.pine_inputs import literal
from stratopt.strategies.base import Direction

STOPS = (
    "stop_loss_pct",
    "stop_loss_atr",
    "take_profit_pct",
    "take_profit_atr",
    "trailing_stop_pct",
    "trailing_stop_atr",
    "max_holding_bars",
)
QUANTITIES = {"fixed_units": "strategy.fixed", "fixed_notional": "strategy.cash"}


def refuse_execution(name: str, execution: Execution) -> None:
    """ExportError for rules whose trades TradingView would decide otherwise."""
    used = [field for field in STOPS if getattr(execution, field) is not None]
    if used:
        raise ExportError(
            f"{name} cannot be exported with {', '.join(used)}: TradingView decides by another rule which price inside a bar came first, so "
            "its trades would not be those that were tested; optimise without it, or add the exit to the script by hand",
            strategy=name,
            fields=used,
        )


def declaration(title: str, costs: Costs, execution: Execution, bars_back: int) -> str:
    """The ``strategy(...)`` call. No margin: sizes are set at the signal's close, and an order that costs more at the open must still fill."""
    quantity, value = _quantity(execution)
    arguments = {
        "overlay": True,
        "initial_capital": execution.initial_cash,
        "default_qty_type": quantity,
        "default_qty_value": value,
        "commission_type": "strategy.commission.percent",
        "commission_value": commission_percent(costs),
        "slippage": 0,
        "pyramiding": 0,
        "process_orders_on_close": execution.fill == "same_close",
        "calc_on_every_tick": False,
        "margin_long": 0,
        "margin_short": 0,
        "max_bars_back": bars_back,
    }
    written = [f"{name} = {_word(value)}" for name, value in arguments.items()]
    return f"strategy({literal(title)},\n     " + ",\n     ".join(written) + ")"


def commission_percent(costs: Costs) -> float:
    """Fee, slippage and half the spread as one commission in per cent: Pine counts slippage in ticks, which differ by symbol."""
    return round((costs.fee_bps + costs.slippage_bps + costs.spread_bps / 2.0) / 100.0, 10)


def not_carried_over(costs: Costs, execution: Execution) -> Sequence[str]:
    """Amounts that the script simulates otherwise; when it trades is not touched by them."""
    amounts = ("fixed_fee", "minimum_fee", "borrow_rate")
    notes = [f"{name} {getattr(costs, name):g}" for name in amounts if getattr(costs, name)]
    if execution.sizing in ("risk_per_stop", "volatility_target"):
        notes.append(f"sizing {execution.sizing} (the script trades 100 % of equity)")
    if execution.lot:
        notes.append(f"lot {execution.lot:g} (TradingView rounds sizes by symbol)")
    if execution.leverage > 1.0 or execution.maintenance_margin > 0.0:
        notes.append("liquidation (the script has no margin)")
    if execution.final != "mark":
        notes.append(f"final {execution.final} (an open position stays open)")
    return notes


def direction_lines(execution: Execution) -> Sequence[str]:
    """The input for the sides that may be taken."""
    side = execution.direction or Direction.LONG_ONLY.value
    options = ", ".join(literal(option) for option in DIRECTIONS)
    return (
        f'direction = input.string({literal(str(side))}, "direction", options = [{options}])',
        'bool allowLong = direction != "short_only"',
        'bool allowShort = direction != "long_only"',
    )


def order_lines() -> str:
    """Orders on every change of the target; a repeated target does nothing."""
    return "\n".join(
        (
            "// Orders follow changes of the target.",
            "if target != targetBefore",
            "    if target == 1",
            '        strategy.entry("Long", strategy.long)',
            "    else if target == -1",
            '        strategy.entry("Short", strategy.short)',
            "    else",
            "        strategy.close_all()",
            'plot(target, "target", display = display.data_window)',
        )
    )


def _quantity(execution: Execution) -> tuple[str, float]:
    if execution.sizing in QUANTITIES:
        return QUANTITIES[execution.sizing], execution.size
    share = execution.size if execution.sizing == "all_in" else 1.0
    return "strategy.percent_of_equity", 100.0 * share * execution.leverage


def _word(value: Any) -> str:
    return value if isinstance(value, str) else literal(value)
