"""Parts of the system that some tests need."""

from __future__ import annotations

import atexit
import ctypes.util
import os
import shutil
import tempfile

import pytest

os.environ.setdefault("STRATOPT_CONFIG_FILE", os.devnull)  # what the machine's user has configured is no part of a test
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="stratopt-tests-")  # nor is what that user has imported
atexit.register(shutil.rmtree, os.environ["XDG_DATA_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def pango() -> None:
    """The library that draws a PDF's text. Without it the test is skipped with the way out, in CI it fails."""
    if ctypes.util.find_library("pangoft2-1.0"):
        return
    told = "Pango is not installed: apt install libpango-1.0-0 libpangoft2-1.0-0"
    if os.environ.get("CI") == "true":
        pytest.fail(told)
    pytest.skip(told)
