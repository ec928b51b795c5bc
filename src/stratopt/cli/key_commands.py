"""``stratopt keys``: API keys of the data directory."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from stratopt.cli.output import EXIT_NOT_FOUND, EXIT_USAGE, fail, print_json, say, stdout, table

app = typer.Typer(help="API keys. From the first key on, the server asks for one.", no_args_is_help=True)
DEFAULT_SCOPES = "batches:read,batches:write"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    scopes: Annotated[
        str, typer.Option(help="Separated by commas: batches:read, batches:write, metrics:read, admin.")
    ] = DEFAULT_SCOPES,
    days: Annotated[float | None, typer.Option(min=0.0, help="Valid for so many days.")] = None,
) -> None:
    """Make a key and print it once; only its hash is kept. Example: stratopt keys create alice --days 90."""
    from stratopt.bootstrap import open_key_store
    from stratopt.optimization.api_keys import ApiKey, Scope, hash_of, new_key
    from stratopt.settings import Settings

    try:
        wanted = frozenset(Scope(text.strip()) for text in scopes.split(","))
    except ValueError as error:
        fail(f"{error}; known: {', '.join(scope.value for scope in Scope)}", EXIT_USAGE)
    now, text = time.time(), new_key()
    expires_at = None if days is None else now + days * 86_400
    key = ApiKey(key_id=f"key_{secrets.token_hex(6)}", name=name, scopes=wanted, created_at=now, expires_at=expires_at)
    open_key_store(Settings()).add(key, hash_of(text))
    stdout.print(text)
    say(f"{key.key_id} for {name!r}; this is the only time that the key is shown", "yellow")


@app.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False) -> None:
    """List the keys, without the keys themselves. Example: stratopt keys list."""
    from stratopt.bootstrap import open_key_store
    from stratopt.settings import Settings

    now = time.time()
    rows = [
        {
            "key_id": key.key_id,
            "name": key.name,
            "scopes": " ".join(sorted(key.scopes)),
            "valid": "yes" if key.is_valid(now) else "no",
            "created_at": _moment(key.created_at),
            "expires_at": _moment(key.expires_at),
            "last_used_at": _moment(key.last_used_at),
        }
        for key in open_key_store(Settings()).list()
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        say("no keys: everybody on this machine may use the server")
    else:
        stdout.print(table([(name, name.replace("_", " ").removesuffix(" at")) for name in rows[0]], rows))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="key_...")]) -> None:
    """Make a key useless, at once. Example: stratopt keys revoke key_0123."""
    from stratopt.bootstrap import open_key_store
    from stratopt.settings import Settings

    if not open_key_store(Settings()).revoke(key_id, time.time()):
        fail(f"there is no key {key_id!r}", EXIT_NOT_FOUND, "`stratopt keys list` shows them")
    say(f"revoked {key_id}")


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
