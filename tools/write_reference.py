"""Write the generated pages of docs/reference: strategies, settings, errors, OpenAPI document, schema of a report. Tests compare them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
STRATEGIES, OPENAPI, SETTINGS, ERRORS = (
    REFERENCE / name for name in ("strategies.md", "openapi.json", "settings.md", "errors.md")
)
REPORT_SCHEMA = REFERENCE / "batch-report.schema.json"
OTHER_VARIABLES = (
    (
        "STRATOPT_CONFIG_FILE",
        "none",
        "TOML file that is read in place of the project's and the user's; as `stratopt --config FILE`",
    ),
    ("STRATOPT_DISABLE_JIT", "off", "`1` runs every kernel as plain Python, for debugging"),
)


def strategies_page() -> str:
    """The catalogue as Markdown."""
    from stratopt.strategies.catalogue import list_strategies
    from stratopt.strategies.description import describe

    lines = [
        "# Strategies",
        "",
        "Written by `tools/write_reference.py`. Ranges are what a search covers; constraints between parameters are sampled away.",
    ]
    for strategy in list_strategies():
        found = describe(strategy)
        lines += [
            "",
            f"## {found['name']}",
            "",
            f"*{found['category'].replace('_', ' ')}* · {found['source']}",
            "",
            found["doc"],
            "",
        ]
        lines += ["| parameter | searched | default |", "| --- | --- | --- |"]
        for parameter in found["parameter_space"]["parameters"]:
            lines.append(
                f"| `{parameter['name']}` | {_range(parameter)} | {found['defaults'].get(parameter['name'], '')} |"
            )
        if found["needs_volume"]:
            lines += ["", "Needs volume: a series whose volume is constant is refused."]
    return "\n".join(lines) + "\n"


def _range(parameter: dict[str, object]) -> str:
    if "options" in parameter:
        return ", ".join(f"`{option}`" for option in parameter["options"])
    text = f"{parameter['low']} to {parameter['high']}"
    if "ratio_of" in parameter:
        text += f" times `{parameter['ratio_of']}`"
    for relation, words in (("above", "above"), ("at_most", "at most")):
        text += f", {words} `{parameter[relation]}`" if relation in parameter else ""
    return text + (", log" if parameter.get("log") else "")


def openapi_document() -> str:
    """The OpenAPI document of the application."""
    from stratopt.bootstrap import make_server_app
    from stratopt.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        app = make_server_app(Settings(data_dir=Path(folder)))
        document = app.openapi()
        app.state.service.manager.store.close()
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def settings_page() -> str:
    """Every setting as Markdown."""
    from pydantic_core import PydanticUndefined

    from stratopt.settings import Settings

    lines = [
        "# Settings",
        "",
        "Environment variables. All but the last two are keys of [configuration files](../how-to/configure.md) too, in small letters and without",
        "`STRATOPT_`. Written by `tools/write_reference.py`.",
        "",
        "| variable | default | meaning |",
        "| --- | --- | --- |",
    ]
    shown = {
        "data_dir": "`~/.local/share/stratopt`",
        "workers": "number of cores",
        "worker_memory_limit_megabytes": "a share of the memory",
    }
    for name, field in Settings.model_fields.items():
        default = shown.get(name) or ("none" if field.default in (None, PydanticUndefined) else f"`{field.default}`")
        lines.append(f"| `STRATOPT_{name.upper()}` | {default} | {field.description} |")
    lines += [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in OTHER_VARIABLES]
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Every error code as Markdown."""
    from stratopt.api.problems import STATUS_OF_CODE
    from stratopt.api.services.titles import ITEM_TITLES, LIBRARY_TITLES

    lines = [
        "# Error codes",
        "",
        "Answers of the API are problem documents (RFC 9457). Written by `tools/write_reference.py`.",
        "",
        "| status | code | meaning |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {status} | `{code}` | {title} |" for code, (status, title) in STATUS_OF_CODE.items()]
    lines += ["", "Codes of items in a batch, in `results[].error.code`:", "", "| code | meaning |", "| --- | --- |"]
    lines += [f"| `{code}` | {title} |" for code, title in ITEM_TITLES.items()]
    lines += [
        "",
        "Codes of the Python functions and of the command line. Whatever of them happens to a job becomes the code of its item:",
        *["", "| code | meaning |", "| --- | --- |"],
    ]
    lines += [f"| `{code}` | {title} |" for code, title in LIBRARY_TITLES.items()]
    return "\n".join(lines) + "\n"


def report_schema_document() -> str:
    """The JSON schema of a batch report."""
    from stratopt.reporting.schema import report_schema

    return json.dumps(report_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    REPORT_SCHEMA.write_text(report_schema_document(), encoding="utf-8")
    SETTINGS.write_text(settings_page(), encoding="utf-8")
    ERRORS.write_text(errors_page(), encoding="utf-8")
    STRATEGIES.write_text(strategies_page(), encoding="utf-8")
    OPENAPI.write_text(openapi_document(), encoding="utf-8")
