"""``stratopt export``: results in other languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from stratopt.cli.batch_commands import ApiKey, Server, connect
from stratopt.cli.output import EXIT_INVALID, EXIT_USAGE, fail, say, stdout

app = typer.Typer(help="Write results in other languages.", no_args_is_help=True)


@app.command()
def pine(
    result: Annotated[
        str, typer.Argument(help="JSON file of a result (`stratopt optimize --json`), or a batch: bat_...")
    ],
    strategy_id: Annotated[str | None, typer.Argument(help="Which result of the batch.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    server: Server = None,
    api_key_file: ApiKey = None,
) -> None:
    """Write a result as a TradingView strategy (Pine Script v6).

    Example: stratopt export pine result.json -o rsi.pine, or: stratopt export pine bat_0123 RSI -o rsi.pine
    """
    if result.startswith("bat_") and not Path(result).exists():
        if strategy_id is None:
            fail(f"say which result of {result}: stratopt export pine {result} STRATEGY_ID", EXIT_USAGE)
        with connect(server, api_key_file) as client:
            script = client.batch(result).export_pine(strategy_id)
    else:
        from stratopt.export.pine import export_pine

        script = export_pine(_read(Path(result)))
    if output is None:
        stdout.out(script, highlight=False, end="")
    else:
        output.write_text(script, encoding="utf-8")
        say(f"wrote {output}")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"cannot read {path}: {error}", EXIT_INVALID)
    if not isinstance(document, dict):
        fail(f"{path} is not a result; write one with `stratopt optimize --json`", EXIT_INVALID)
    return document
