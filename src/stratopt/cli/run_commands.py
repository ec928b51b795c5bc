"""Commands that work in this process: demo, optimize, backtest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from stratopt.cli.output import EXIT_SOME_FAILED, EXIT_USAGE, fail, print_json, say, stderr, stdout, table

if TYPE_CHECKING:
    from stratopt.optimization.optimization_result import OptimizationResult

SLOW_CHECKS = "Slow checks, off by default"
Symbol = Annotated[
    str, typer.Option("--symbol", "-s", help="Series, for example BTC, AAPL, EURUSD (see `stratopt data list`).")
]
TimeframeText = Annotated[str, typer.Option("--timeframe", "-t", help="Length of a bar: 1h, 4h, 1d, ...")]
Start = Annotated[str | None, typer.Option("--start", help="First bar, inclusive, for example 2018-01-01.")]
End = Annotated[str | None, typer.Option("--end", help="End, exclusive.")]
Parameters = Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
SideNames = Annotated[str, typer.Option("--direction", help="long_only, short_only or long_short.")]
SideOrDefault = Annotated[
    str | None, typer.Option("--direction", help="long_only (the default), short_only or long_short.")
]
FeeBps = Annotated[float, typer.Option("--fee-bps", help="Fee a side, hundredths of a per cent.")]
SlippageBps = Annotated[float, typer.Option("--slippage-bps", help="Adverse price move a side.")]
RandomEntries = Annotated[
    int | None,
    typer.Option(help="Equal trades at random bars, so many times.", rich_help_panel=SLOW_CHECKS),
]
Permutations = Annotated[
    int | None,
    typer.Option(help="The last search on so many random orders of the bars.", rich_help_panel=SLOW_CHECKS),
]
Groups = Annotated[
    int | None,
    typer.Option(
        help="Combinatorial purged cross-validation over so many groups; a search a split.", rich_help_panel=SLOW_CHECKS
    ),
]
TestGroups = Annotated[int | None, typer.Option(help="Groups tested at once: 2.", rich_help_panel=SLOW_CHECKS)]
Purge = Annotated[int | None, typer.Option(help="Bars beside a test group left out: 0.", rich_help_panel=SLOW_CHECKS)]
Embargo = Annotated[
    int | None, typer.Option(help="More of them after a test group: 1 % of the bars.", rich_help_panel=SLOW_CHECKS)
]

HEADLINE = (
    ("total_return", "Total return"),
    ("cagr", "CAGR"),
    ("sharpe_ratio", "Sharpe ratio, yearly"),
    ("sortino_ratio", "Sortino ratio, yearly"),
    ("max_drawdown", "Max drawdown"),
    ("volatility", "Volatility, yearly"),
    ("profit_factor", "Profit factor"),
    ("win_rate", "Win rate"),
    ("trade_count", "Closed trades"),
    ("exposure", "Exposure"),
)
FRACTIONS = {"total_return", "cagr", "max_drawdown", "volatility", "win_rate", "exposure"}


def parse_params(pairs: list[str] | None) -> dict[str, Any]:
    """``name=value`` texts as parameters; numbers, true, false and null are read as JSON."""
    params: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            fail(f"--param takes name=value, not {pair!r}", EXIT_USAGE)
        try:
            params[name] = json.loads(text)
        except json.JSONDecodeError:
            params[name] = text
    return params


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")] = Path("demo-output"),
    evaluations: Annotated[int, typer.Option("--max-evals", min=5, help="Budget of each search.")] = 40,
) -> None:
    """Start a real server, optimise a batch over HTTP on bundled market data, show and write the report.

    Everything runs on this machine: no account, no key, no download. One strategy is broken on purpose.

    Example: stratopt demo --output my-report --max-evals 100
    """
    from stratopt.cli.demo import run_demo

    run_demo(output, evaluations)


def backtest(
    strategy: Annotated[str, typer.Argument(help="Name of a strategy (see `stratopt strategies`).")],
    symbol: Symbol = "BTC",
    timeframe: TimeframeText = "1d",
    start: Start = None,
    end: End = None,
    param: Parameters = None,
    fee_bps: FeeBps = 10.0,
    slippage_bps: SlippageBps = 5.0,
    direction: SideNames = "long_only",
    plot: Annotated[Path | None, typer.Option("--plot", help="Write the picture to this SVG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate one strategy with given parameters.

    Example: stratopt backtest MovingAverageCrossover -s AAPL -p fast_period=20 -p slow_period=60 --plot equity.svg
    """
    from stratopt.backtest.costs import Costs
    from stratopt.backtest.engine import backtest as run
    from stratopt.backtest.execution import Execution
    from stratopt.cli.local import local_catalogue, local_strategies, prints_on_stderr

    bars = local_catalogue().bars(symbol, timeframe, start, end)
    found = local_strategies().get(strategy)
    costs, execution = Costs(fee_bps=fee_bps, slippage_bps=slippage_bps), Execution(direction=direction)
    with prints_on_stderr():
        result = run(bars, found, parse_params(param), costs=costs, execution=execution)
    if plot:
        result.plot().save(plot)
        say(f"wrote {plot}")
    if as_json:
        print_json(result.to_dict())
        return
    stdout.print(
        Text(
            f"{strategy} on {bars.symbol} {bars.timeframe}, {len(bars)} bars, {result.index[0]:%Y-%m-%d} to {result.index[-1]:%Y-%m-%d}, after costs",
            style="bold",
        )
    )
    stdout.print(
        table(
            [("name", "Metric"), ("value", "Value")],
            [{"name": label, "value": show(name, result.metrics[name])} for name, label in HEADLINE],
        )
    )


