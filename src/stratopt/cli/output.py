"""How commands speak: data on stdout, progress and advice on stderr, colour only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 160
"""Columns where the output is not a terminal: a file or a pipe has no edge that tables must be squeezed into."""

stdout = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPED_WIDTH)
stderr = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPED_WIDTH)

(
    EXIT_UNEXPECTED,
    EXIT_USAGE,
    EXIT_INVALID,
    EXIT_AUTH,
    EXIT_NOT_FOUND,
    EXIT_UNREACHABLE,
    EXIT_SOME_FAILED,
    EXIT_INTERRUPTED,
) = 1, 2, 3, 4, 5, 6, 7, 130


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def say(message: str, style: str | None = None) -> None:
    """A line on stderr."""
    stderr.print(Text(message, style=style or ""))


def fail(message: str, code: int, hint: str | None = None) -> NoReturn:
    """End with a sentence and an exit code."""
    stderr.print(Text("error: ", style="bold red") + Text(message))
    if hint:
        stderr.print(Text(hint, style="dim"))
    raise SystemExit(code)


def table(
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str | None = None,
    whole: Collection[str] = (),
) -> Table:
    """A table of ``columns`` (key, title); columns of numbers are right-aligned, lines of ``whole`` ones are never broken."""
    made = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for key, label in columns:
        numeric = all(_is_number(row.get(key)) for row in rows) if rows else False
        made.add_column(
            label,
            justify="right" if numeric else "left",
            min_width=len(label),
            overflow="fold",
            no_wrap=key in whole,
        )
    for row in rows:
        made.add_row(*(_cell(row.get(key)) for key, _ in columns))
    return made


def _cell(value: Any) -> str | Text:
    return value if isinstance(value, Text) else "" if value is None else str(value)


def _is_number(value: Any) -> bool:
    text = str(value).strip().rstrip("%").replace(",", "").removeprefix("+")
    if text in {"", "None", "n/a"}:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def report_error(error: Exception) -> int:
    """Say what happened on stderr; the answer is the exit code."""
    from pydantic import ValidationError

    from stratopt.client.errors import (
        ApiError,
        ConnectionFailedError,
        NotAuthorizedError,
        NotFoundError,
        RateLimitedError,
        ServerUnavailableError,
        StratoptClientError,
    )
    from stratopt.errors import StratoptError

    kinds: tuple[tuple[type[Exception], int], ...] = (
        (NotAuthorizedError, EXIT_AUTH),
        (NotFoundError, EXIT_NOT_FOUND),
        (RateLimitedError, EXIT_UNREACHABLE),
        (ServerUnavailableError, EXIT_UNREACHABLE),
        (ConnectionFailedError, EXIT_UNREACHABLE),
        (TimeoutError, EXIT_UNREACHABLE),
        (ApiError, EXIT_INVALID),
        (StratoptClientError, EXIT_INVALID),
        (StratoptError, EXIT_INVALID),
        (ValidationError, EXIT_INVALID),
        (OSError, EXIT_INVALID),
        (MemoryError, EXIT_INVALID),
    )
    code = next((code for kind, code in kinds if isinstance(error, kind)), EXIT_UNEXPECTED)
    if code == EXIT_UNEXPECTED:
        stderr.print_exception(show_locals=False)
        return code
    said = _wrong_settings(error.errors()) if isinstance(error, ValidationError) else str(error)
    if isinstance(error, MemoryError):
        said = f"not enough memory: {said or 'the system gave no more'}"
    stderr.print(Text("error: ", style="bold red") + Text(said))
    problems = error.errors if isinstance(error, ApiError) else getattr(error, "context", {}).get("errors", [])
    for problem in problems[:20] if len(problems) > 1 else []:
        stderr.print(Text(f"  {problem['pointer']}: {problem['detail']}"))
    return code


def _wrong_settings(problems: Sequence[Mapping[str, Any]]) -> str:
    """Environment variables that cannot be used, one sentence each."""
    return "; ".join(
        f"STRATOPT_{'_'.join(map(str, problem['loc'])).upper()}={problem['input']!r}: {problem['msg']}"
        for problem in problems
    )
