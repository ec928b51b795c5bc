"""What an import may cost, proved at run time in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import stratopt",
        "from stratopt import Client",
        "import stratopt.client.client",
        "import stratopt.wire.optimization",
    ],
)
def test_the_client_loads_nothing_of_the_server(statement: str) -> None:
    heavy = {"fastapi", "starlette", "sqlalchemy", "numba", "pandas", "hyperopt", "optuna", "stratopt.bootstrap"}
    assert loaded_after(statement) & heavy == set()


def test_the_command_line_loads_no_numbers_for_its_help() -> None:
    assert loaded_after("import stratopt.cli.main") & {"fastapi", "sqlalchemy", "numba", "pandas", "numpy"} == set()


def test_importing_the_package_loads_nothing_but_itself() -> None:
    assert {name for name in loaded_after("import stratopt") if name.startswith("stratopt")} == {
        "stratopt",
        "stratopt._version",
    }
