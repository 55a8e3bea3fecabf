"""The commands and their arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from graphc.cli.bench import add_bench
from graphc.cli.formulas import add_commands
from graphc.errors import DataError, GraphcError

__all__ = ["main"]

_LARGEST_SEED = 2**32 - 1  # scikit-learn's, which splits the data


class _Parser(argparse.ArgumentParser):
    """One line and exit status 2 for wrong arguments."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 where it went well, 2 with one line where its arguments are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given))
    except GraphcError as error:
        sys.stderr.write(f"graphc: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"graphc: {error.filename or 'a file'} cannot be used: {error.strerror or error}\n")
        return 2


def _parser() -> _Parser:
    from graphc import __version__

    parser = _Parser(prog="graphc", description="Write a network once, as formulas: gradients, derivations, pictures and fast kernels follow.")
    parser.add_argument("--version", action="version", version=f"graphc {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    tour = commands.add_parser(
        "tour",
        help="declare, draw, derive, compile and train a network, and leave one page of all that",
        description="Declares a 30-30-15-1 network for the Wisconsin breast-cancer data, draws it forward and backward, derives one gradient and "
        "checks it, compiles and trains the network, and leaves one self-contained HTML page. Needs scikit-learn for the data.",
    )
    tour.add_argument("--out", type=Path, metavar="DIR", help="where the page goes; by default the folder graphc-tour here")
    tour.add_argument("--seed", type=int, default=0, help="the seed of weights, order and dropout (default 0)")
    tour.set_defaults(run=_tour)
    add_commands(commands)
    add_bench(commands)
    cache = commands.add_parser("cache", help="the compiled kernels kept on disk", description="Shows or empties the cache of compiled kernels.")
    cache.add_argument("action", choices=("info", "clear"))
    cache.set_defaults(run=_cache)
    return parser


def _tour(given: argparse.Namespace) -> int:
    from graphc.cli.tour import tour

    if not 0 <= given.seed <= _LARGEST_SEED:
        raise DataError(f"--seed {given.seed}: a number from 0 to {_LARGEST_SEED}")
    tour(given.out or Path("graphc-tour"), given.seed)
    return 0


def _cache(given: argparse.Namespace) -> int:
    from graphc.codegen.folder import LIMIT, cache_contents, cache_directory, clear_cache

    if given.action == "clear":
        sys.stdout.write(f"{clear_cache()} files removed from {cache_directory()}\n")
        return 0
    kept = cache_contents()
    sys.stdout.write(
        f"{kept.kernels} kernels in {kept.files} files, {kept.size / 1e6:.1f} MB of at most {LIMIT / 1e6:.0f}, in {kept.folder}\n"
        "What was not used for longest goes first; GRAPHC_CACHE_DIR sets another folder.\n"
    )
    return 0
