"""``stratopt batch``: batches on a server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from stratopt.cli.output import EXIT_INTERRUPTED, EXIT_USAGE, fail, print_json, say, stdout, table
from stratopt.cli.request_file import read_request

app = typer.Typer(help="Submit, follow and read batches on a server.", no_args_is_help=True)
Server = Annotated[
    str | None, typer.Option("--server", help="Address of the server; the setting `server` if not given.")
]
ApiKey = Annotated[
    Path | None,
    typer.Option("--api-key-file", help="File that holds the API key; the setting `api_key_file` if not given."),
]
BatchId = Annotated[str, typer.Argument(help="bat_...")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end and print the ranking.")]
FailureRule = Literal["any", "all", "never"]
FailOn = Annotated[FailureRule, typer.Option("--fail-on", help="Exit with 7 when any, all or never strategies failed.")]
SECOND_THOUGHT_SECONDS = 3.0


def connect(server: str | None, key_file: Path | None) -> Any:
    """A client of the server; what is not given comes from the settings."""
    from stratopt.client.client import Client
    from stratopt.settings import Settings

    given = {"server": server, "api_key_file": key_file}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    key = settings.api_key_file.read_text().strip() if settings.api_key_file else None
    return Client(settings.server, api_key=key)


@app.command()
def submit(
    request: Annotated[
        Path, typer.Argument(help="TOML, YAML or JSON file with the body of POST /api/v1/optimize/batch.")
    ],
    server: Server = None,
    api_key_file: ApiKey = None,
    watch: Watch = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check, and say what it would do.")] = False,
    as_json: AsJson = False,
    fail_on: FailOn = "any",
) -> None:
    """Submit a batch. Example: stratopt batch submit job.json --watch."""
    with connect(server, api_key_file) as client:
        if dry_run:
            print_json(client.estimate(read_request(request)))
            return
        _tell_submitted(client.optimize_batch(read_request(request)), watch, as_json, fail_on)


def _tell_submitted(batch: Any, watch: bool, as_json: bool, fail_on: FailureRule) -> None:
    for warning in batch.status["warnings"]:
        say(f"warning: {warning}", "yellow")
    if watch:
        _follow(batch, as_json, fail_on)
    if as_json:
        print_json(batch.status)
    else:
        stdout.print(batch.batch_id)
        say(f"follow it with: stratopt batch watch {batch.batch_id}")


@app.command()
def watch(
    batch_id: BatchId,
    server: Server = None,
    api_key_file: ApiKey = None,
    as_json: AsJson = False,
    fail_on: FailOn = "any",
) -> None:
    """Follow a batch to its end and print the ranking. Example: stratopt batch watch bat_0123."""
    with connect(server, api_key_file) as client:
        _follow(client.batch(batch_id), as_json, fail_on)


def _follow(batch: Any, as_json: bool, fail_on: FailureRule) -> None:
    from stratopt.cli.watching import exit_code, show_ranking
    from stratopt.cli.watching import watch as follow

    try:
        say(f"watching {batch.batch_id}; Ctrl-C leaves it running, a second Ctrl-C cancels it")
        follow(batch)
    except KeyboardInterrupt:
        _leave(batch)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    report = show_ranking(batch, as_json=as_json)
    raise typer.Exit(exit_code(report, fail_on))


def _leave(batch: Any) -> None:
    """Stop watching, and cancel the batch if Ctrl-C comes again soon."""
    try:
        say(f"\nnot watching any more; the batch goes on. Return with: stratopt batch watch {batch.batch_id}", "yellow")
        say(f"Ctrl-C again within {SECOND_THOUGHT_SECONDS:g} s cancels it", "yellow")
        time.sleep(SECOND_THOUGHT_SECONDS)
    except KeyboardInterrupt:
        say(f"{batch.batch_id} is {batch.cancel().status['status']}; finished results stay", "yellow")


@app.command()
def results(batch_id: BatchId, server: Server = None, api_key_file: ApiKey = None, as_json: AsJson = False) -> None:
    """Print the ranking so far, or every result as JSON. Example: stratopt batch results bat_0123 --json."""
    from stratopt.cli.watching import show_ranking

    with connect(server, api_key_file) as client:
        batch = client.batch(batch_id)
        if as_json:
            print_json(list(batch.results()))
        else:
            show_ranking(batch)


@app.command()
def report(
    batch_id: BatchId,
    format: Annotated[str, typer.Option("--format", "-f", help="html, csv, json, md, txt or pdf.")] = "html",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    allow_partial: Annotated[bool, typer.Option(help="Also before the batch has ended.")] = False,
    server: Server = None,
    api_key_file: ApiKey = None,
) -> None:
    """Read the report of a batch. Example: stratopt batch report bat_0123 -f html -o report.html."""
    if format == "pdf" and output is None:
        fail("a PDF goes to a file: add --output report.pdf", EXIT_USAGE)
    with connect(server, api_key_file) as client:
        batch = client.batch(batch_id)
        if format == "pdf":
            text = ""
            batch.report_pdf(output, allow_partial=allow_partial)
        else:
            text = batch.report(format, output, allow_partial=allow_partial)
    if output:
        say(f"wrote {output}")
    else:
        stdout.out(text, highlight=False)


@app.command()
def cancel(batch_id: BatchId, server: Server = None, api_key_file: ApiKey = None) -> None:
    """End a batch; finished results stay. Example: stratopt batch cancel bat_0123."""
    with connect(server, api_key_file) as client:
        stdout.print(client.batch(batch_id).cancel().status["status"])


@app.command()
def retry(
    batch_id: BatchId,
    server: Server = None,
    api_key_file: ApiKey = None,
    watch: Watch = False,
    as_json: AsJson = False,
    fail_on: FailOn = "any",
) -> None:
    """Submit what did not succeed as a new batch. Example: stratopt batch retry bat_0123 --watch."""
    with connect(server, api_key_file) as client:
        _tell_submitted(client.batch(batch_id).retry(), watch, as_json, fail_on)


@app.command()
def errors(batch_id: BatchId, server: Server = None, api_key_file: ApiKey = None, as_json: AsJson = False) -> None:
    """What went wrong in a batch, and what to do about it. Example: stratopt batch errors bat_0123."""
    with connect(server, api_key_file) as client:
        found = client.batch(batch_id).errors()
    if as_json:
        print_json(found)
        return
    say(f"{found['failed']} of {found['ended']} ended jobs did not succeed; the trend is {found['trend']['direction']}")
    if found["items"]:
        rows = [
            {**item, "code": item["error"]["code"], "detail": Text(item["error"]["detail"]).plain}
            for item in found["items"]
        ]
        titles = [("strategy_id", "Strategy"), ("symbol", "Symbol"), ("timeframe", "Timeframe")]
        stdout.print(table([*titles, ("status", "Status"), ("code", "Code"), ("detail", "Reason")], rows))
    for advice in found["recommendations"]:
        stdout.print(Text(f"{advice['code']} ({advice['count']}): {advice['text']}"))
    if found["failed"] and found["complete"]:
        say(f"try what failed again with: stratopt batch retry {batch_id}")


@app.command("list")
def list_batches(
    server: Server = None,
    api_key_file: ApiKey = None,
    status: Annotated[str | None, typer.Option(help="Only batches in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List batches, newest first. Example: stratopt batch list --status completed."""
    with connect(server, api_key_file) as client:
        rows = list(client.batches(max_items=limit, status=status))
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("no batches")
        return
    from stratopt.cli.batch_list import batches_table

    stdout.print(batches_table(rows))
    if any(row.get("best") for row in rows):
        say("best of many, not yet charged for the number of trials; stratopt batch results BATCH ranks them")
