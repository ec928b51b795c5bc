"""What is wrong or suspicious about a series: a report, never a change.

=====================  ========  ====================================================================================
finding                severity  meaning
=====================  ========  ====================================================================================
order                  error     stamps do not increase
duplicates             error     two rows have the same stamp
missing_values         error     a price or volume is missing or infinite
nonpositive_prices     error     a price is zero or negative
negative_volume        error     a volume is negative
ohlc_bounds            error     open or close lies outside of low and high
gaps                   warning   the calendar expects bars that are not there
off_grid               warning   stamps that are no multiple of the timeframe, as an unfinished last bar has
flat_bars              warning   open, high, low and close are one price
zero_volume            warning   bars without volume, in a series that has volume
constant_volume        warning   the volume never changes: strategies on volume refuse the series
repeated_bars          warning   a run of at least three bars occurs twice with the same prices and volumes
jumps                  warning   a close moves by more than ``jump_sigma`` robust standard deviations
suspected_splits       warning   an open is a simple fraction or multiple of the previous close: not adjusted for a split?
partial_last           warning   the last bar has a fraction of the usual volume, or has not closed yet
=====================  ========  ====================================================================================

Errors keep a series from being imported; ``market.repair`` lists what may be chosen against them.
"""

from __future__ import annotations

from stratopt.market.bars import Bars
from stratopt.market.defects import errors, warnings
from stratopt.market.raw_series import RawSeries
from stratopt.market.stamps import iso
from stratopt.market.validation_report import Finding, ValidationReport

__all__ = ["Finding", "ValidationReport", "validate"]


def validate(series: Bars | RawSeries, *, jump_sigma: float = 12.0, now_ms: int | None = None) -> ValidationReport:
    """Look at every rule of the table above.

    Parameters
    ----------
    jump_sigma : float
        How many robust standard deviations (1.4826 times the median absolute deviation of log returns) make a jump.
    now_ms : int, optional
        The present as UTC milliseconds; with it a last bar that has not closed is found for certain.
    """
    raw = RawSeries.from_bars(series) if isinstance(series, Bars) else series
    findings = [*errors(raw), *warnings(raw, jump_sigma, now_ms)]
    stamps = raw.open_time
    return ValidationReport(
        symbol=raw.symbol,
        timeframe=str(raw.timeframe),
        calendar=str(raw.calendar),
        rows=len(raw),
        first=iso(int(stamps.min())) if len(raw) else None,
        last=iso(int(stamps.max())) if len(raw) else None,
        findings=tuple(findings),
    )
