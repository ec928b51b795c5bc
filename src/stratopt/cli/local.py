"""What local commands work on: the data directory and the operator's strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratopt.market.catalogue import Catalogue
    from stratopt.strategies.catalogue import StrategyCatalogue


def local_catalogue() -> Catalogue:
    """Market data: bundled, and imported into the data directory."""
    from stratopt.market.catalogue import Catalogue
    from stratopt.settings import Settings

    return Catalogue(Settings().data_dir)


def local_strategies() -> StrategyCatalogue:
    """Strategies: built in, and the operator's own; those that do not load are told on stderr."""
    from stratopt.cli.output import say
    from stratopt.settings import Settings
    from stratopt.strategies.catalogue import StrategyCatalogue

    found = StrategyCatalogue.with_own(Settings().strategy_folder)
    for problem in found.problems:
        say(f"warning: {problem.message}", "yellow")
    return found
