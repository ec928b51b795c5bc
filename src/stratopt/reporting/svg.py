"""A drawing as inline SVG text: no script, no fonts, no external request; colours come from the page's style sheet."""

from __future__ import annotations

from html import escape

from markupsafe import Markup


class Drawing:
    """Shapes in a box of ``width`` by ``height`` units; every text is escaped."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self._parts = [
            f'<svg viewBox="0 0 {_n(width)} {_n(height)}" style="max-width:{_n(width)}px" role="img" aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">'
        ]

    def rect(self, x: float, y: float, width: float, height: float, style: str, *, title: str = "") -> None:
        """A filled rectangle of a CSS class, or of a colour that begins with #."""
        inside = f"<title>{escape(title)}</title>" if title else ""
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" {_style(style)}>{inside}</rect>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """A straight line."""
        self._parts.append(f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{escape(style)}"/>')

    def circle(self, x: float, y: float, radius: float, style: str, *, title: str = "") -> None:
        """A filled circle."""
        inside = f"<title>{escape(title)}</title>" if title else ""
        self._parts.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="{escape(style)}">{inside}</circle>'
        )

    def path(self, points: list[tuple[float, float]], style: str, *, base: float | None = None) -> None:
        """A line through the points, closed down to ``base`` where it is given."""
        if not points:
            return
        text = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        if base is not None:
            text += f"L{_n(points[-1][0])} {_n(base)}L{_n(points[0][0])} {_n(base)}Z"
        self._parts.append(f'<path d="{text}" class="{escape(style)}"/>')

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> None:
        """A line of text; ``anchor`` start, middle or end."""
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" class="{escape(style)}">{escape(words)}</text>'
        )

    def finish(self) -> Markup:
        """The SVG element."""
        return Markup("".join(self._parts) + "</svg>")  # noqa: S704 - every text above went through escape()


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _style(style: str) -> str:
    return f'fill="{escape(style)}"' if style.startswith("#") else f'class="{escape(style)}"'
