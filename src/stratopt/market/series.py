"""What the catalogue says about one stored series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from stratopt.market.resample import can_resample
from stratopt.market.timeframe import Calendar, Timeframe

STANDARD_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "1w", "1M")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One stored series: ``first`` and ``last`` are ISO open stamps in UTC, ``path`` is None for a bundled one."""

    symbol: str
    timeframe: Timeframe
    calendar: Calendar
    rows: int
    first: str
    last: str
    content_hash: str
    source: Literal["bundled", "user"]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = field(default=None, repr=False)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], source: Literal["bundled", "user"], path: Path | None) -> Series:
        """A series out of its file's facts."""
        return cls(
            symbol=facts["symbol"],
            timeframe=Timeframe.parse(facts["timeframe"]),
            calendar=Calendar.parse(facts["calendar"]),
            rows=facts["rows"],
            first=facts["first"],
            last=facts["last"],
            content_hash=facts["content_hash"],
            source=source,
            provenance=facts["provenance"],
            path=path,
        )

    @property
    def description(self) -> str:
        """One line for a table."""
        return str(self.provenance.get("description", ""))

    @property
    def resamples_to(self) -> list[str]:
        """The usual timeframes that can be made of this series."""
        return [text for text in STANDARD_TIMEFRAMES if can_resample(self.timeframe, Timeframe.parse(text))]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the path, ready for JSON."""
        return {
            "symbol": self.symbol,
            "timeframe": str(self.timeframe),
            "calendar": str(self.calendar),
            "rows": self.rows,
            "first": self.first,
            "last": self.last,
            "content_hash": self.content_hash,
            "source": self.source,
            "description": self.description,
            "resamples_to": self.resamples_to,
            "provenance": dict(self.provenance),
        }
