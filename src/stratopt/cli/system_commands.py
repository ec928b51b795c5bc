"""Commands about the installation: strategies, serve, doctor."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from stratopt.cli.output import EXIT_UNEXPECTED, print_json, stdout, table


def strategies(
    name: Annotated[str | None, typer.Argument(help="Show one strategy in full.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """List the strategies, or show one with its parameters. Example: stratopt strategies RSI."""
    from stratopt.cli.local import local_strategies
    from stratopt.strategies.description import describe

    found = local_strategies()
    chosen = [describe(s) for s in found] if name is None else [describe(found.get(name))]
    if as_json:
        print_json(chosen if name is None else chosen[0])
    elif name is None:
        rows = [
            {
                "name": s["name"],
                "category": s["category"],
                "parameters": ", ".join(p["name"] for p in s["parameter_space"]["parameters"]),
            }
            for s in chosen
        ]
        stdout.print(table([("name", "Strategy"), ("category", "Category"), ("parameters", "Parameters")], rows))
    else:
        one = chosen[0]
        stdout.print(Text(one["name"], style="bold"), Text(f"({one['category']})"))
        stdout.print(Text(one["doc"]))
        stdout.print(Text(f"Source: {one['source']}", style="dim"))
        rows = [
            {**p, "default": one["defaults"].get(p["name"]), "range": _range(p)}
            for p in one["parameter_space"]["parameters"]
        ]
        stdout.print(
            table([("name", "Parameter"), ("type", "Type"), ("range", "Searched"), ("default", "Default")], rows)
        )


def _range(parameter: dict[str, object]) -> str:
    if "options" in parameter:
        return " | ".join(map(str, parameter["options"]))  # type: ignore[call-overload]
    if "value" in parameter:
        return str(parameter["value"])
    text = f"{parameter['low']} to {parameter['high']}" + (
        f" x {parameter['ratio_of']}" if "ratio_of" in parameter else ""
    )
    for relation, words in (("above", "above"), ("at_most", "at most")):
        text += f", {words} {parameter[relation]}" if relation in parameter else ""
    return text + (", log" if parameter.get("log") else "")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Run the HTTP service. Its state is in STRATOPT_DATA_DIR; docs are at /docs.

    Example: STRATOPT_DATA_DIR=/var/lib/stratopt stratopt serve --port 8000
    """
    from stratopt.cli.server_process import serve as run

    run(host, port)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False) -> None:
    """Check this installation: versions, data, disk, worker processes and how much faster two of them are.

    Example: stratopt doctor --json
    """
    from stratopt.cli.doctor import examine

    checks = examine()
    if as_json:
        print_json(checks)
    else:
        rows = [{"ok": "ok" if c["ok"] else "PROBLEM", "name": c["name"], "detail": c["detail"]} for c in checks]
        stdout.print(table([("ok", ""), ("name", "Check"), ("detail", "Found")], rows))
    if not all(c["ok"] for c in checks):
        raise typer.Exit(EXIT_UNEXPECTED)
