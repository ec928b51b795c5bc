"""A report's page as PDF, by WeasyPrint (the extra ``pdf``)."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from stratopt.errors import StratoptError

VARIABLE = re.compile(r"--(\w+): (#\w+)")
USE = re.compile(r"var\(--(\w+)\)")
DRAWING = re.compile(r"(<svg [^>]*>)")
RULE = re.compile(r"\bsvg ([^{ ][^{]*\{[^}]*\})")
TEXT_RULE = "text { font-family: 'DejaVu Sans', sans-serif; font-size: 12px; fill: var(--ink); }"


def pdf_report(page: str) -> bytes:
    """The HTML of a report as an A4 document; nothing is fetched.

    Raises
    ------
    StratoptError
        ``missing_extra`` where WeasyPrint or the Pango library that it draws text with is not installed.
    """
    weasyprint = _weasyprint()
    styled = page.replace("</head>", f"<style>{_text('pdf.css')}</style></head>", 1)
    drawn = DRAWING.sub(rf"\1<style>{_drawing_style()}</style>", styled)
    made: bytes = weasyprint.HTML(string=drawn, url_fetcher=_fetch_nothing).write_pdf()
    return made


def _weasyprint() -> Any:
    try:
        import weasyprint
    except (ImportError, OSError) as error:  # OSError: the package is there, the system's Pango is not
        raise StratoptError(
            f"a report as PDF needs WeasyPrint and Pango ({error}); pip install 'stratopt[pdf]' and install your system's Pango, "
            "or take format=html and print it to a file in a browser",
            code="missing_extra",
        ) from error
    return weasyprint


def _drawing_style() -> str:
    """Rules for drawings with their colours: a page's style sheet does not reach into drawings of a PDF, nor do its variables."""
    css = _text("report.css")
    colours = dict(VARIABLE.findall(css.partition("@media")[0]))
    rules = (rule for rule in RULE.findall(css) if not rule.startswith("text {"))
    return USE.sub(lambda use: colours[use[1]], " ".join([TEXT_RULE, *rules]))


def _text(name: str) -> str:
    return (files("stratopt.reporting") / "templates" / name).read_text(encoding="utf-8")


def _fetch_nothing(url: str, *_: Any, **__: Any) -> Any:
    raise ValueError(f"a report needs nothing from outside, but asks for {url}")
