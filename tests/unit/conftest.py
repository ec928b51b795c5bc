"""Shared by the unit tests of jobs and reports."""

from __future__ import annotations

import pytest

from . import finished_batch


@pytest.fixture(scope="session")
def world():
    """Makers of jobs and batches: ``finished_batch``."""
    return finished_batch


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Four real results and the store of their tables, with every extra switched on."""
    return finished_batch.make_jobs(
        tmp_path_factory.mktemp("tables"),
        monte_carlo_runs=20,
        regime_analysis=True,
        random_entry_runs=50,
        permutation_runs=4,
        combinatorial_groups=4,
    )
