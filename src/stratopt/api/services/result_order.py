"""The order of a batch's items: as submitted, or by what a client asks to sort by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from stratopt.optimization.job_store import JobStore
from stratopt.optimization.jobs import Batch, Job, JobState

SortKey = Literal[
    "index",
    "-index",
    "rank",
    "-rank",
    "score",
    "-score",
    "sharpe_ratio",
    "-sharpe_ratio",
    "total_return",
    "-total_return",
    "strategy",
    "-strategy",
    "duration",
    "-duration",
    "status",
    "-status",
]
"""``-`` turns the order round; items without a value always come last."""

SORT_TEXT = (
    "`index` (as submitted), `rank` (of the report), `score` (what the last search maximised, in sample), `sharpe_ratio` and "
    "`total_return` (out of sample), `strategy`, `duration` (seconds in the worker), `status`; with `-` the other way round. "
    "Items without a value come last. Anything but `index` is the order of this moment."
)
PAGE = 200


def ordered_ids(
    store: JobStore, batch: Batch, sort: str, *, states: Sequence[JobState], ranks: Callable[[], Mapping[str, int]]
) -> list[str]:
    """Ids of a batch's jobs in the order of ``sort``; results are read page by page and not kept."""
    name, turned = sort.removeprefix("-"), sort.startswith("-")
    rank_of = ranks() if name == "rank" else {}
    known: list[tuple[Any, str]] = []
    unknown: list[str] = []
    after = -1
    while jobs := store.jobs(batch.batch_id, states=states, after_index=after, limit=PAGE):
        after = jobs[-1].index
        for job in jobs:
            value = _value(job, name, rank_of)
            if value is None:
                unknown.append(job.job_id)
            else:
                known.append((value, job.job_id))
    known.sort(key=lambda pair: pair[0], reverse=turned)
    return [job_id for _, job_id in known] + unknown


def _value(job: Job, name: str, rank_of: Mapping[str, int]) -> Any:
    if name in {"index", "strategy", "status"}:
        return {"index": job.index, "strategy": job.spec.strategy_id, "status": job.state.value}[name]
    if name == "duration":
        return job.resources.get("wall_seconds")
    if name == "rank":
        return rank_of.get(job.job_id)
    if job.result is None:
        return None
    if name == "score":
        return job.result["search"]["convergence"][-1]["score"]
    return job.result["out_of_sample"]["metrics"][name]
