"""The public names mean the same whatever was imported or used before them."""

import subprocess
import sys

import pytest

import stratopt


@pytest.mark.parametrize(
    "before",
    [
        "stratopt.Costs()",
        "from stratopt import Execution",
        "stratopt.backtest_signals",
        "from stratopt.backtest.costs import Costs",
        "import stratopt.backtest.engine",
    ],
)
def test_backtest_is_the_function_after_anything_else_of_its_folder(before: str) -> None:
    """A folder is called like the function; loading it first must not hide the function."""
    code = f"import stratopt; {before}; print(stratopt.backtest.__module__, stratopt.backtest.__name__)"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["stratopt.backtest.engine", "backtest"]


def test_every_public_name_resolves_to_what_it_says() -> None:
    """No public name is missing or stands for a module."""
    for name in stratopt.__all__:
        assert not isinstance(getattr(stratopt, name), type(sys)), name
