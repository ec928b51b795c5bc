"""Compiled kernels and the same code run as plain Python give the same targets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from stratopt import load_bars
from stratopt.strategies.catalogue import list_strategies

SCRIPT = """
import sys
import numpy as np
from stratopt.kernels.jit import COMPILED
from stratopt import load_bars
from stratopt.strategies.catalogue import list_strategies

assert not COMPILED
bars = load_bars("GOOG", "1d")[:900]
np.save(sys.argv[1], [strategy.target(bars, None, "long_short") for strategy in list_strategies()])
"""


def test_every_strategy_without_the_compiler(tmp_path: Path) -> None:
    """With ``STRATOPT_DISABLE_JIT`` every strategy gives bit for bit what its compiled form gives, and no warning."""
    path = tmp_path / "targets.npy"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(path)],
        env={**os.environ, "STRATOPT_DISABLE_JIT": "1"},
        check=True,
        timeout=100,
    )
    bars = load_bars("GOOG", "1d")[:900]
    for strategy, plain in zip(list_strategies(), np.load(path), strict=True):
        np.testing.assert_array_equal(strategy.target(bars, None, "long_short"), plain, err_msg=strategy.name)
