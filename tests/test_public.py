"""The public names: those that are promised exist, have a docstring and types, and every operation has a row."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types
from typing import Any

import pytest

import graphc as gx
from tests.operations import covered

# Declared tensors, index notation, gradients, errors and the like: what is no operation on tensors.
NOT_OPERATIONS = {
    *("CompileError", "DataError", "DeclarationError", "DerivationError", "FileFormatError", "GraphcError", "ShapeError"),
    *("Tensor", "GradientReport", "Derivation", "Picture", "Frames", "Paths", "Compiled", "Model", "Sequential"),
    *("tensor", "parameter", "constant", "state", "scalar", "scalars", "scope", "leaves", "parse"),
    *("Sum", "Prod", "Max", "Min", "indices"),  # rows of `define` cross them
    *("evaluate", "check_gradients", "compile", "derive", "draw", "frames", "paths", "load_model"),
}
# Random nodes have no NumPy twin: tests/test_randomness.py is theirs.
DRAWN = {"random.normal", "random.uniform", "random.bernoulli", "nn.dropout"}
SPACES = ("nn", "linalg", "random")

PROMISED = """
scalar scalars tensor parameter constant state leaves scope indices define Sum Prod Max Min function by_phase inference assign scan exp log
log1p expm1 sqrt abs sign sin cos tan tanh sinh cosh arctan erf maximum minimum where clip equal isfinite sum prod mean var std max min
argmax cumsum reshape transpose swapaxes squeeze expand_dims broadcast_to concatenate stack split pad flip take one_hot dot matmul outer
einsum trace diag diagonal norm logsumexp softmax log_softmax sigmoid softplus relu linalg.inv linalg.det linalg.logdet nn.conv1d nn.conv2d
nn.conv2d_transpose nn.max_pool1d nn.max_pool2d nn.avg_pool1d nn.avg_pool2d nn.batch_norm nn.layer_norm nn.attention nn.embedding nn.dropout
random.normal random.uniform random.bernoulli evaluate grad vjp jacobian hessian hvp check_gradients derive parse draw frames paths compile
Sequential Model load_model models layers activations losses metrics optimizers schedules regularizers initializers callbacks data
layers.Dense layers.Dropout layers.Layer layers.Input layers.Embedding layers.RReLU activations.step losses.mse losses.MSE losses.Perceptron
optimizers.Adam optimizers.SGD optimizers.rule optimizers.schedules schedules.OneCycle callbacks.EarlyStopping Tensor GraphcError
DeclarationError ShapeError DerivationError CompileError DataError FileFormatError
""".split()


def resolve(name: str) -> Any:
    found: Any = gx
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def names_of(space: Any) -> list[str]:
    """The public names of a namespace that are no modules."""
    found = {n: getattr(space, n) for n in space.__all__}
    return sorted(n for n, v in found.items() if callable(v) and str(getattr(v, "__module__", "graphc")).startswith("graphc"))


def operations() -> list[str]:
    """Every public name that takes tensors to a tensor."""
    plain = [n for n in names_of(gx) if n not in NOT_OPERATIONS and not isinstance(resolve(n), types.ModuleType)]
    return plain + [f"{space}.{n}" for space in SPACES if resolve(space) is not None for n in names_of(resolve(space))]


@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_exists(name: str) -> None:
    assert resolve(name) is not None


def test_the_list_of_public_names_is_whole() -> None:
    assert len(gx.__all__) == len(set(gx.__all__))
    assert sorted({n.split(".")[0] for n in PROMISED} - set(gx.__all__)) == []
    shown = [n for n in dir(gx) if not n.startswith("_") and not isinstance(getattr(gx, n), types.ModuleType)]
    assert [n for n in shown if n not in gx.__all__ and str(getattr(getattr(gx, n), "__module__", "")).startswith("graphc")] == []


def test_a_star_imports_the_public_names_and_no_others() -> None:
    names: dict[str, Any] = {}
    exec("from graphc import *", names)
    assert sorted(set(names) - {"__builtins__"}) == sorted(gx.__all__)


def test_every_operation_has_a_row() -> None:
    assert [n for n in operations() if n not in covered() and n not in DRAWN] == []


def test_the_list_of_operations_is_not_empty() -> None:
    assert {"exp", "matmul", "softmax", "define", "grad", "nn.embedding"} <= set(operations())
    assert len(operations()) > 80


def test_every_row_is_of_a_public_name() -> None:
    assert sorted(n for n in covered() if n != "getitem" and resolve(n) is None) == []


@pytest.mark.parametrize("name", names_of(gx))
def test_every_public_name_has_a_docstring_and_types(name: str) -> None:
    found = resolve(name)
    assert found.__doc__
    assert len(found.__doc__) > 15
    target = found.__init__ if inspect.isclass(found) and "__init__" in vars(found) else found
    if inspect.isfunction(target):
        missing = [p.name for p in inspect.signature(target).parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")]
        assert missing == []


def test_importing_it_imports_nothing_heavy() -> None:
    text = "import sys, graphc; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = set(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split())
    assert "sympy" in loaded
    heavy = {
        "numba",
        "llvmlite",
        "matplotlib",
        "sklearn",
        "torch",
        "scipy",
        "pandas",
        "graphviz",
        "pygraphviz",
        "ziamath",
        "svglib",
        "reportlab",
        "resvg_py",
    }
    assert loaded & heavy == set()


def test_it_says_which_version_it_is() -> None:
    from importlib.metadata import PackageNotFoundError, version

    assert gx.__version__.count(".") == 2
    try:
        assert version("graphc") == gx.__version__
    except PackageNotFoundError:
        import tomllib
        from pathlib import Path

        project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["version"] == gx.__version__
