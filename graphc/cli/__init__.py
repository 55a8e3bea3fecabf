"""The command line: ``graphc tour``, ``graphc cache info|clear``, ``graphc --version``."""

from __future__ import annotations

from graphc.cli.command import main

__all__ = ["main"]
