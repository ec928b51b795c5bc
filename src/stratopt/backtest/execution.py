"""How targets become trades: fills, sizes, stops, sides, the end of the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratopt.backtest.checks import check_choice, check_number
from stratopt.backtest.costs import Costs
from stratopt.errors import BacktestError
from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import Float64Array1D

FILLS = ("next_open", "same_close")
SIZINGS = ("all_in", "fixed_units", "fixed_notional", "risk_per_stop", "volatility_target")
REENTRIES = ("next_bar", "same_bar", "follow_target")
FINALS = ("mark", "close", "last_open")
DIRECTIONS = ("long_only", "short_only", "long_short")
_DISTANCES = ("stop_loss", "take_profit", "trailing_stop")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Rules of the simulated market; the defaults are the cautious ones.

    Parameters
    ----------
    fill : {"next_open", "same_close"}
        A target known at a bar's close fills at the next bar's open, or at that close.
    lot : float
        Sizes are floored to multiples of it; 0 allows any size. An order below one lot is skipped and counted.
    initial_cash : float
        Money before the first bar of the window.
    sizing, size
        ``all_in``: the fraction ``size`` of equity times leverage, fee included · ``fixed_units``: units ·
        ``fixed_notional``: money · ``risk_per_stop``: the fraction of equity lost if the stop is hit ·
        ``volatility_target``: annual volatility aimed at, a fraction, from the last ``volatility_bars`` closes.
        Fixed sizes beyond the account are skipped and counted, the last two are capped at what it can pay.
    stop_from : {None, "entry_bar", "next_bar"}
        First bar in which stops act; None is entry_bar for next_open and next_bar for same_close.
    stop_ref : {"fill", "signal_close"}
        Price that stop distances start from.
    reentry : {"next_bar", "same_bar", "follow_target"}
        After a stop in a bar, an order filled at that bar's close is dropped, or not. Both wait for the target to change;
        ``follow_target`` enters again in a later bar while the target holds.
    final : {"mark", "close", "last_open"}
        An open position at the end is marked at the last close, sold there, or sold at the last open.
    direction : {None, "long_only", "short_only", "long_short"}
        Targets of a side that is not allowed are read as flat. None: as the target says (long only for a strategy).
    stop_loss_pct, take_profit_pct, trailing_stop_pct : float, optional
        Fractions of the reference price (0.05 is 5 %).
    stop_loss_atr, take_profit_atr, trailing_stop_atr : float, optional
        Multiples of the average true range over ``stop_atr_period`` bars at the signal.
    max_holding_bars : int, optional
        The position leaves at the fill of this many bars after its entry.
    leverage : float
        Most position value for one unit of equity.
    maintenance_margin : float
        Liquidation at the bar's worst price once equity falls to this fraction of the position's value;
        checked where leverage is above 1 or the margin above 0.

    Raises
    ------
    BacktestError
        If a value is out of its range or two of them exclude each other.
    """

    fill: str = "next_open"
    lot: float = 0.0
    initial_cash: float = 1_000_000.0
    sizing: str = "all_in"
    size: float = 1.0
    stop_from: str | None = None
    stop_ref: str = "fill"
    reentry: str = "next_bar"
    final: str = "mark"
    direction: str | None = None
    stop_loss_pct: float | None = None
    stop_loss_atr: float | None = None
    take_profit_pct: float | None = None
    take_profit_atr: float | None = None
    trailing_stop_pct: float | None = None
    trailing_stop_atr: float | None = None
    stop_atr_period: int = 14
    max_holding_bars: int | None = None
    leverage: float = 1.0
    maintenance_margin: float = 0.0
    volatility_bars: int = 20

    def __post_init__(self) -> None:
        check_choice(self, "fill", FILLS)
        check_choice(self, "sizing", SIZINGS)
        check_choice(self, "stop_ref", ("fill", "signal_close"))
        check_choice(self, "reentry", REENTRIES)
        check_choice(self, "final", FINALS)
        if self.stop_from is not None:
            check_choice(self, "stop_from", ("entry_bar", "next_bar"))
        if self.direction is not None:
            check_choice(self, "direction", DIRECTIONS)
        check_number(self, "lot", 0.0, 1e12, "units")
        check_number(self, "initial_cash", 0.0, 1e15, "money", above_low=True)
        check_number(self, "size", 0.0, _largest_size(self.sizing), f"as {self.sizing} reads it", above_low=True)
        check_number(self, "leverage", 1.0, 500.0, "position value for one of equity")
        check_number(self, "maintenance_margin", 0.0, 0.99, "a fraction of the position's value")
        self._check_counts()
        self._check_distances()
        self._check_combinations()

    @property
    def uses_atr(self) -> bool:
        """Whether a stop distance is in average true ranges."""
        return any(getattr(self, f"{name}_atr") is not None for name in _DISTANCES)

    @property
    def stops_from_next_bar(self) -> bool:
        """Whether stops first act in the bar after the entry."""
        return self.stop_from == "next_bar" or (self.stop_from is None and self.fill == "same_close")

    def settings(self, costs: Costs, periods_per_year: float) -> Float64Array1D:
        """Execution and costs as the vector that the kernels take (``kernels.engine_codes``)."""
        vector = np.zeros(k.SETTINGS)
        vector[k.INITIAL_CASH] = self.initial_cash
        vector[k.FEE_RATE] = costs.fee_bps / 10_000.0
        vector[k.SLIPPAGE] = (costs.slippage_bps + costs.spread_bps / 2.0) / 10_000.0
        vector[k.FIXED_FEE] = costs.fixed_fee
        vector[k.MINIMUM_FEE] = costs.minimum_fee
        vector[k.SLIP_ON_STOPS] = costs.slip_on_stops
        vector[k.BORROW_RATE] = costs.borrow_rate
        vector[k.SAME_CLOSE] = self.fill == "same_close"
        vector[k.LOT] = self.lot
        vector[k.SIZING] = SIZINGS.index(self.sizing)
        vector[k.SIZE] = self.size
        vector[k.STOP_FROM_NEXT_BAR] = self.stops_from_next_bar
        vector[k.STOP_REF_SIGNAL_CLOSE] = self.stop_ref == "signal_close"
        vector[k.REENTRY] = REENTRIES.index(self.reentry)
        vector[k.FINAL] = FINALS.index(self.final)
        vector[k.ALLOW_LONG] = self.direction != "short_only"
        vector[k.ALLOW_SHORT] = self.direction != "long_only"
        vector[k.STOP_LOSS_PCT] = self.stop_loss_pct or 0.0
        vector[k.STOP_LOSS_ATR] = self.stop_loss_atr or 0.0
        vector[k.TAKE_PROFIT_PCT] = self.take_profit_pct or 0.0
        vector[k.TAKE_PROFIT_ATR] = self.take_profit_atr or 0.0
        vector[k.TRAILING_STOP_PCT] = self.trailing_stop_pct or 0.0
        vector[k.TRAILING_STOP_ATR] = self.trailing_stop_atr or 0.0
        vector[k.MAX_HOLDING_BARS] = self.max_holding_bars or 0
        vector[k.LEVERAGE] = self.leverage
        vector[k.MAINTENANCE_MARGIN] = self.maintenance_margin
        vector[k.VOLATILITY_BARS] = self.volatility_bars
        vector[k.PERIODS_PER_YEAR] = periods_per_year
        return vector

    def _check_counts(self) -> None:
        for name, low in (("stop_atr_period", 1), ("volatility_bars", 2), ("max_holding_bars", 1)):
            value = getattr(self, name)
            if value is None and name == "max_holding_bars":
                continue
            check_number(self, name, low, 1e9, "whole bars")
            if value != int(value):
                raise BacktestError(f"Execution: {name} must be a whole number of bars, not {value!r}", field=name)

    def _check_distances(self) -> None:
        for name in _DISTANCES:
            fraction, multiple = f"{name}_pct", f"{name}_atr"
            most = 0.999 if name != "take_profit" else 100.0
            if getattr(self, fraction) is not None:
                check_number(self, fraction, 0.0, most, "a fraction; 0.05 is 5 %, None is off", above_low=True)
            if getattr(self, multiple) is not None:
                check_number(self, multiple, 0.0, 1_000.0, "average true ranges; None is off", above_low=True)
            if getattr(self, fraction) is not None and getattr(self, multiple) is not None:
                raise BacktestError(
                    f"Execution: set {fraction} or {multiple}, not both, and leave the other None", field=fraction
                )

    def _check_combinations(self) -> None:
        if self.fill == "same_close" and self.stop_from == "entry_bar":
            raise BacktestError(
                "Execution: stop_from='entry_bar' needs fill='next_open'; nothing of the bar is left after its close",
                field="stop_from",
            )
        has_stop = any((self.stop_loss_pct, self.stop_loss_atr, self.trailing_stop_pct, self.trailing_stop_atr))
        if self.sizing == "risk_per_stop" and not has_stop:
            raise BacktestError(
                "Execution: sizing='risk_per_stop' needs a stop; set stop_loss_pct, stop_loss_atr or a trailing stop",
                field="sizing",
            )


def _largest_size(sizing: str) -> float:
    return {"all_in": 1.0, "risk_per_stop": 1.0, "volatility_target": 10.0}.get(sizing, 1e15)
