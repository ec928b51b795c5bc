"""``stratopt config``: what is set, and by what."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any

import typer

from stratopt.cli.output import print_json, say, stdout, table

app = typer.Typer(help="Settings in force, and where they come from.", no_args_is_help=True)
PREFIX = "STRATOPT_"
OTHER_VARIABLES = {"STRATOPT_CONFIG_FILE", "STRATOPT_DISABLE_JIT"}
PASSWORD_IN_ADDRESS = re.compile(r"(?<=//)[^/@\s]+(?=@)")


@app.command()
def show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Also its name in a file, and the variable or file it comes from.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Every setting with its value and its source; secrets are not shown. Example: stratopt config show --origin."""
    rows = effective_settings()
    known = {row["variable"] for row in rows} | OTHER_VARIABLES
    columns = ["variable", "value", "source", *(["setting", "origin"] if origin else [])]
    shown = [{name: row[name] for name in columns} for row in rows]
    if as_json:
        print_json(shown)
    else:
        texts = [{name: "none" if value is None else str(value) for name, value in row.items()} for row in shown]
        stdout.print(table([(name, name.capitalize()) for name in columns], texts))
    if origin:
        _tell_files()
    for name in sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known):
        say(f"warning: {name} is set and is no setting of stratopt", "yellow")


def _tell_files() -> None:
    from stratopt.settings_file import config_files

    for kind, path in config_files():
        say(f"{kind}: {path}" + ("" if path.exists() else " (not there)"))


def effective_settings() -> list[dict[str, Any]]:
    """Every setting: variable, name in a file (``setting``), value, kind of source, and which variable or file it is (``origin``)."""
    from stratopt.monitoring.redaction import REDACTED, SECRET_NAMES
    from stratopt.settings import SettingFields, Settings
    from stratopt.settings_file import config_files, read_settings

    settings, files = Settings(), [(kind, path, read_settings(path, SettingFields)) for kind, path in config_files()]
    given = {name.upper() for name, value in os.environ.items() if value}
    rows = []
    for name in Settings.model_fields:
        variable, value = f"{PREFIX}{name.upper()}", getattr(settings, name)
        sources = [("environment", variable)] if variable in given else []
        sources += [(kind, str(path)) for kind, path, values in files if name in values]
        source, origin = [*sources, ("default", "default")][0]
        hidden = value is not None and SECRET_NAMES.search(name)
        shown = REDACTED if hidden else _plain(value)
        rows.append({"variable": variable, "setting": name, "value": shown, "source": source, "origin": origin})
    return rows


def _plain(value: Any) -> Any:
    from stratopt.monitoring.redaction import REDACTED, SECRET_VALUES

    if value is None or isinstance(value, int | float):
        return value
    return PASSWORD_IN_ADDRESS.sub(REDACTED, SECRET_VALUES.sub(REDACTED, str(value)))
