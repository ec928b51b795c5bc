"""Reports in every format, of every kind of batch."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from stratopt.errors import StratoptError
from stratopt.optimization.job_spec import SearchConfig
from stratopt.optimization.jobs import BatchState, JobId, JobState
from stratopt.optimization.result_aggregator import ResultAggregator
from stratopt.reporting import pdf_report
from stratopt.reporting.result_visualizer import SECTIONS, ResultVisualizer
from stratopt.reporting.schema import report_schema

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "batch-report.schema.json"
HOSTILE = '=cmd()|<script>alert("x")</script>'


def report_of(world, jobs, store, state=BatchState.COMPLETED, **more):
    return ResultAggregator().aggregate(world.batch_of(jobs, state, **more), jobs, store)


@pytest.fixture(scope="module")
def reports(world, finished):
    """One report of each kind."""
    jobs, store = finished
    cancelled = [
        *jobs[:2],
        *(world.failed_job(k, state=JobState.CANCELLED, code="cancelled", message="cancelled") for k in (2, 3)),
    ]
    many = [
        replace(jobs[k % 4], job_id=JobId(f"job_{k}"), index=k, spec=replace(jobs[k % 4].spec, strategy_id=f"S{k}"))
        for k in range(200)
    ]
    longer = [
        replace(world.spec_of(n), search=SearchConfig(max_evals=60, algorithm="tpe")) for n in ("RSI", "Donchian")
    ]
    return {
        "empty": report_of(world, [], store),
        "all_failed": report_of(world, [world.failed_job(k) for k in range(3)], store, BatchState.FAILED),
        "one": report_of(world, jobs[:1], store),
        "cancelled": report_of(world, cancelled, store, BatchState.CANCELLED),
        "mixed": report_of(world, [*jobs, world.failed_job(4, HOSTILE, message=HOSTILE)], store, label=HOSTILE),
        "many": report_of(world, many, store),
        "learned": report_of(world, [world.finished_job(k, spec, store) for k, spec in enumerate(longer)], store),
    }


KINDS = ["empty", "all_failed", "one", "cancelled", "mixed", "many", "learned"]


class Checker(HTMLParser):
    """Counts open elements and collects what would need the network or run."""

    VOID = ("meta", "br", "link", "input", "img")

    def __init__(self):
        super().__init__()
        self.open, self.bad = [], []

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "iframe", "link", "object"}:
            self.bad.append(tag)
        self.bad += [value for name, value in attrs if name in {"src", "href", "srcset"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_well_formed_and_need_no_network(reports, kind):
    """No script, no link, every element closed, every number drawn finite."""
    page = ResultVisualizer().html(reports[kind])
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.bad == []
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S).lower().replace("finance", "").split()
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_and_section_says_something(reports, kind):
    """Text, Markdown, HTML and JSON, whole and in parts."""
    visualizer = ResultVisualizer()
    for section in SECTIONS:
        for render in (visualizer.text, visualizer.markdown, visualizer.html, visualizer.json):
            assert len(render(reports[kind], section)) > 10


@pytest.mark.parametrize("kind", KINDS)
def test_json_follows_the_committed_schema(reports, kind):
    """The schema in the documentation is that of the code, and every report keeps to it."""
    schema = json.loads(SCHEMA.read_text())
    assert schema == report_schema()
    jsonschema.validate(json.loads(ResultVisualizer().json(reports[kind])), schema)


def test_a_table_has_one_line_a_job_and_no_formulas(reports):
    """Cells that a spreadsheet would run get an apostrophe; the hostile name stays readable."""
    rows = list(csv.DictReader(io.StringIO(ResultVisualizer().csv(reports["mixed"]))))
    assert len(rows) == 5
    assert rows[-1]["strategy_id"] == f"'{HOSTILE}"
    assert [row["verdict"] != "" for row in rows] == [True] * 4 + [False]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


def test_hostile_names_are_text_everywhere(reports):
    """Nothing of a client is markup."""
    visualizer = ResultVisualizer()
    assert "<script" not in visualizer.html(reports["mixed"])
    assert "<script" not in visualizer.markdown(reports["mixed"]).replace("\\<script", "")


def test_what_the_batch_would_notice_is_told_as_power_and_not_as_a_condition(reports):
    """The ratio that is noticed in 80 % of cases decides no verdict; nothing may say that it was needed."""
    html = ResultVisualizer().html(reports["mixed"])
    told = reports["mixed"].evidence["sharpe_needed"]
    assert f"noticed in 80 % of cases: {told:.2f}" in html
    assert "Sharpe ratio noticed in 80 % of cases" in html
    assert "no condition of the verdict" in html
    assert "ratio needed" not in html
    assert "from luck:" not in html


def test_pictures_are_labelled(reports):
    """Equity with its tested part, drawdown, months, parameters, distribution, correlation."""
    page = ResultVisualizer().html(reports["mixed"])
    for label in (
        "Wealth over time, out-of-sample bars shaded",
        "Out-of-sample drawdown",
        "Out-of-sample return by month",
        "Score over",
        "Distribution of",
        "Correlation of out-of-sample returns",
    ):
        assert f'aria-label="{label}' in page
    assert 'class="tested"' in page


def test_two_hundred_strategies_take_two_seconds_and_five_megabytes(finished, reports):
    """Rendering after the statistics are known."""
    began = time.perf_counter()
    page = ResultVisualizer().html(reports["many"])
    assert time.perf_counter() - began < 2.0
    assert len(page.encode()) < 5_000_000
    assert page.count("<tr>") > 600


def test_an_unknown_section_is_refused(reports):
    """With the sections there are."""
    with pytest.raises(StratoptError, match="executive_summary"):
        ResultVisualizer().html(reports["one"], "gossip")


def test_empty_and_failed_batches_say_what_happened(reports):
    """In the executive summary."""
    visualizer = ResultVisualizer()
    assert "nothing to rank" in visualizer.text(reports["empty"])
    assert "strategy_error" in visualizer.text(reports["all_failed"])
    assert "2 of 4 optimisations succeeded, 2 did not" in visualizer.text(reports["cancelled"])


def test_further_tests_stand_in_every_detailed_report(reports):
    """Random entries, permutation and combinatorial paths: value, error and meaning, in HTML, text and Markdown."""
    visualizer, report = ResultVisualizer(), reports["mixed"]
    texts = (visualizer.text(report, "detailed"), visualizer.markdown(report, "detailed"), visualizer.html(report))
    for text in texts:
        for said in (
            "Random entries, p",
            "Bar permutation, p",
            "Sharpe ratio, combinatorial paths",
            "a spread, not a simulation",
        ):
            assert text.count(said) == len(report.ranking)


def test_what_the_search_learned_is_drawn_and_told(reports):
    """Convergence and importance: two pictures a strategy in the page, a table in text and Markdown, with the numbers of the result."""
    visualizer, report = ResultVisualizer(), reports["learned"]
    page, text = visualizer.html(report), visualizer.text(report, "detailed")
    assert page.count("Best score so far over the evaluations of the last search") == len(report.details)
    assert page.count('aria-label="Importance of the parameters"') == len(report.details)
    for detail, row in zip(report.details, report.ranking, strict=True):
        best = detail.search["convergence"][-1]
        assert best["score"] == pytest.approx(row.in_sample["sharpe_ratio"])
        for name, share in detail.search["parameter_importance"].items():
            assert re.search(rf"Importance of {name} +{share:.0%}  of what moved the score", text)
    assert "| Found at evaluation |" in visualizer.markdown(report, "detailed")


def test_a_short_search_says_that_it_learned_no_importance(reports):
    """Twelve evaluations are too few to tell parameters apart."""
    text = ResultVisualizer().text(reports["one"], "detailed")
    assert re.search(r"Parameter importance +n/a  fewer than 20 evaluations", text)


@pytest.mark.usefixtures("pango")
def test_a_report_becomes_a_document_with_drawn_colours(reports):
    """A PDF; its drawings have the colours of the page, for which they need no style sheet."""
    document = ResultVisualizer().pdf(reports["mixed"])
    assert document.startswith(b"%PDF-")
    assert document.rstrip().endswith(b"%%EOF")
    page = ResultVisualizer().html(reports["one"], "leaderboard")
    style = pdf_report._drawing_style()
    assert "var(" not in style
    assert ".likely_luck { stroke: #b2182b; }" in style
    assert len(pdf_report.pdf_report(page)) < len(document)


def test_a_document_fetches_nothing():
    """A picture from outside is left out, not loaded."""
    with pytest.raises(ValueError, match="needs nothing from outside"):
        pdf_report._fetch_nothing("https://example.org/x.png")


def test_without_the_extra_the_way_out_is_told(reports, monkeypatch):
    """The package that draws PDF is optional."""
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(StratoptError, match=r"stratopt\[pdf\]") as caught:
        ResultVisualizer().pdf(reports["one"])
    assert caught.value.code == "missing_extra"
