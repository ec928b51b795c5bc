"""ResultVisualizer: a report as text, Markdown, HTML, PDF, CSV or JSON, whole or by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from stratopt.errors import StratoptError
from stratopt.optimization.batch_report import BatchAnalysisReport
from stratopt.reporting import numbers
from stratopt.reporting.csv_report import report_csv
from stratopt.reporting.document import Section
from stratopt.reporting.pdf_report import pdf_report
from stratopt.reporting.plain_text import as_markdown, as_text
from stratopt.reporting.sections import all_sections, errors, executive_summary, leaderboard

SECTIONS: Mapping[str, Callable[[BatchAnalysisReport], Sequence[Section]]] = {
    "all": all_sections,
    "executive_summary": lambda report: [executive_summary(report)],
    "leaderboard": lambda report: [leaderboard(report)],
    "detailed": lambda report: [s for s in all_sections(report) if s.name != "executive_summary"],
    "errors": lambda report: [errors(report)],
}
"""What ``section`` may be: the whole report or a part of it."""

KEYS_OF_SECTION: Mapping[str, tuple[str, ...]] = {
    "executive_summary": ("executive_summary", "recommendations", "verdicts", "categories", "evidence"),
    "leaderboard": ("ranking",),
    "errors": ("failures", "errors_by_code", "errors_by_strategy", "success_rate"),
}
PIECES_AT_ONCE = 500
IDENTITY = ("batch_id", "label", "status", "complete", "counts", "created_at", "ended_at", "seed")


class ResultVisualizer:
    """Renders a BatchAnalysisReport; every text of a client is escaped for its format."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("stratopt.reporting"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def json(self, report: BatchAnalysisReport, section: str = "all") -> bytes:
        """The report as a JSON document (schema: docs/reference/batch-report.schema.json), or the keys of one section."""
        _sections(report, section)
        document = report.to_dict()
        if section in KEYS_OF_SECTION:
            document = {key: document[key] for key in (*IDENTITY, *KEYS_OF_SECTION[section])}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)

    def csv(self, report: BatchAnalysisReport) -> str:
        """Ranking and failures, one line a job."""
        return report_csv(report)

    def markdown(self, report: BatchAnalysisReport, section: str = "all") -> str:
        """Headings and tables."""
        return as_markdown(f"Batch {report.label or report.batch_id}", _sections(report, section))

    def text(self, report: BatchAnalysisReport, section: str = "all") -> str:
        """The same for a terminal without colours."""
        return as_text(_sections(report, section))

    def html(self, report: BatchAnalysisReport, section: str = "all") -> str:
        """One self-contained page: no script, no external request."""
        return "".join(self.html_parts(report, section))

    def pdf(self, report: BatchAnalysisReport, section: str = "all") -> bytes:
        """The page as an A4 document. StratoptError ``missing_extra`` without the extra ``pdf``."""
        return pdf_report(self.html(report, section))

    def html_parts(self, report: BatchAnalysisReport, section: str = "all") -> Iterator[str]:
        """The page in pieces, for streams."""
        stream = self._templates.get_template("report.html").stream(
            report=report,
            sections=_sections(report, section),
            created=numbers.moment(report.created_at),
            tiles=_tiles(report),
            verdicts=numbers.VERDICTS,
        )
        stream.enable_buffering(PIECES_AT_ONCE)
        yield from stream


def _sections(report: BatchAnalysisReport, section: str) -> Sequence[Section]:
    if section not in SECTIONS:
        raise StratoptError(
            f"a report has no section {section!r}; take one of {', '.join(SECTIONS)}", code="unknown_section"
        )
    return SECTIONS[section](report)


def _tiles(report: BatchAnalysisReport) -> list[tuple[str, str]]:
    """The numbers at the top of the page."""
    tiles = [("strategies ranked", str(len(report.ranking)))]
    if report.ranking:
        tiles.append(("likely real", str(report.verdicts["likely_real"])))
    if report.failures:
        tiles.append(("not succeeded", str(len(report.failures))))
    tiles.append(("parameter sets tried", numbers.count(report.evaluations)))
    evidence = report.evidence
    if evidence is not None:
        spa, pbo = evidence["spa"], evidence["pbo"]
        tiles += [
            ("out-of-sample years", numbers.ratio(evidence["out_of_sample_years"])),
            ("Sharpe ratio noticed in 80 %", numbers.ratio(evidence["sharpe_needed"])),
            ("SPA p over all trials", numbers.probability(None if spa is None else spa["consistent"])),
            ("overfitting (PBO)", numbers.ratio(None if pbo is None else pbo["pbo"])),
        ]
    return tiles
