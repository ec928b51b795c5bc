"""Reports of finished batches: made once, whoever asks, and made before anybody does."""

import threading
from dataclasses import replace

import pytest

from stratopt.api.services.report_cache import MOST_REPORTS, ReportCache
from stratopt.optimization.jobs import Batch, BatchId, BatchState, counts_of_new_batch


def ended(name="bat_1", state=BatchState.COMPLETED):
    """A batch that has ended, unless another state is given."""
    return Batch(
        batch_id=BatchId(name), state=state, counts=counts_of_new_batch(1), request={}, parallel_jobs=1, seed=0
    )


def test_two_readers_at_once_make_one_report():
    """The second waits for the first one's."""
    cache, made, entered, free = ReportCache(), [], threading.Event(), threading.Event()

    def make():
        entered.set()
        assert free.wait(60)
        made.append(object())
        return made[-1]

    found = []
    first = threading.Thread(target=lambda: found.append(cache.get(ended(), make)))
    first.start()
    assert entered.wait(60)
    second = threading.Thread(target=lambda: found.append(cache.get(ended(), make)))
    second.start()
    free.set()
    first.join()
    second.join()
    assert len(made) == 1
    assert found == made * 2


def test_a_report_that_failed_is_made_again_by_the_next_reader():
    """A failure is told, not kept."""
    cache = ReportCache()

    def fails():
        raise ValueError("no table")

    with pytest.raises(ValueError, match="no table"):
        cache.get(ended(), fails)
    assert cache.get(ended(), lambda: "report") == "report"
    assert cache.get(ended(), fails) == "report"


def test_a_batch_that_runs_or_changed_is_not_answered_from_memory():
    """Only finished batches are kept, and only as they were."""
    cache = ReportCache()
    running = ended(state=BatchState.RUNNING)
    assert [cache.get(running, lambda: "a"), cache.get(running, lambda: "b")] == ["a", "b"]
    assert cache.get(ended(), lambda: "c") == "c"
    assert cache.get(replace(ended(), row_version=9), lambda: "d") == "d"


def test_the_oldest_reports_are_forgotten():
    """Memory does not grow with the number of batches."""
    cache = ReportCache()
    for number in range(MOST_REPORTS + 1):
        cache.get(ended(f"bat_{number}"), lambda: "old")
    assert cache.get(ended("bat_0"), lambda: "new") == "new"
    assert cache.get(ended(f"bat_{MOST_REPORTS}"), lambda: "new") == "old"


def test_a_prepared_report_is_there_and_a_failure_does_not_end_the_thread():
    """Two actions in their order; closing waits for what runs."""
    cache, done = ReportCache(), threading.Event()
    cache.in_background(lambda: 1 / 0)
    cache.in_background(lambda: (cache.get(ended(), lambda: "prepared"), done.set()))
    assert done.wait(60)
    cache.close()
    assert cache.get(ended(), lambda: "made by the reader") == "prepared"
    ReportCache().close()
