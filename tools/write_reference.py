"""Write the generated reference pages: docs/reference/strategies.md and docs/reference/openapi.json. A test compares them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STRATEGIES, OPENAPI = ROOT / "docs" / "reference" / "strategies.md", ROOT / "docs" / "reference" / "openapi.json"


def strategies_page() -> str:
    """The catalogue as Markdown."""
    from stratopt.strategies.catalogue import list_strategies
    from stratopt.strategies.description import describe

    lines = ["# Strategies", "", "Written by `tools/write_reference.py`. Ranges are what a search covers; constraints between parameters are sampled away."]
    for strategy in list_strategies():
        found = describe(strategy)
        lines += ["", f"## {found['name']}", "", f"*{found['category'].replace('_', ' ')}* · {found['source']}", "", found["doc"], ""]
        lines += ["| parameter | searched | default |", "| --- | --- | --- |"]
        for parameter in found["parameter_space"]["parameters"]:
            lines.append(f"| `{parameter['name']}` | {_range(parameter)} | {found['defaults'].get(parameter['name'], '')} |")
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


if __name__ == "__main__":
    STRATEGIES.write_text(strategies_page(), encoding="utf-8")
    OPENAPI.write_text(openapi_document(), encoding="utf-8")
