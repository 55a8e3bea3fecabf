"""Imports run one way: a module imports lower ranks, or its own folder without a circle."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "graphc"

# Rank by folder or top-level module, lowest first; folders on one line do not import each other.
RANKS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("expr",),
    ("ops",),
    ("stable",),
    ("autodiff",),
    ("reference",),
    ("rewrite",),
    ("source",),
    ("formula", "lower"),
    ("codegen",),
    ("runtime",),
    ("layers", "activations", "losses", "metrics", "optimizers", "schedules", "regularizers", "initializers"),
    ("models", "callbacks", "data"),
    ("view",),
    ("bench", "interop", "cli", "__init__", "__main__"),
)
# The declarations know the language and the catalogue, and each other, but nothing between.
DECLARATIONS = RANKS[11]
DECLARATIONS_MAY_IMPORT = ("errors", "expr", "ops", *DECLARATIONS)
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}
# Models, callbacks and data are one rank, layers call activations and initializers by name: circles are looked for instead.
MAY_IMPORT_SIDEWAYS = (*DECLARATIONS, *RANKS[12], *RANKS[14])
# Libraries that take long to import, and the folders that may.
HEAVY = {
    "numba": ("codegen", "runtime"),
    "llvmlite": ("codegen", "runtime"),
    "graphviz": ("view",),
    "pygraphviz": ("view",),
    "ziamath": ("view", "cli"),
    "ziafont": ("view", "cli"),
    "resvg_py": ("view",),
    "svglib": ("view",),
    "reportlab": ("view",),
    "matplotlib": ("models", "view", "cli", "data", "callbacks", "interop"),
    "sklearn": ("cli", "data", "interop"),
    "torch": ("bench", "interop"),
    "jax": ("bench",),
    "keras": ("bench",),
    "pytensor": ("bench",),
    "pandas": ("interop",),
    "polars": ("interop",),
}

# These folders know stages, reducers and scalar functions; no operation, layer, loss or optimizer is named in them.
NAMELESS = ("autodiff", "reference", "rewrite", "source", "lower", "codegen", "runtime", "formula")
NAMES = (
    "softmax", "log_softmax", "logsumexp", "relu", "matmul", "dropout", "dense", "conv1d", "conv2d", "max_pool2d", "avg_pool2d",
    "batch_norm", "layer_norm", "attention", "embedding", "one_hot", "cumsum", "mse", "mean_squared_error", "crossentropy", "binary_crossentropy",
    "categorical_crossentropy", "hinge", "adam", "sgd", "rmsprop", "adagrad", "momentum", "lstm", "gru",
)  # fmt: skip

Import = tuple[str, str, int]  # importing module, imported module, line


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def folder(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(node: ast.AST, package: list[str], known: set[str]) -> list[str]:
    """What one import statement names, as modules."""
    if isinstance(node, ast.Import):
        return [a.name for a in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]) if node.level else node.module or ""
    return [f"{base}.{a.name}" if f"{base}.{a.name}" in known else base for a in node.names]


def read_imports(files: list[Path]) -> tuple[list[Import], list[Import]]:
    """All imports of the files, wherever they stand: (at the top of a module, anywhere)."""
    known = {module_name(p) for p in files}
    top: list[Import] = []
    every: list[Import] = []
    for path in files:
        module = module_name(path)
        parts = module.split(".")
        package = parts if path.name == "__init__.py" and parts[-1] != "__init__" else parts[:-1]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            found = [(module, name, node.lineno) for name in imported(node, package, known)]  # type: ignore[attr-defined]
            every += found
            top += found if node in tree.body else []
    return top, every


FILES = sorted(ROOT.rglob("*.py"))
TOP, EVERY = read_imports(FILES)


def arrows_upward(imports: list[Import]) -> list[str]:
    wrong: list[str] = []
    for module, name, line in imports:
        if name.split(".")[0] != "graphc":
            continue
        source, target = folder(module), folder(name)
        if source == target:
            continue
        if source not in RANK or target not in RANK:
            wrong.append(f"{module}:{line} imports {name}: {source if source not in RANK else target} has no rank")
        elif source in DECLARATIONS and target not in DECLARATIONS_MAY_IMPORT:
            wrong.append(f"{module}:{line} imports {name}: declarations import the language and the catalogue alone")
        elif RANK[target] > RANK[source] or (RANK[target] == RANK[source] and source not in MAY_IMPORT_SIDEWAYS):
            wrong.append(f"{module}:{line} imports {name}: an arrow from rank {RANK[source]} to rank {RANK[target]}")
    return wrong


def circles(imports: list[Import]) -> list[str]:
    """Circles among modules, each once, as text."""
    edges: dict[str, list[str]] = {}
    modules = {module_name(p) for p in FILES} | {m for m, _, _ in imports}
    for module, name, _ in imports:
        if name in modules and name != module:
            edges.setdefault(module, []).append(name)
    state: dict[str, int] = {}
    found: list[str] = []

    def visit(module: str, path: tuple[str, ...]) -> None:
        state[module] = 1
        for target in edges.get(module, []):
            if state.get(target) == 1:
                found.append(" -> ".join([*path[path.index(target) :], target]))
            elif target not in state:
                visit(target, (*path, target))
        state[module] = 2

    for module in sorted(edges):
        if module not in state:
            visit(module, (module,))
    return found


def test_every_folder_has_a_rank() -> None:
    folders = {folder(module_name(p)) for p in FILES}
    assert sorted(folders - set(RANK)) == []


def test_no_import_points_upward() -> None:
    assert arrows_upward(EVERY) == []


def test_no_circle_among_modules() -> None:
    assert circles(TOP) == []


@pytest.mark.parametrize("library", sorted(HEAVY))
def test_heavy_libraries_stay_where_they_belong(library: str) -> None:
    uses = [(m, n, line) for m, n, line in EVERY if n.split(".")[0] == library]
    outside = [f"{m}:{line}" for m, _, line in uses if folder(m) not in HEAVY[library]]
    at_the_top = [
        f"{m}:{line}" for m, n, line in TOP if n.split(".")[0] == library and folder(m) in ("__init__", "cli", "models", "callbacks", "data")
    ]
    assert outside == []
    assert at_the_top == []


def operation_names(tree: ast.AST) -> list[str]:
    """The operations that a module's identifiers and strings name, docstrings aside."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(n.body[0].value) for n in ast.walk(tree) if isinstance(n, holders) and n.body and isinstance(n.body[0], ast.Expr)}
    found: list[str] = []
    for node in ast.walk(tree):
        words: list[str] = []
        if isinstance(node, ast.Name):
            words = [node.id]
        elif isinstance(node, ast.Attribute):
            words = [node.attr]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            words = [node.name]
        elif isinstance(node, ast.alias):
            words = [node.name, node.asname or ""]
        elif isinstance(node, ast.arg):
            words = [node.arg]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            words = re.findall(r"\w+", node.value)
        found += [f"{getattr(node, 'lineno', 0)}: {w}" for w in words if w.lower().strip("_") in NAMES]
    return found


