"""The one door for foreign series: repair what was chosen, validate, refuse errors, say what was done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from stratopt.errors import MarketDataError
from stratopt.market.bars import Bars
from stratopt.market.raw_series import RawSeries
from stratopt.market.repair import repair
from stratopt.market.validation import ValidationReport, validate


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An accepted series: the bars, the report about them, what was repaired, and the provenance to store with them."""

    bars: Bars
    report: ValidationReport
    repaired: tuple[str, ...]
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: the report, the repairs and the provenance."""
        return {"report": self.report.to_dict(), "repaired": list(self.repaired), "provenance": self.provenance}


def accept(
    raw: RawSeries, facts: Mapping[str, Any], *, repairs: Collection[str] = (), now_ms: int | None = None
) -> Imported:
    """``raw`` as bars.

    ``facts`` say where it is from (``description`` becomes the bars' origin) and are stored with what was repaired and the
    codes of the warnings.

    Raises
    ------
    MarketDataError
        ``invalid_bars`` when errors remain after the chosen repairs, the report in its context; ``unknown_repair``;
        ``empty_range`` when no row is left.
    """
    raw, repaired = repair(raw, repairs)
    report = validate(raw, now_ms=now_ms)
    if not report.ok:
        first, others = report.errors[0], len(report.errors) - 1
        raise MarketDataError(
            f"{raw.symbol} was not accepted: {first.code} ({first.count} rows): {first.message}"
            + (f"; and {others} further kinds of error" if others else ""),
            code="invalid_bars",
            symbol=raw.symbol,
            report=report.to_dict(),
        )
    if not len(raw):
        raise MarketDataError(f"{raw.symbol}: no bars are left to store", code="empty_range", symbol=raw.symbol)
    provenance = {**facts, "repaired": repaired, "warnings": [finding.code for finding in report.warnings]}
    bars = raw.to_bars(str(facts.get("description", "")))
    return Imported(bars=bars, report=report, repaired=tuple(repaired), provenance=provenance)
