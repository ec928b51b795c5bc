"""What trading costs: fees, slippage, spread, borrowing."""

from __future__ import annotations

from dataclasses import dataclass

from stratopt.backtest.checks import check_number


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of every fill; none is zero unless said so.

    A fill's price is the market's times 1 ± (slippage + half the spread), against the trader. A side's fee is
    ``fee_bps`` of the traded value plus ``fixed_fee``, at least ``minimum_fee``.

    Parameters
    ----------
    fee_bps : float
        Fee of one side in basis points (1 bp = 0.01 %) of the traded value.
    slippage_bps, spread_bps : float
        Basis points of price; a fill pays the slippage and half of the spread.
    fixed_fee, minimum_fee : float
        Money a side.
    slip_on_stops : bool
        Whether stop, target and trailing exits, and liquidations, pay slippage and spread too.
    borrow_rate : float
        Annual rate, as a fraction, on the value of a short position or on the cash that a leveraged long borrows,
        charged by calendar time from one bar's open to the next.

    Raises
    ------
    BacktestError
        If a value is not finite, negative or above its limit.
    """

    fee_bps: float = 10.0
    slippage_bps: float = 5.0
    spread_bps: float = 0.0
    fixed_fee: float = 0.0
    minimum_fee: float = 0.0
    slip_on_stops: bool = True
    borrow_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("fee_bps", "slippage_bps", "spread_bps"):
            check_number(self, name, 0.0, 2_000.0, "basis points; 100 basis points are 1 %")
        for name in ("fixed_fee", "minimum_fee"):
            check_number(self, name, 0.0, 1e9, "money a side")
        check_number(self, "borrow_rate", 0.0, 10.0, "a fraction a year; 0.05 is 5 %")

    @classmethod
    def free(cls) -> Costs:
        """No costs at all: for comparison with other engines, not for results."""
        return cls(fee_bps=0.0, slippage_bps=0.0)
