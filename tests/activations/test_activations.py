"""Each activation against PyTorch, value and derivative, kinks and far tails included."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import activations as A
from graphc.errors import DeclarationError

torch = pytest.importorskip("torch")
F = torch.nn.functional

POINTS = np.array([-700.0, -30.0, -7.0, -3.0, -2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0, 3.0, 5.5, 30.0, 700.0])

ROWS = {
    "linear": (A.linear, lambda x: x * 1),
    "relu": (A.relu, F.relu),
    "relu with options": (
        lambda x: A.relu(x, negative_slope=0.1, max_value=4.0, threshold=1.0),
        lambda x: torch.clamp(torch.where(x > 1, x, 0.1 * (x - 1)), max=4.0),
    ),
    "relu6": (A.relu6, F.relu6),
    "leaky_relu": (A.leaky_relu, lambda x: F.leaky_relu(x, 0.2)),
    "leaky_relu 0.01": (lambda x: A.leaky_relu(x, negative_slope=0.01), lambda x: F.leaky_relu(x, 0.01)),
    "elu": (A.elu, F.elu),
    "elu alpha": (lambda x: A.elu(x, alpha=0.5), lambda x: F.elu(x, 0.5)),
    "celu": (lambda x: A.celu(x, alpha=2.0), lambda x: F.celu(x, 2.0)),
    "selu": (A.selu, F.selu),
    "gelu": (A.gelu, F.gelu),
    "gelu approximate": (lambda x: A.gelu(x, approximate=True), lambda x: F.gelu(x, approximate="tanh")),
    "sigmoid": (A.sigmoid, torch.sigmoid),
    "hard_sigmoid": (A.hard_sigmoid, F.hardsigmoid),
    "tanh": (A.tanh, torch.tanh),
    "softplus": (A.softplus, lambda x: torch.where(x > 20, x + torch.exp(-x.clamp(min=20)), F.softplus(x))),
    "softsign": (A.softsign, F.softsign),
    "silu": (A.silu, F.silu),
    "swish": (A.swish, F.silu),
    "mish": (A.mish, F.mish),
    "softmax": (A.softmax, lambda x: F.softmax(x, -1)),
    "log_softmax": (A.log_softmax, lambda x: F.log_softmax(x, -1)),
}


@pytest.mark.parity
@pytest.mark.parametrize("row", ROWS)
def test_value_and_derivative(row):
    ours, theirs = ROWS[row]
    x = gx.tensor("x", (len(POINTS),))
    weights = np.linspace(0.5, 1.5, len(POINTS))
    y = ours(x)
    gradient = gx.grad(gx.sum(y * gx.constant(weights)), x)
    value, slope = gx.evaluate([y, gradient], {x: POINTS})
    t = torch.tensor(POINTS, requires_grad=True)
    expected = theirs(t)
    (expected * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-7, atol=1e-9)
    smooth = POINTS != 0 if "leaky" not in row and "relu" not in row else np.ones(len(POINTS), bool)
    np.testing.assert_allclose(slope[smooth], t.grad.numpy()[smooth], rtol=1e-6, atol=1e-9)


def test_step_and_exponential():
    x = gx.tensor("x", (3,))
    y = A.step(x)
    values, slope = gx.evaluate([y, gx.grad(gx.sum(y), x)], {x: [-0.5, 0.0, 2.0]})
    assert values.tolist() == [0.0, 1.0, 1.0]
    assert slope.tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(gx.evaluate(A.exponential([0.0, 1.0]), {}), [1.0, np.e])


@pytest.mark.parametrize("name", A.catalogue.__all__)
def test_every_name_is_found_and_keeps_the_shape(name):
    x = gx.tensor("x", ("n", 4))
    assert A.get(name)(x).shape == x.shape


def test_unknown_activation_lists_the_known():
    with pytest.raises(DeclarationError, match=r"'rellu' is unknown.*relu, "):
        A.get("rellu")
    assert A.get(None) is A.linear


@pytest.mark.parametrize("number", [2, np.int64(2), np.float32(2), np.array(2.0)])
def test_an_option_may_be_any_number_of_numpy(number):
    values = gx.evaluate([A.leaky_relu([-1.5], number), A.elu([1.5], number), A.celu([1.5], number), A.relu([3.5], 0.0, number)], {})
    assert [v.item() for v in values] == [-3.0, 1.5, 1.5, 2.0]
