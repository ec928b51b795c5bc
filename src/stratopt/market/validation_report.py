"""What a validation found: findings with severity, as text and as a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One kind of defect: how many rows have it, what to do, and the first stamps (ISO, UTC)."""

    code: str
    severity: Severity
    count: int
    message: str
    examples: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "code": self.code,
            "severity": self.severity,
            "count": self.count,
            "message": self.message,
            "examples": list(self.examples),
        }


@dataclass(frozen=True, kw_only=True)
class ValidationReport:
    """All findings about one series, errors first."""

    symbol: str
    timeframe: str
    calendar: str
    rows: int
    first: str | None
    last: str | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that keep the series from being used."""
        return tuple(f for f in self.findings if f.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings to know about."""
        return tuple(f for f in self.findings if f.severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def by_code(self) -> Mapping[str, Finding]:
        """The findings by their code."""
        return {finding.code: finding for finding in self.findings}

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "calendar": self.calendar,
            "rows": self.rows,
            "first": self.first,
            "last": self.last,
            "ok": self.ok,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def to_text(self) -> str:
        """The report for people, one line a finding."""
        head = f"{self.symbol} {self.timeframe} ({self.calendar}): {self.rows} bars, {self.first} to {self.last}"
        lines = [
            f"{finding.severity:<8}{finding.code:<19}{finding.count:>8}  {finding.message}"
            + (f" [{', '.join(finding.examples)}]" if finding.examples else "")
            for finding in self.findings
        ]
        verdict = f"{len(self.errors)} kinds of error, {len(self.warnings)} of warning"
        return "\n".join([head, *lines, verdict if lines else "nothing found"])
