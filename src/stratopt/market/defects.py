"""The checks behind ``validation.validate``: each returns one finding or none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from stratopt.kernels.arrays import AnyArray, BoolArray1D, Float64Array2D, Int64Array1D
from stratopt.market.gaps import find_gaps
from stratopt.market.raw_series import RawSeries
from stratopt.market.resample import bin_end_ms
from stratopt.market.stamps import iso
from stratopt.market.timeframe import DAY
from stratopt.market.validation_report import Finding, Severity

_EXAMPLES = 5
_SPLIT_RATIOS = np.array([3 / 2, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100])
_SPLIT_TOLERANCE = 0.03
_REPEATED_RUN = 3
_PARTIAL_VOLUME_SHARE = 0.25
_VOLUME_WINDOW = 20
_CUT_STAMPS_CONFLICTS = 0.9
_CUT_STAMPS_SHARE = 0.25
"""Of the doubled rows those with other values, and of all rows the doubled ones, when stamps look cut."""


def errors(raw: RawSeries) -> list[Finding]:
    """What breaks a rule of ``Bars``."""
    return [finding for finding in _errors(raw) if finding.count]


def warnings(raw: RawSeries, jump_sigma: float, now_ms: int | None) -> list[Finding]:
    """What may be true and is worth knowing; looked at in the order of the stamps, without doubled and broken rows."""
    unique = np.unique(raw.open_time, return_index=True)[1]
    clean = raw.take(unique)
    clean = clean.take(np.isfinite(clean.columns).all(axis=0) & (clean.columns[:4] > 0).all(axis=0))
    if not len(clean):
        return []
    found = [_gap_finding(raw.take(unique)), *_warnings(clean, jump_sigma, now_ms)]
    return [finding for finding in found if finding.count]


def _errors(raw: RawSeries) -> Iterator[Finding]:
    stamps, (open_, high, low, close, volume) = raw.open_time, raw.columns
    steps = np.diff(stamps)
    if steps.size and (steps < 0).all():
        yield _finding("order", "error", stamps[1:], steps < 0, "rows are in reverse order; choose the repair sort")
    else:
        yield _finding("order", "error", stamps[1:], steps < 0, "stamps go back; choose the repair sort")
    ordered = np.sort(stamps)
    doubled = np.diff(ordered) == 0
    yield _finding("duplicates", "error", ordered[1:], doubled, _about_duplicates(raw, int(np.count_nonzero(doubled))))
    missing = ~np.isfinite(raw.columns).all(axis=0)
    yield _finding(
        "missing_values", "error", stamps, missing, "a price or volume is missing; choose the repair drop_missing"
    )
    with np.errstate(invalid="ignore"):
        nonpositive = (raw.columns[:4] <= 0).any(axis=0)
        outside = (high < np.maximum(open_, close)) | (low > np.minimum(open_, close))
        negative = volume < 0
    yield _finding(
        "nonpositive_prices", "error", stamps, nonpositive, "a price is zero or negative; cut the rows from the file"
    )
    yield _finding("negative_volume", "error", stamps, negative, "a volume is negative; cut the rows from the file")
    excess = np.maximum(np.maximum(open_, close) - high, low - np.minimum(open_, close))[outside] / close[outside]
    by = f" by up to {np.nanmax(excess):.1e} of the price" if outside.any() else ""
    advice = "choose the repair round_bounds if that is rounding, else ask the source"
    yield _finding("ohlc_bounds", "error", stamps, outside, f"open or close lies outside of low and high{by}; {advice}")


def _warnings(raw: RawSeries, jump_sigma: float, now_ms: int | None) -> Iterator[Finding]:
    stamps, (open_, high, low, close, volume) = raw.open_time, raw.columns
    if raw.timeframe.seconds < DAY:
        off = stamps % (raw.timeframe.seconds * 1000) != np.median(stamps % (raw.timeframe.seconds * 1000))
        yield _finding("off_grid", "warning", stamps, off, f"stamps lie off the {raw.timeframe} grid of the others")
    flat = (high == low) & (open_ == close)
    yield _finding(
        "flat_bars",
        "warning",
        stamps,
        flat,
        f"open, high, low and close are one price, {_longest_run(flat)} bars in a row at most",
    )
    constant = len(raw) > 1 and bool((volume == volume[0]).all())
    if constant:
        message = f"the volume is {volume[0]:g} everywhere: strategies on volume refuse the series"
        yield Finding(code="constant_volume", severity="warning", count=len(raw), message=message)
    else:
        zero = volume == 0
        yield _finding("zero_volume", "warning", stamps, zero, f"no volume, {_longest_run(zero)} bars in a row at most")
        yield _finding(
            "repeated_bars", "warning", stamps, _repeated(raw), "a run of bars repeats an earlier one exactly"
        )
    returns = np.diff(np.log(close))
    scale = 1.4826 * float(np.median(np.abs(returns - np.median(returns)))) if returns.size else 0.0
    jumps = np.abs(returns) > jump_sigma * scale if scale > 0 else np.zeros(returns.shape, dtype=np.bool_)
    splits = _near_split(open_[1:] / close[:-1]) & (np.abs(np.log(open_[1:] / close[:-1])) > 6 * scale)
    advice = "opens at a simple fraction or multiple of the previous close; use prices adjusted for splits"
    yield _finding("suspected_splits", "warning", stamps[1:], splits, advice)
    yield _finding(
        "jumps", "warning", stamps[1:], jumps, f"a close moves by more than {jump_sigma:g} robust standard deviations"
    )
    yield _partial_last(raw, now_ms)


def _finding(code: str, severity: Severity, stamps: Int64Array1D, rows: Any, message: str) -> Finding:
    examples = tuple(iso(int(stamp)) for stamp in stamps[rows][:_EXAMPLES])
    return Finding(code=code, severity=severity, count=int(np.count_nonzero(rows)), message=message, examples=examples)


def _about_duplicates(raw: RawSeries, doubled: int) -> str:
    """What to do about rows that share a stamp: to drop them is no repair where they are other bars."""
    conflicts = _conflicts(raw)
    said = f"rows share a stamp, {conflicts} of them with other values"
    if conflicts >= _CUT_STAMPS_CONFLICTS * doubled and doubled >= _CUT_STAMPS_SHARE * len(raw):
        return (
            f"{said}: the stamps look cut, as dates without their times. Is there a column of times that was not read? "
            "Call it time, beside date, or put both into one column called datetime"
        )
    return f"{said}; choose the repair drop_duplicates (keeps the last)"


def _conflicts(raw: RawSeries) -> int:
    """Rows that share a stamp with their predecessor in time but not its values."""
    order = np.argsort(raw.open_time, kind="stable")
    doubled = np.diff(raw.open_time[order]) == 0
    same = (np.diff(raw.columns[:, order], axis=1) == 0).all(axis=0)
    return int(np.count_nonzero(doubled & ~same))


def _gap_finding(raw: RawSeries) -> Finding:
    gaps = find_gaps(raw.open_time, raw.timeframe, raw.calendar)
    longest = max(gaps, key=lambda gap: gap.bars, default=None)
    message = f"bars missing in {len(gaps)} gaps"
    if longest is not None:
        message += f", the longest of {longest.bars} after {iso(longest.after)}"
    examples = tuple(f"{gap.bars} after {iso(gap.after)}" for gap in gaps[:_EXAMPLES])
    missing = sum(gap.bars for gap in gaps)
    return Finding(code="gaps", severity="warning", count=missing, message=message, examples=examples)


def _longest_run(rows: AnyArray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def _repeated(raw: RawSeries) -> BoolArray1D:
    """Bars that belong to a run of at least three which occurred before, values and all; flat bars do not count."""
    marked = np.zeros(len(raw), dtype=np.bool_)
    if len(raw) <= _REPEATED_RUN:
        return marked
    starts = np.arange(len(raw) - _REPEATED_RUN + 1)
    key = _fingerprint(raw.columns, _REPEATED_RUN)
    _, first, label = np.unique(key, return_index=True, return_inverse=True)
    earlier = first[label]
    flat = raw.columns[1] == raw.columns[2]
    candidates = starts[earlier < starts]
    for offset in range(_REPEATED_RUN):  # equal fingerprints are only likely to be equal bars
        one, other = candidates + offset, earlier[candidates] + offset
        candidates = candidates[(raw.columns[:, one] == raw.columns[:, other]).all(axis=0) & ~flat[one]]
    for offset in range(_REPEATED_RUN):
        marked[candidates + offset] = True
    return marked


def _fingerprint(columns: Float64Array2D, length: int) -> AnyArray:
    """A 64-bit number for each run of ``length`` bars; equal runs have equal numbers."""
    odd = np.random.Generator(np.random.PCG64(0)).integers(
        1, 2**63, (length, len(columns)), dtype=np.uint64
    ) | np.uint64(1)
    bits = np.ascontiguousarray(columns).view(np.uint64)
    bits = bits ^ (bits >> np.uint64(29))  # prices end in zero bits, which a product alone would keep
    count = columns.shape[1] - length + 1
    key = np.zeros(count, dtype=np.uint64)
    for offset in range(length):
        for row in range(len(columns)):
            key += bits[row, offset : offset + count] * odd[offset, row]
    return key


def _near_split(ratio: AnyArray) -> AnyArray:
    candidates = np.concatenate([_SPLIT_RATIOS, 1 / _SPLIT_RATIOS])
    return (np.abs(ratio[:, None] / candidates - 1) < _SPLIT_TOLERANCE).any(axis=1)


def _partial_last(raw: RawSeries, now_ms: int | None) -> Finding:
    """The last bar, when it is still open at ``now_ms`` or has under a quarter of the usual volume."""
    last, volume = int(raw.open_time[-1]), raw.columns[4]
    usual = float(np.median(volume[-1 - _VOLUME_WINDOW : -1])) if len(raw) > _VOLUME_WINDOW else 0.0
    still_open = now_ms is not None and bin_end_ms(last, raw.timeframe) > now_ms
    thin = usual > 0 and volume[-1] < _PARTIAL_VOLUME_SHARE * usual
    message = (
        "the last bar has not closed" if still_open else f"the last bar has {volume[-1]:g} of {usual:g} usual volume"
    )
    examples = (iso(last),)
    count = int(still_open or thin)
    advice = "it may be unfinished; choose the repair drop_last"
    return Finding(
        code="partial_last", severity="warning", count=count, message=f"{message}: {advice}", examples=examples
    )
