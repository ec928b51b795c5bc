"""How fast everything is, beside every peer, in one run. Writes benchmarks/results/speed.json and speed.md.

python benchmarks/speed.py [SECTION ...]     sweep minute strategies search start scaling batch (all by default)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from batch_over_http import batch_section, start_section
from measuring import machine, measure, slope
from peers import FEE, backtesting_cross, backtrader_cross, vectorbt_cross
from scaling import scaling_section
from search_speed import suggestion_seconds
from speed_of_strategies import strategies_section
from stratopt import Costs, Execution, load_bars, sweep
from stratopt.kernels.arrays import OPEN_TIME
from stratopt.market.bars import Bars
from stratopt.market.synthetic import synthetic_bars
from stratopt.market.timeframe import Calendar, Timeframe

RESULTS = Path(__file__).parent / "results"
REAL_MINUTES = Path(__file__).parents[2] / "shared" / "data" / "EURUSD_1m_2017H1.parquet"
PERIODS = range(2, 102)
PAIRS = {"fast_period": list(PERIODS)[:-1], "slow_period": list(PERIODS)[1:]}
COSTS = Costs(fee_bps=FEE * 1e4, slippage_bps=0)
SAME_CLOSE = Execution(fill="same_close", direction="long_only")
STOPS = Execution(stop_loss_pct=0.05, take_profit_pct=0.1, trailing_stop_pct=0.03, direction="long_only")


def run_sweep(bars: Bars, execution: Execution, axes: dict = PAIRS) -> Callable[[], object]:
    return lambda: sweep(bars, "MovingAverageCrossover", axes, costs=COSTS, execution=execution)


def sweep_section() -> dict:
    """4,950 pairs of simple averages on 2,148 daily bars: all metrics and block sums, one core."""
    bars = load_bars("GOOG", "1d")[:2148]
    count = len(sweep(bars, "MovingAverageCrossover", PAIRS))
    few = [(10, 30), (20, 50), (5, 80)]
    timings = measure(
        {
            "stratopt": (run_sweep(bars, SAME_CLOSE), count),
            "stratopt, stops": (run_sweep(bars, STOPS), count),
            "vectorbt numba": (vectorbt_cross(bars, PERIODS, "numba"), count),
            "vectorbt rust": (vectorbt_cross(bars, PERIODS, "rust"), count),
            "backtesting.py": (backtesting_cross(bars, few), len(few)),
            "backtrader": (backtrader_cross(bars, few), len(few)),
        }
    )
    ours = sweep(bars, "MovingAverageCrossover", PAIRS, costs=COSTS, execution=SAME_CLOSE)
    theirs, _ = vectorbt_cross(bars, PERIODS, "numba")()
    np.testing.assert_allclose(ours.scores.column("total_return"), theirs, rtol=1e-9, atol=1e-9)
    own, faster = timings["stratopt"].per_unit, min(timings[f"vectorbt {e}"].per_unit for e in ("numba", "rust"))
    return {
        "timings": {name: timing.to_dict() for name, timing in timings.items()},
        "million_bars_per_second": len(bars) / own / 1e6,
        "million_bars_per_second_with_stops": len(bars) / timings["stratopt, stops"].per_unit / 1e6,
        "ratios": {
            "vectorbt, its faster engine": faster / own,
            "backtesting.py": timings["backtesting.py"].per_unit / own,
            "backtrader": timings["backtrader"].per_unit / own,
        },
    }


def minute_bars() -> Bars:
    """186,348 real minute bars where the file is at hand (beside the repository, or STRATOPT_MINUTE_BARS), else synthetic ones."""
    path = os.environ.get("STRATOPT_MINUTE_BARS") or REAL_MINUTES
    if not Path(path).exists():
        return synthetic_bars(186_348, seed=1, missing_share=0.0)
    import pandas as pd

    frame = pd.read_parquet(path)
    frame.columns = [str(name).lower() for name in frame.columns]
    if not isinstance(frame.index, pd.DatetimeIndex):
        stamp = next(n for n in frame.columns if n in {"time", "timestamp", "open_time", "date", "datetime", "ts"})
        frame.index = pd.to_datetime(frame[stamp], utc=True)
    matrix = np.ones((6, len(frame)))
    for row, name in enumerate(("open", "high", "low", "close")):
        matrix[row] = frame[name]
    matrix[OPEN_TIME] = frame.index.to_numpy("datetime64[ms]").astype(np.int64)
    return Bars(
        "EURUSD", Timeframe.parse("1m"), Calendar.WEEKDAYS if hasattr(Calendar, "WEEKDAYS") else Calendar.ALWAYS, matrix
    )


def minute_section() -> dict:
    """1,225 pairs on minute bars."""
    bars = minute_bars()
    axes = {"fast_period": list(range(2, 51)), "slow_period": list(range(3, 52))}
    count = len(sweep(bars, "MovingAverageCrossover", axes))
    timings = measure(
        {
            "stratopt": (run_sweep(bars, SAME_CLOSE, axes), count),
            "stratopt, stops": (run_sweep(bars, STOPS, axes), count),
        }
    )
    return {
        "bars": len(bars),
        "timings": {name: timing.to_dict() for name, timing in timings.items()},
        "million_bars_per_second": len(bars) / timings["stratopt"].per_unit / 1e6,
        "million_bars_per_second_with_stops": len(bars) / timings["stratopt, stops"].per_unit / 1e6,
    }


def search_section() -> dict:
    """Cost of a suggestion after 1,000 trials of three parameters; more of it by ``make bench-search``."""
    seconds = suggestion_seconds()
    return {
        "microseconds a suggestion": {name: value * 1e6 for name, value in seconds.items()},
        "ratios": {name: seconds[name] / seconds["tpe"] for name in ("hyperopt_tpe", "optuna_tpe")},
    }


SECTIONS: dict[str, Callable[[], dict]] = {
    "sweep": sweep_section,
    "minute": minute_section,
    "strategies": strategies_section,
    "search": search_section,
    "start": start_section,
    "scaling": lambda: scaling_section(slope),
    "batch": batch_section,
}


def markdown(document: dict) -> str:
    """The tables of a run."""
    lines = ["# Speed", "", f"{document['machine']}", ""]
    for name, section in document["sections"].items():
        lines += [f"## {name}", "", "| what | value |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in _flat(section)]
        lines.append("")
    return "\n".join(lines)


def _flat(section: dict, before: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in section.items():
        if isinstance(value, dict) and "per_unit" in value:
            text = f"{value['per_unit'] * 1e6:,.2f} us each (median of {value['units']} in {value['seconds']:.3f} s, spread {value['spread']:.3f} s)"
            rows.append((f"{before}{key}", text))
        elif isinstance(value, dict):
            rows += _flat(value, f"{before}{key}: ")
        else:
            rows.append((f"{before}{key}", f"{value:,.3g}" if isinstance(value, float) else str(value)))
    return rows


def main() -> None:
    chosen = sys.argv[1:] or list(SECTIONS)
    if unknown := set(chosen) - set(SECTIONS):
        raise SystemExit(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "speed.json"
    known = json.loads(path.read_text())["sections"] if path.exists() and sys.argv[1:] else {}
    document = {"machine": machine(), "sections": known}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    document["machine"]["commit"] = commit
    for name in chosen:
        print(f"measuring {name}", file=sys.stderr)
        document["sections"][name] = SECTIONS[name]()
        path.write_text(json.dumps(document, indent=1))
    (RESULTS / "speed.md").write_text(markdown(document))
    print(markdown(document))


if __name__ == "__main__":
    main()