def test_no_operation_is_named_between_the_catalogue_and_the_declarations() -> None:
    found = {module_name(p): operation_names(ast.parse(p.read_text(encoding="utf-8"))) for p in FILES if folder(module_name(p)) in NAMELESS}
    assert {module: names for module, names in found.items() if names} == {}


def test_the_reading_of_names_finds_one() -> None:
    text = '"""On softmax."""\ndef relu(x):\n    """A relu."""\n    return x.matmul("an adam step")\n'
    assert operation_names(ast.parse(text)) == ["2: relu", "4: matmul", "4: adam"]


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        (("graphc.expr.dims", "graphc.ops.linear", 3), "an arrow from rank 1 to rank 2"),
        (("graphc.layers.dense", "graphc.autodiff.sweep", 3), "declarations import"),
        (("graphc.lower.plan", "graphc.formula.print", 3), "an arrow from rank"),
        (("graphc.wonders.x", "graphc.expr.dims", 3), "has no rank"),
    ],
)
def test_the_reading_of_arrows_finds_one(source: Import, wrong: str) -> None:
    (message,) = arrows_upward([source])
    assert wrong in message


def test_the_reading_of_circles_finds_one() -> None:
    assert circles([("graphc.a", "graphc.b", 1), ("graphc.b", "graphc.a", 1)]) == ["graphc.a -> graphc.b -> graphc.a"]
    relative = ast.parse("from . import affine\nfrom ..errors import DataError").body
    known = {"graphc.expr.affine", "graphc.errors"}
    assert [imported(n, ["graphc", "expr"], known) for n in relative] == [["graphc.expr.affine"], ["graphc.errors"]]
