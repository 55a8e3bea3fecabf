"""The command line: ``graphc tour``, ``draw``, ``derive``, ``bench``, ``cache``, ``graphc --version``."""

from __future__ import annotations

from graphc.cli.command import main

__all__ = ["main"]
