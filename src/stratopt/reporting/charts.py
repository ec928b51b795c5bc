"""Pictures as inline SVG: no script, no fonts, no external request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from markupsafe import Markup

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
"""Told apart with every common form of colour blindness (Okabe and Ito)."""


def bar_chart(labels: Sequence[str], series: Mapping[str, Sequence[float | None]], *, unit: str) -> Markup:
    """Horizontal bars, one group a label, one bar a series; missing values are written as n/a."""
    if not labels:
        return Markup("")
    values = [v for vs in series.values() for v in vs if v is not None]
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0
    left, width, bar, gap = 300, 560, 12, 10
    group = bar * len(series) + gap
    height = group * len(labels) + 60

    def x(value: float) -> float:
        return left + (value - low) / span * width

    parts = [
        f'<svg viewBox="0 0 {left + width + 80} {height}" role="img" aria-label="{escape(unit)}" xmlns="http://www.w3.org/2000/svg">'
    ]
    for k, name in enumerate(series):
        parts.append(
            f'<rect x="{left + k * 140}" y="8" width="12" height="12" fill="{COLOURS[k]}"/><text x="{left + 18 + k * 140}" y="18">{escape(name)}</text>'
        )
    for row, label in enumerate(labels):
        top = 34 + row * group
        parts.append(f'<text x="{left - 10}" y="{top + group / 2}" text-anchor="end">{escape(label[:44])}</text>')
        for k, name in enumerate(series):
            value, y = series[name][row], top + k * bar
            if value is None:
                parts.append(f'<text x="{x(0) + 4:.1f}" y="{y + bar - 2}">n/a</text>')
                continue
            start, end = sorted((x(0), x(value)))
            at = end + 4 if value >= 0 else max(end, x(0)) + 4
            parts.append(
                f'<rect x="{start:.1f}" y="{y}" width="{max(end - start, 0.5):.1f}" height="{bar - 1}" fill="{COLOURS[k]}"/>'
            )
            parts.append(f'<text x="{at:.1f}" y="{y + bar - 2}" class="value">{value:.2f}</text>')
    parts.append(f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="28" y2="{height - 24}" stroke="currentColor"/>')
    parts.append(f'<text x="{left}" y="{height - 8}">{escape(unit)}</text></svg>')
    return Markup("".join(parts))  # noqa: S704 - every text above went through escape()
