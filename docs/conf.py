"""Sphinx: the Markdown pages of this folder, as a site without requests to other hosts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from stratopt._version import __version__

project = "stratopt"
author = "The stratopt developers"
release = __version__
extensions = ["myst_parser"]
html_theme = "furo"
html_title = f"stratopt {release}"
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links out of this folder, to the README and the NOTICE
