"""``stratopt data``: the market data catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stratopt.cli.output import EXIT_INVALID, print_json, say, stdout, table

app = typer.Typer(help="Import, list, show and check market data.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
SymbolArgument = Annotated[str, typer.Argument(help="For example BTC.")]
Format = Annotated[
    str, typer.Option("--format", "-f", help="auto, yahoo, binance, cryptodatadownload, histdata, generic.")
]


@app.command("list")
def list_series(as_json: AsJson = False) -> None:
    """List every stored series. Example: stratopt data list --json."""
    from stratopt.cli.local import local_catalogue

    series = [s.to_dict() for s in local_catalogue().series()]
    if as_json:
        print_json(series)
        return
    rows = [{**s, "first": s["first"][:10], "last": s["last"][:10]} for s in series]
    columns = [
        ("symbol", "Symbol"),
        ("timeframe", "Bars"),
        ("calendar", "Calendar"),
        ("rows", "Count"),
        ("first", "First"),
        ("last", "Last"),
        ("source", "From"),
    ]
    stdout.print(table(columns, rows))


@app.command()
def show(
    symbol: SymbolArgument,
    timeframe: Annotated[str, typer.Argument(help="For example 1d.")] = "1d",
    as_json: AsJson = False,
) -> None:
    """Show one series: its range, its hash and its last bars. Example: stratopt data show EURUSD 1h."""
    from stratopt.cli.local import local_catalogue

    bars = local_catalogue().bars(symbol, timeframe)
    tail = bars.to_frame().tail(5)
    last: list[dict[str, Any]] = [
        {"open_time": stamp.isoformat(), **row} for stamp, row in zip(tail.index, tail.to_dict("records"), strict=True)
    ]
    facts = {
        "symbol": bars.symbol,
        "timeframe": str(bars.timeframe),
        "calendar": str(bars.calendar),
        "bars": len(bars),
        "bars_per_year": bars.periods_per_year,
        "content_hash": bars.content_hash,
    }
    if as_json:
        print_json({**facts, "last_bars": last})
        return
    stdout.print(
        table(
            [("name", "Fact"), ("value", "Value")],
            [{"name": k.replace("_", " "), "value": v} for k, v in facts.items()],
        )
    )
    stdout.print()
    stdout.print(table([(n, n.replace("_", " ")) for n in last[0]], last))


@app.command()
def validate(
    source: Annotated[str, typer.Argument(help="A file, or a symbol of the catalogue.")],
    timeframe: Annotated[str | None, typer.Option("--timeframe", "-t")] = None,
    format: Format = "auto",
    as_json: AsJson = False,
) -> None:
    """Check a file or a stored series: order, duplicates, gaps, bounds, flat runs, jumps, suspected splits.

    Example: stratopt data validate prices.csv
    """
    from stratopt.cli.local import local_catalogue
    from stratopt.market.sources.csv_parquet import read_file
    from stratopt.market.validation import validate as check

    path = Path(source)
    series: Any = (
        read_file(path, symbol="FILE", format=format, timeframe=timeframe)[0]
        if path.is_file()
        else local_catalogue().bars(source, timeframe or "1d")
    )
    report = check(series)
    if as_json:
        print_json(report.to_dict())
    else:
        stdout.print(report.to_text(), markup=False)
    if not report.ok:
        raise typer.Exit(EXIT_INVALID)


@app.command("import")
def import_series(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV (.gz, .zip) or Parquet.")],
    symbol: Annotated[str, typer.Option("--symbol", "-s", help="Name to store it under.")],
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", "-t", help="Told from the stamps when not given.")
    ] = None,
    calendar: Annotated[
        str | None, typer.Option(help="XNYS, 24/5, 24/7, ...; told from the stamps when not given.")
    ] = None,
    format: Format = "auto",
    repair: Annotated[
        list[str] | None, typer.Option("--repair", help="sort, drop_duplicates, ...; may be repeated.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Even where that hides a series that comes bundled.")
    ] = False,
) -> None:
    """Import a price file into the data directory. Files with errors are refused unless a repair is chosen.

    What you imported before under the same symbol and timeframe is replaced. A name of a bundled series is refused without --replace.

    Example: stratopt data import prices.csv --symbol ACME --repair sort
    """
    from stratopt.cli.hiding import refuse_hiding, told
    from stratopt.cli.local import local_catalogue
    from stratopt.market.sources.csv_parquet import import_file

    imported = import_file(
        path, symbol=symbol, format=format, timeframe=timeframe, calendar=calendar, repairs=repair or ()
    )
    catalogue, name, length = local_catalogue(), imported.bars.symbol, imported.bars.timeframe
    hidden, earlier = catalogue.hidden_by(name, length), catalogue.imported_rows(name, length)
    if not replace:
        refuse_hiding(name, length, hidden)
    series = catalogue.add(imported.bars, imported.provenance)
    stdout.print(imported.report.to_text(), markup=False)
    say(f"stored {series.symbol} {series.timeframe}: {series.rows} bars, {series.first} to {series.last}", "green")
    for rows in earlier.values():
        say(f"it replaced your earlier {name} {length} of {_bars(rows)}", "yellow")
    if hidden:
        say(
            f"it hides what comes with stratopt: {told(hidden)}; `stratopt data remove {name}` brings that back",
            "yellow",
        )


@app.command()
def remove(
    symbol: Annotated[str, typer.Argument(help="A symbol that you imported.")],
    timeframe: Annotated[str | None, typer.Option("--timeframe", "-t", help="Only these bars of it.")] = None,
) -> None:
    """Remove imported series. What comes with stratopt stays, and is found again where an imported series hid it.

    Example: stratopt data remove ACME --timeframe 1h
    """
    from stratopt.cli.hiding import told
    from stratopt.cli.local import local_catalogue
    from stratopt.market.symbols import checked_symbol

    catalogue = local_catalogue()
    removed, name = catalogue.remove(symbol, timeframe), checked_symbol(symbol)
    for length, rows in removed.items():
        say(f"removed {name} {length}: {_bars(rows)}", "green")
    found = {(one.symbol, str(one.timeframe)): one for length in removed for one in catalogue.hidden_by(name, length)}
    if found:
        say(f"{name} is again what comes with stratopt: {told(list(found.values()))}")


def _bars(rows: int | None) -> str:
    return "an unreadable file" if rows is None else f"{rows} bars"
