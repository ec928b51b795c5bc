"""The command line: ``stratopt``. Heavy modules are imported inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

import os
import sys

import typer

from stratopt.cli import (
    batch_commands,
    config_commands,
    data_commands,
    export_commands,
    key_commands,
    run_commands,
    system_commands,
)
from stratopt.cli.output import EXIT_INTERRUPTED, EXIT_UNEXPECTED, report_error

app = typer.Typer(
    name="stratopt",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Optimise many trading strategies in one request and learn which results are real.

[bold]Examples[/bold]

  stratopt demo                                             see everything at work, offline

  stratopt backtest RSI --symbol BTC --param period=10      one backtest

  stratopt optimize RSI --symbol BTC --max-evals 100        search one strategy

  stratopt serve                                            the HTTP service on 127.0.0.1:8000

  stratopt batch submit job.json --watch                    many strategies on a server
""",
)
app.command("demo")(run_commands.demo)
app.command("optimize")(run_commands.optimize)
app.command("backtest")(run_commands.backtest)
app.command("reproduce")(run_commands.reproduce)
app.add_typer(export_commands.app, name="export")
app.add_typer(batch_commands.app, name="batch")
app.add_typer(data_commands.app, name="data")
app.add_typer(key_commands.app, name="keys")
app.add_typer(config_commands.app, name="config")
app.command("strategies")(system_commands.strategies)
app.command("serve")(system_commands.serve)
app.command("doctor")(system_commands.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        from stratopt._version import __version__

        sys.stdout.write(f"stratopt {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    config: str | None = typer.Option(
        None, "--config", help="Take settings from this TOML file alone, as STRATOPT_CONFIG_FILE does."
    ),
) -> None:
    """Hold the options of every command."""
    if config:
        os.environ["STRATOPT_CONFIG_FILE"] = config  # servers that a command starts read the same file


def main() -> None:
    """The process edge: errors become one sentence and an exit code."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(EXIT_UNEXPECTED)
    except Exception as error:  # noqa: BLE001 - the process edge
        sys.exit(report_error(error))


if __name__ == "__main__":
    main()