def optimize(
    strategy: Annotated[str, typer.Argument(help="Name of a strategy (see `stratopt strategies`).")],
    symbol: Symbol = "BTC",
    timeframe: TimeframeText = "1d",
    start: Start = None,
    end: End = None,
    max_evals: Annotated[int, typer.Option(min=1, help="Budget of each search.")] = 100,
    algorithm: Annotated[str, typer.Option(help="Search engine.")] = "tpe",
    objective: Annotated[str, typer.Option(help="Metric that is maximised.")] = "sharpe_ratio",
    walk_forward: Annotated[
        bool, typer.Option("--walk-forward/--hold-out", help="Search again in every fold, or once.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    fee_bps: FeeBps = 10.0,
    slippage_bps: SlippageBps = 5.0,
    direction: SideOrDefault = None,
    random_entry_runs: RandomEntries = None,
    permutation_runs: Permutations = None,
    combinatorial_groups: Groups = None,
    combinatorial_test_groups: TestGroups = None,
    purge_bars: Purge = None,
    embargo_bars: Embargo = None,
    as_json: AsJson = False,
) -> None:
    """Search the parameters of one strategy; test on bars the search never saw.

    Example: stratopt optimize RSI -s BTC --start 2016-01-01 --max-evals 200
    """
    from stratopt.cli.local import prints_on_stderr
    from stratopt.library import optimize as run

    request = {
        "strategy_name": strategy,
        "asset": symbol,
        "timeframe": timeframe,
        "start_date": start,
        "end_date": end,
        "seed": seed,
        "costs": {"fee_bps": fee_bps, "slippage_bps": slippage_bps},
        "execution": {"direction": direction},
        "optimization_config": {
            "max_evals": max_evals,
            "algorithm": algorithm,
            "objective": objective,
            "cross_validation": walk_forward,
        },
        "validation_config": {
            "random_entry_runs": random_entry_runs,
            "permutation_runs": permutation_runs,
            "combinatorial_groups": combinatorial_groups,
            "combinatorial_test_groups": combinatorial_test_groups,
            "purge_bars": purge_bars,
            "embargo_bars": embargo_bars,
        },
    }
    with prints_on_stderr(), stderr.status(f"optimising {strategy} on {symbol} {timeframe}"):
        result = run(request)
    if as_json:
        print_json(result.to_dict())
        return
    _show_result(result)


def _show_result(result: OptimizationResult) -> None:
    from stratopt.reporting.result_section import FURTHER_TITLES, further_tests

    stdout.print(Text(repr(result), style="bold"))
    rows = [
        {"name": label, "oos": show(name, result.out_of_sample[name]), "is": show(name, result.in_sample[name])}
        for name, label in HEADLINE
    ]
    stdout.print(table([("name", "Metric"), ("oos", "Out of sample"), ("is", "In sample")], rows))
    document = result.to_dict()
    if tests := further_tests(document["robustness"]):
        cells = [dict(zip(FURTHER_TITLES, row, strict=True)) for row in tests]
        stdout.print(table([(title, title) for title in FURTHER_TITLES], cells))
    effort = document["search"]
    say(f"{effort['evaluations']} parameter sets tried in {effort['searches']} searches by {effort['algorithm']}")


def reproduce(
    result: Annotated[
        Path, typer.Argument(help="JSON of a result: `stratopt optimize --json`, or one item of a batch.")
    ],
    as_json: AsJson = False,
) -> None:
    """Run a result again from its manifest and compare the bytes; exit 7 if they differ.

    Nothing is run when the market data are not those of the result: that is said, with both hashes.

    Example: stratopt optimize RSI -s BTC --json > result.json; stratopt reproduce result.json
    """
    import hashlib

    from stratopt.cli.local import prints_on_stderr
    from stratopt.library import reproduce as run
    from stratopt.optimization.exceptions import DataValidationError
    from stratopt.optimization.manifest import canonical_bytes, differences

    document = json.loads(result.read_text())
    document = document.get("result", document)
    if not isinstance(document, dict) or "spec" not in document.get("manifest", {}):
        fail(f"{result} is not a result: it has no manifest with a spec", EXIT_USAGE)
    try:
        with prints_on_stderr(), stderr.status("running it again"):
            again = json.loads(canonical_bytes(run(document).to_dict()))
    except DataValidationError as error:
        if error.code != "data_changed":
            raise
        _tell_changed_data(error.context, as_json)
        raise typer.Exit(EXIT_SOME_FAILED) from error
    found = differences(document, again)
    digest = hashlib.sha256(canonical_bytes(again)).hexdigest()
    if as_json:
        print_json({"same": not found, "differences": found, "sha256": digest})
    elif found:
        stdout.print(Text(f"different at {len(found)} places, for example {', '.join(found[:8])}", style="bold red"))
    else:
        stdout.print(Text(f"the same bytes: sha256 {digest}", style="bold green"))
    if found:
        raise typer.Exit(EXIT_SOME_FAILED)


def _tell_changed_data(changed: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"same": False, "differences": ["/manifest/data/content_hash"], "sha256": None, "data": changed})
        return
    stdout.print(Text("the market data are not those of the result; it was not run again", style="bold red"))
    for title, key in (("the result's", "of_the_result"), ("this machine's", "of_this_machine")):
        data = {name: "unknown" if value is None else value for name, value in changed[key].items()}
        series = f"{data.get('symbol')} {data.get('timeframe')}, {data.get('bars')} bars"
        stdout.print(Text(f"  {title}: {series} until {data.get('last_bar')}, sha256 {data.get('content_hash')}"))


def show(name: str, value: float | None) -> str:
    """A metric for people."""
    if value is None:
        return "n/a"
    if name in FRACTIONS:
        return f"{value:.1%}"
    return f"{value:.0f}" if name.endswith("count") else f"{value:.2f}"
