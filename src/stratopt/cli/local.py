"""What local commands work on: the data directory and the operator's strategies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratopt.market.catalogue import Catalogue
    from stratopt.strategies.catalogue import StrategyCatalogue


def local_catalogue() -> Catalogue:
    """Market data: bundled, and imported into the data directory."""
    from stratopt.market.catalogue import Catalogue
    from stratopt.settings import Settings

    return Catalogue(Settings().data_dir)


@contextmanager
def prints_on_stderr() -> Iterator[None]:
    """While the operator's code is loaded or runs: stdout is for the command's own data."""
    with redirect_stdout(sys.stderr):
        yield


def local_strategies() -> StrategyCatalogue:
    """Strategies: built in, and the operator's own; those that do not load are told on stderr."""
    from stratopt.cli.output import say
    from stratopt.settings import Settings
    from stratopt.strategies.catalogue import StrategyCatalogue

    with prints_on_stderr():
        found = StrategyCatalogue.with_own(Settings().strategy_folder)
    for problem in found.problems:
        say(f"warning: {problem.message}", "yellow")
    return found
