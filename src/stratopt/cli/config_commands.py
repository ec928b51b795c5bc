"""``stratopt config``: what is set, and by what."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from stratopt.cli.output import print_json, say, stdout, table

app = typer.Typer(help="Settings in force, and where they come from.", no_args_is_help=True)
PREFIX = "STRATOPT_"
CLIENT_VARIABLES = {"STRATOPT_SERVER": "http://127.0.0.1:8000", "STRATOPT_API_KEY_FILE": None}
OTHER_VARIABLES = {"STRATOPT_DISABLE_JIT"}


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False) -> None:
    """Every setting with its value and its source; secrets are not shown. Example: stratopt config show --json."""
    rows = effective_settings()
    if as_json:
        print_json(rows)
    else:
        titles = [("variable", "Variable"), ("value", "Value"), ("source", "Source")]
        stdout.print(table(titles, [{**row, "value": _text(row["value"])} for row in rows]))
    known = {row["variable"] for row in rows} | OTHER_VARIABLES
    for name in sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known):
        say(f"warning: {name} is set and is no setting of stratopt", "yellow")


def effective_settings() -> list[dict[str, Any]]:
    """Variable, value and source (``environment`` or ``default``) of every setting."""
    from stratopt.monitoring.log_setup import REDACTED, SECRET_NAMES
    from stratopt.settings import Settings

    settings = Settings()
    values = {f"{PREFIX}{name.upper()}": getattr(settings, name) for name in Settings.model_fields}
    values |= {name: os.environ.get(name, default) for name, default in CLIENT_VARIABLES.items()}
    given = {name.upper() for name in os.environ}
    return [
        {
            "variable": name,
            "value": REDACTED if value is not None and SECRET_NAMES.search(name) else _plain(value),
            "source": "environment" if name in given else "default",
        }
        for name, value in values.items()
    ]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
