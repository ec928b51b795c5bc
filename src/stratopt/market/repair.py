"""What may be done to a defective series, each only when chosen by name and each reported.

=================  ==============================================================================================
repair             what it does
=================  ==============================================================================================
sort               rows in the order of their stamps
drop_duplicates    of rows with one stamp the last one stays
drop_missing       rows with a missing price or volume go
round_bounds       high and low move to hold open and close, where these lie outside by at most 1e-9 of the price
drop_last          the last bar goes
=================  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.market.raw_series import RawSeries

ROUNDING = 1e-9


def repair(raw: RawSeries, chosen: Collection[str]) -> tuple[RawSeries, list[str]]:
    """``raw`` after the chosen repairs, in the order of the table, and a sentence about each that changed something."""
    unknown = sorted(set(chosen) - set(REPAIRS))
    if unknown:
        raise MarketDataError(
            f"unknown repair {unknown[0]!r}; known: {', '.join(REPAIRS)}", code="unknown_repair", repair=unknown[0]
        )
    done = []
    for name, act in REPAIRS.items():
        if name in chosen:
            raw, changed = act(raw)
            if changed:
                done.append(f"{name}: {changed} rows")
    return raw, done


def _sort(raw: RawSeries) -> tuple[RawSeries, int]:
    order = np.argsort(raw.open_time, kind="stable")
    return raw.take(order), int(np.count_nonzero(order != np.arange(len(raw))))


def _drop_duplicates(raw: RawSeries) -> tuple[RawSeries, int]:
    last = len(raw) - 1 - np.unique(raw.open_time[::-1], return_index=True)[1]
    return raw.take(np.sort(last)), len(raw) - last.size


def _drop_missing(raw: RawSeries) -> tuple[RawSeries, int]:
    complete = np.isfinite(raw.columns).all(axis=0)
    return raw.take(complete), int(np.count_nonzero(~complete))


def _round_bounds(raw: RawSeries) -> tuple[RawSeries, int]:
    open_, high, low, close, volume = raw.columns
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    with np.errstate(invalid="ignore"):
        excess = np.maximum(top - high, low - bottom)
        rounded = (excess > 0) & (excess <= ROUNDING * close)
    columns = np.vstack(
        [
            open_,
            np.where(rounded, np.maximum(high, top), high),
            np.where(rounded, np.minimum(low, bottom), low),
            close,
            volume,
        ]
    )
    return replace(raw, columns=columns), int(np.count_nonzero(rounded))


def _drop_last(raw: RawSeries) -> tuple[RawSeries, int]:
    if not len(raw):
        return raw, 0
    keep = np.ones(len(raw), dtype=np.bool_)
    keep[int(np.argmax(raw.open_time))] = False
    return raw.take(keep), 1


REPAIRS: dict[str, Callable[[RawSeries], tuple[RawSeries, int]]] = {
    "sort": _sort,
    "drop_duplicates": _drop_duplicates,
    "drop_missing": _drop_missing,
    "round_bounds": _round_bounds,
    "drop_last": _drop_last,
}
