"""A run of random programs: ``python -m tests.programs --count 10000 --seed 0 --jobs 2``.

Every program is evaluated, stably and as written, run as NumPy source, and compared with PyTorch: its values and its
gradients. Every fourth one is compiled in float64, every eighth in float32 too. Kernels are kept in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from multiprocessing import get_context

from tests.programs.run import run_seeds

__all__ = ["main"]

_CHUNK = 25


def main(arguments: list[str] | None = None) -> int:
    """Run, print a summary, and say with the exit status whether all agreed."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs", description=__doc__)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", default="", help="these seeds instead, separated by commas")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--written", type=int, default=1, help="evaluate every so many programs as written too; 0: none")
    parser.add_argument("--source", type=int, default=1, help="run every so many programs as NumPy source; 0: none")
    parser.add_argument("--kernels", type=int, default=4, help="compile every so many programs in float64; 0: none")
    parser.add_argument("--single", type=int, default=8, help="compile every so many programs in float32; 0: none")
    given = parser.parse_args(arguments)
    seeds = [int(s) for s in given.seeds.split(",")] if given.seeds else list(range(given.seed, given.seed + given.count))
    every = {"written": given.written, "source": given.source, "kernels": given.kernels, "single": given.single}
    chunks = [seeds[k : k + _CHUNK] for k in range(0, len(seeds), _CHUNK)]
    done: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    failed: list[int] = []
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GRAPHC_CACHE_DIR": os.environ.get("GRAPHC_CACHE_DIR", folder), "GRAPHC_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        # An interrupt ends the run; the summary then says how far it came.
        with suppress(KeyboardInterrupt), get_context("spawn").Pool(given.jobs, maxtasksperchild=8) as pool:
            for part in pool.imap(partial(run_seeds, every=every), chunks):
                done.update(part[0])
                rows.update(part[1])
                for seed, kind, detail, text in part[2]:
                    failed.append(seed)
                    print(f"--- seed {seed}: {kind}\n{detail}\n{text}\n", flush=True)
                print(f"{done['programs']} programs, {len(failed)} failed, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"{done['programs']} programs in {time.monotonic() - start:.0f} s with {given.jobs} processes; {len(failed)} failed: {failed}")
    print("\n".join(f"{count:8} {what}" for what, count in sorted(done.items())))
    print("steps: " + ", ".join(f"{name} {count}" for name, count in rows.most_common()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
