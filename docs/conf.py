"""How Sphinx builds these pages."""

from __future__ import annotations

import graphc

project = "graphc"
author = "the graphc authors"
copyright = f"2026, {author}"
release = version = graphc.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "graphc"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
