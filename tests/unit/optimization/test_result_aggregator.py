"""From finished jobs to a report."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from stratopt.evaluation.verdict import Verdict
from stratopt.optimization.advice import recommendations
from stratopt.optimization.batch_statistics import batch_statistics
from stratopt.optimization.jobs import BatchState, JobState
from stratopt.optimization.result_aggregator import ResultAggregator, Thresholds


@pytest.fixture(scope="module")
def report(world, finished):
    jobs, store = finished
    return ResultAggregator().aggregate(world.batch_of(jobs), jobs, store)


def test_the_same_jobs_give_the_same_bytes(world, finished, report):
    """The report is a function of jobs and tables."""
    jobs, store = finished
    again = ResultAggregator().aggregate(world.batch_of(jobs), jobs, store)
    assert orjson.dumps(report.to_dict()) == orjson.dumps(again.to_dict())


def test_the_ranking_goes_by_verdict_and_then_by_out_of_sample_sharpe(report):
    """Never by what was maximised."""
    order = ["likely_real", "unproven", "likely_luck"]
    keys = [(order.index(r.verdict), -r.out_of_sample["sharpe_ratio"]) for r in report.ranking]
    assert keys == sorted(keys)
    assert sum(report.verdicts.values()) == len(report.ranking) == 4
    assert all(r.verdict_reasons for r in report.ranking)


def test_verdicts_are_charged_for_every_trial_of_the_batch(finished, report):
    """N counts the searches of all folds of all strategies, and the last searches are in the matrix."""
    jobs, _ = finished
    trials = sum(job.result["search"]["evaluations"] for job in jobs)
    assert report.evidence["trials"] == trials == 4 * 3 * 12
    assert report.evidence["trials_in_matrix"] == 4 * (12 + 12)
    assert report.evidence["strategies"] == 4
    assert report.evidence["buckets"] <= 512
    assert 0 < report.evidence["spa"]["consistent"] <= 1
    assert report.evidence["headline"]["raw"] > report.evidence["headline"]["if_none_is_real"]


def test_partial_failures_leave_the_rest_intact(world, finished, report):
    """A failed neighbour changes no verdict, no rank and no statistic."""
    jobs, store = finished
    mixed = [
        *jobs,
        world.failed_job(4),
        world.failed_job(5, "Slow", state=JobState.TIMED_OUT, code="timeout", message="too slow"),
    ]
    found = ResultAggregator().aggregate(world.batch_of(mixed), mixed, store)
    assert [r.job_id for r in found.ranking] == [r.job_id for r in report.ranking]
    assert found.evidence == report.evidence
    assert found.errors_by_code == {"strategy_error": 1, "timeout": 1}
    assert found.errors_by_strategy == {"Broken": 1, "Slow": 1}
    assert found.success_rate == pytest.approx(4 / 6)
    assert any("timeout" in r.advice for r in found.recommendations)


def test_every_recommendation_names_a_number(report):
    """Advice without a reason is none."""
    assert report.recommendations
    assert all(any(c.isdigit() for c in r.because) for r in report.recommendations)


def test_what_is_too_good_to_be_true_is_told_first(report):
    """No test of luck finds a strategy that knows the future."""
    first, *others = report.ranking
    wonder = replace(first, out_of_sample={**first.out_of_sample, "sharpe_ratio": 9.78})
    told = recommendations([wonder, *others], [], report.evidence, report.correlation)[0]
    assert first.strategy_id in told.advice
    assert "9.78 out of sample is too good to be true" in told.because
    honest = recommendations(report.ranking, [], report.evidence, report.correlation)
    assert not any("too good" in r.because for r in honest)


def test_the_best_of_a_bad_batch_is_not_excellent():
    """Both limits count: the ratio and the place in the batch."""
    limits = Thresholds()
    assert limits.category(0.3, 100.0) == "poor"
    assert limits.category(1.6, 100.0) == "excellent"
    assert limits.category(1.6, 50.0) == "good"
    assert limits.category(None, 100.0) == "poor"
    assert limits.category(1.6, 100.0, Verdict.UNPROVEN) == "good"
    assert limits.category(1.6, 100.0, Verdict.LIKELY_LUCK) == "average"
    assert Thresholds(excellent=0.2).category(0.3, 100.0) == "excellent"


@pytest.mark.parametrize("state", [BatchState.QUEUED, BatchState.CANCELLED])
def test_a_batch_without_results_has_a_report(world, state):
    """Empty and cancelled batches say so and invent nothing."""
    jobs = [world.failed_job(k, state=JobState.CANCELLED, code="cancelled", message="cancelled") for k in range(3)]
    shown = jobs if state is BatchState.CANCELLED else []
    report = ResultAggregator().aggregate(world.batch_of(shown, state), shown)
    assert report.ranking == []
    assert report.evidence is None
    assert report.statistics["sharpe_ratio"]["mean"] is None
    assert "nothing to rank" in report.executive_summary[1]


def test_efficiency_adds_up(finished, report):
    """Times of workers over the wall time of the batch."""
    e = report.efficiency
    assert e["wall_seconds"] == 4.0
    assert e["worker_seconds"] == 6.0
    assert e["parallel_speedup"] == 1.5
    assert e["evaluations_per_second"] == report.evaluations / 4.0
    assert e["peak_memory_bytes"] == 2**27


def test_efficiency_counts_what_attempts_that_were_cut_short_used(world, finished):
    """The batch has it, the jobs know their last attempt only."""
    jobs, store = finished
    batch = world.batch_of(jobs, worker_seconds=8.0, cpu_seconds=7.0, peak_memory_bytes=2**28, lost_attempts=2)
    e = ResultAggregator().aggregate(batch, jobs, store).efficiency
    assert (e["worker_seconds"], e["cpu_seconds"], e["peak_memory_bytes"]) == (8.0, 7.0, 2**28)
    assert (e["parallel_speedup"], e["lost_attempts"]) == (2.0, 2)


def test_correlations_are_symmetric_and_one_on_the_diagonal(report):
    """In the order of the ranking."""
    rows = report.correlation["rows"]
    assert report.correlation["job_ids"] == [r.job_id for r in report.ranking]
    assert all(rows[i][i] == pytest.approx(1.0) for i in range(4))
    assert all(rows[i][j] == rows[j][i] for i in range(4) for j in range(4))


def test_one_strategy_alone_is_tested_too(world, finished):
    """StepM over one series, SPA over its own trials."""
    jobs, store = finished
    report = ResultAggregator().aggregate(world.batch_of(jobs[:1]), jobs[:1], store)
    assert report.ranking[0].percentile == 100.0
    assert report.evidence["spa"] is not None
    assert report.ranking[0].evidence["step_down_p"] is not None


def test_a_job_without_statistical_tests_leaves_the_batch_unproven(world, finished, tmp_path):
    """What cannot be computed is not assumed."""
    jobs, store = finished
    bare = replace(
        jobs[0],
        result={
            **jobs[0].result,
            "artifacts": {k: v for k, v in jobs[0].result["artifacts"].items() if k != "trial_blocks"},
        },
    )
    report = ResultAggregator().aggregate(world.batch_of([bare, jobs[1]]), [bare, jobs[1]], store)
    assert report.evidence["spa"] is None
    assert report.verdicts["likely_real"] == 0


def test_another_bootstrap_seed_moves_p_values_little(finished):
    """SPA and StepM within the error of their draws."""
    jobs, store = finished
    one, other = (batch_statistics(jobs, store, seed=s) for s in (1, 2))
    assert one.spa["consistent"] == pytest.approx(other.spa["consistent"], abs=0.06)
    for job_id, p in one.step_down_p.items():
        assert p == pytest.approx(other.step_down_p[job_id], abs=0.04)


def test_jobs_on_other_ranges_meet_on_one_grid(world, finished, tmp_path):
    """A job that covers only some of the buckets is tested on those, and the grid stays bounded."""
    from stratopt.optimization.artifacts import ArtifactStore

    jobs, store = finished
    late = world.finished_job(
        9, replace(world.spec_of("MACD"), start_date="2018-01-01", strategy_id="late"), ArtifactStore(store.folder)
    )
    found = batch_statistics([*jobs, late], store)
    assert found.buckets <= 512
    assert found.step_down_p["job_9"] is not None
    assert found.correlation.shape == (5, 5)
