"""Every error code that the code base can give has a page: `type` of a problem, or of a batch's item, leads to it.

A strategy, a series or a search may raise anything of the library inside a worker, and its code becomes that of the item. So no
list of what workers can reach is kept here: every `code=` and every `code = ` of the sources counts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stratopt
from stratopt.api.services.titles import TITLES

SOURCES = Path(stratopt.__file__).parent
NO_ERRORS = {"Finding", "_finding", "FailedItem"}
"""What else has a `code`: a defect of market data, a line of a report."""
HANDED_ON = {"error.code", "shared"}
"""An error becomes the record of a failure: its own `code=` counts. What planning's problems share is one of the codes beside it."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        yield path.relative_to(SOURCES).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def given_codes(tree: ast.AST) -> Iterator[ast.expr]:
    """Expressions that become codes: keywords of calls, attributes of classes, names that are handed on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) not in NO_ERRORS:
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "code")
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code" and literals(node.value):
            yield node.value


def branches(expression: ast.expr) -> list[ast.expr]:
    """What an expression may be, without its conditions."""
    if isinstance(expression, ast.IfExp):
        return branches(expression.body) + branches(expression.orelse)
    return [expression]


def literals(expression: ast.expr) -> set[str]:
    """The texts among that."""
    found = [branch.value for branch in branches(expression) if isinstance(branch, ast.Constant)]
    return {value for value in found if isinstance(value, str)}


CODES = {code: where for where, tree in trees() for expression in given_codes(tree) for code in literals(expression)}


def test_the_search_finds_codes_of_every_kind() -> None:
    """Of a call, of a class, of a condition, of a name that is handed on."""
    assert {"corrupt_map", "stratopt_error", "storage_full", "not_found", "deadline_exceeded"} <= set(CODES)
    assert len(CODES) > 60


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_page(code: str) -> None:
    assert code in TITLES, f"{CODES[code]} gives {code!r}: add it to api/services/titles.py or api/problems.py"


def test_no_code_is_made_where_the_search_does_not_see_it() -> None:
    """A code is a literal where it is given, or handed on under its own name by a parameter that is only given by name."""
    hidden = []
    for where, tree in trees():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            arguments = function.args
            by_name = {a.arg for a in arguments.kwonlyargs}
            assigned = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            for branch in [branch for given in given_codes(function) for branch in branches(given)]:
                text = ast.unparse(branch)
                if literals(branch) or text in HANDED_ON or (text == "code" and "code" in by_name | assigned):
                    continue
                hidden.append(f"{where}: {function.name}: code={text}")
    assert hidden == ["errors.py: _rebuild: code=code"]  # out of a pickle
