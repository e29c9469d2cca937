"""Sphinx settings of the documentation; `make docs` builds it, without the internet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from generated import pages  # noqa: E402 - found by the line above

import paretoflow  # noqa: E402

project = "ParetoFlow"
author = "The ParetoFlow maintainers"
release = version = paretoflow.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_title = f"ParetoFlow {release}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
default_role = "code"
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False


def _write_generated(app: Any) -> None:
    """Write the pages that are made from the code, before Sphinx looks for pages."""
    del app
    for name, text in pages().items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> None:
    """Register the hook."""
    app.connect("builder-inited", _write_generated)
