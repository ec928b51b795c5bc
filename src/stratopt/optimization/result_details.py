"""Series of the best results for their pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from stratopt.kernels.arrays import AnyArray
from stratopt.optimization.batch_report import ResultDetail
from stratopt.optimization.batch_statistics import TableReader
from stratopt.optimization.jobs import Job

MOST_RESULTS = 20
MOST_POINTS = 256
MOST_CELLS = 12
FEWEST_CELLS = 5


def details(ranked: Sequence[Job], reader: TableReader) -> Sequence[ResultDetail]:
    """Series of the first twenty jobs, in their order."""
    return [_detail(job, job.result, reader) for job in ranked[:MOST_RESULTS] if job.result is not None]


def _detail(job: Job, result: Mapping[str, Any], reader: TableReader) -> ResultDetail:
    columns = reader.columns(result["artifacts"]["buckets"])
    count = columns["bucket"].size
    kept = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(np.int64))
    width = int(result["evidence"]["bucket_days"])
    ends = ((columns["bucket"][kept] + 1) * width - 1).astype("datetime64[D]")
    groups = np.concatenate([[0], kept[:-1] + 1])
    drawdown = np.where(np.isnan(columns["oos_drawdown"]), np.inf, columns["oos_drawdown"])
    deepest = np.minimum.reduceat(drawdown, groups)
    return ResultDetail(
        job_id=job.job_id,
        days=[str(day) for day in ends],
        wealth=_rounded(columns["final_wealth"][kept]),
        oos_wealth=_rounded(columns["oos_wealth"][kept]),
        oos_drawdown=_rounded(np.where(np.isinf(deepest), np.nan, deepest)),
        monthly_returns=result["evidence"]["monthly_returns"],
        surface=_surface(reader.columns(result["artifacts"]["trials"])),
        search=_search(result),
    )


def _search(result: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("last_search_evaluations", "repeated_share", "infeasible_share", "convergence", "parameter_importance")
    return {"objective": result["objective"], **{name: result["search"].get(name) for name in kept}}


def _rounded(values: AnyArray) -> list[Any]:
    return [None if math.isnan(value) else float(f"{value:.6g}") for value in values.tolist()]


def _surface(trials: Mapping[str, AnyArray]) -> dict[str, Any] | None:
    """Mean score of the last search over a grid of its two numeric parameters with the most different values; None without two."""
    last = trials["fold"] == trials["fold"].min()
    scores = trials["score"][last].astype(np.float64)
    points = [orjson.loads(text) for text in trials["params"][last]]
    names = sorted({name for point in points for name in point if _numeric(point[name])})
    varied = sorted(names, key=lambda name: (-len({point.get(name) for point in points}), name))
    varied = [name for name in varied if len({point.get(name) for point in points}) > 1][:2]
    if len(varied) < 2:
        return None
    (x_edges, x_at), (y_edges, y_at) = (_cells([point.get(name) for point in points]) for name in varied)
    total, seen = np.zeros((len(y_edges), len(x_edges))), np.zeros((len(y_edges), len(x_edges)))
    for x, y, score in zip(x_at, y_at, scores, strict=True):
        if x >= 0 and y >= 0 and np.isfinite(score):
            total[y, x] += score
            seen[y, x] += 1
    with np.errstate(invalid="ignore"):
        mean = total / seen
    return {
        "x": varied[0],
        "y": varied[1],
        "x_values": x_edges,
        "y_values": y_edges,
        "rows": [_rounded(row) for row in mean],
    }


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cells(values: Sequence[Any]) -> tuple[list[float], list[int]]:
    """Middles of at most twelve cells, fewer for few values, and the cell of each value, -1 for a parameter that is not active."""
    cells = min(MOST_CELLS, max(FEWEST_CELLS, int(math.sqrt(len(values)) * 0.8)))
    known = sorted({float(value) for value in values if _numeric(value)})
    if len(known) <= cells:
        return known, [known.index(float(value)) if _numeric(value) else -1 for value in values]
    low, width = known[0], (known[-1] - known[0]) / cells
    middles = [float(f"{low + (k + 0.5) * width:.4g}") for k in range(cells)]
    return middles, [min(int((float(v) - low) / width), cells - 1) if _numeric(v) else -1 for v in values]
