"""A process that compiles kernels into the cache for the one that asked for them, which so need not load a compiler.

It reads lines of JSON from its input: where modules are, then one line a kernel (file, key, name, source), and leaves out those
that are kept meanwhile. Of graphc it loads only this folder: the package around it, with SymPy, is not imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["main"]


def _alone() -> None:
    """Let graphc be found as a bare folder, so that importing a part of it imports no more."""
    package = ModuleType("graphc")
    package.__path__ = [str(Path(__file__).parent.parent)]
    sys.modules["graphc"] = package


def main() -> None:
    """Compile what the input asks for, in that order; what this front-end does not know is left to whoever asked."""
    from graphc.codegen.expressions import Unknown
    from graphc.codegen.machine_code import keep
    from graphc.codegen.native import object_code
    from graphc.codegen.translate import translate

    for line in sys.stdin:
        path, key, name, source = json.loads(line)
        if not Path(path).exists():
            try:
                keep(Path(path), key, name, object_code(translate(source)))
            except Unknown:
                continue


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.stdin.readline())
    _alone()
    main()
