"""The networks in PyTorch: its layers' functions, fused Adam, channels last, the attention of its fast path."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from graphc.bench import parts as p
from graphc.bench.peers import Epochs
from graphc.bench.workloads import Data, Workload

__all__ = ["epochs"]

_Step = Callable[[Any], Any]
_EPSILON, _MOMENTUM = 1e-3, 0.01  # Keras's, for its norms


class _Network:
    """The parts as functions of tensors, and their parameters; convolutions see (n, c, h, w) in memory as (n, h, w, c)."""

    def __init__(self, torch: Any) -> None:
        self.torch, self.functional = torch, torch.nn.functional
        self.parameters: list[Any] = []
        self.activations: dict[str, Callable[[Any], Any]] = {"": lambda x: x, "relu": self.functional.relu, "tanh": torch.tanh}

    def parameter(self, array: Any) -> Any:
        made = self.torch.nn.Parameter(self.torch.tensor(np.ascontiguousarray(array)))
        self.parameters.append(made)
        return made

    def step(self, part: p.Part, weights: list[Any]) -> _Step:
        make: dict[type[p.Part], Callable[[Any, list[Any]], _Step]] = {
            p.Dense: self.dense, p.Conv: self.convolution, p.BatchNorm: self.batch_norm, p.Relu: lambda _, __: self.functional.relu,
            p.MaxPool: lambda _, __: lambda x: self.functional.max_pool2d(x, 2), p.MeanPool: lambda _, __: lambda x: self.functional.avg_pool2d(x, 2),
            p.Flatten: lambda _, __: lambda x: x.permute(0, 2, 3, 1).flatten(1), p.Recurrent: self.recurrent, p.Encoder: self.encoder,
            p.MeanOverTime: lambda _, __: lambda x: x.mean(1),
        }  # fmt: skip
        return make[type(part)](part, weights)

    def dense(self, part: p.Dense, weights: list[Any]) -> _Step:
        kernel, bias = self.parameter(weights[0].T), self.parameter(weights[1])
        activation, linear = self.activations[part.activation], self.functional.linear
        return lambda x: activation(linear(x, kernel, bias))

    def convolution(self, part: p.Conv, weights: list[Any]) -> _Step:
        kernel = self.torch.tensor(np.ascontiguousarray(weights[0].transpose(3, 2, 0, 1))).to(memory_format=self.torch.channels_last)
        kernel = self.torch.nn.Parameter(kernel)
        self.parameters.append(kernel)
        bias = self.parameter(weights[1]) if part.bias else None
        activation, padding = self.activations[part.activation], part.size // 2 if part.same else 0
        return lambda x: activation(self.functional.conv2d(x, kernel, bias, padding=padding))

    def batch_norm(self, _: p.Part, weights: list[Any]) -> _Step:
        gain, bias = map(self.parameter, weights)
        mean, variance = self.torch.zeros(len(gain)), self.torch.ones(len(gain))
        return lambda x: self.functional.batch_norm(x, mean, variance, gain, bias, True, _MOMENTUM, _EPSILON)

    def recurrent(self, part: p.Recurrent, weights: list[Any]) -> _Step:
        kernel, again, bias = weights
        layer = getattr(self.torch.nn, {"SimpleRNN": "RNN"}.get(part.kind, part.kind))(kernel.shape[0], part.units, batch_first=True)
        if part.kind == "GRU":  # Keras has the update gate first, PyTorch the reset gate
            u = part.units
            places = np.r_[u : 2 * u, 0:u, 2 * u : 3 * u]
            kernel, again, bias = kernel[:, places], again[:, places], bias[:, places]
            biases = [bias[0], bias[1]]
        else:  # the second bias, which Keras has not, stays 0
            biases = [bias, np.zeros_like(bias)]
        values = (kernel.T, again.T, *biases)
        for parameter, value in zip((layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0), values, strict=True):
            parameter.data.copy_(self.torch.tensor(np.ascontiguousarray(value)))
        layer.bias_hh_l0.requires_grad_(part.kind == "GRU")
        self.parameters += [q for q in layer.parameters() if q.requires_grad]
        return lambda x: layer(x)[0][:, -1]

    def norm(self, weights: list[Any]) -> _Step:
        gain, bias = map(self.parameter, weights)
        return lambda x: self.functional.layer_norm(x, gain.shape, gain, bias, _EPSILON)

    def encoder(self, part: p.Encoder, weights: list[Any]) -> _Step:
        heads = part.heads
        # One product makes queries, keys and values, as in PyTorch's own layer.
        kernel = self.parameter(np.concatenate([w.reshape(w.shape[0], -1).T for w in weights[0:6:2]]))
        bias = self.parameter(np.concatenate([w.reshape(-1) for w in weights[1:6:2]]))
        back = self.dense(p.Dense(0), [weights[6].reshape(-1, weights[6].shape[-1]), weights[7]])
        first, second = self.norm(weights[8:10]), self.norm(weights[14:16])
        wide, narrow = self.dense(p.Dense(part.hidden, "relu"), weights[10:12]), self.dense(p.Dense(0), weights[12:14])
        attend = self.functional.scaled_dot_product_attention

        def run(x: Any) -> Any:
            q, k, v = self.functional.linear(x, kernel, bias).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
            x = first(x + back(attend(q, k, v).transpose(1, 2).flatten(2)))
            return second(x + narrow(wide(x)))

        return run

    def loss(self, workload: Workload, data: Data) -> Callable[[Any, Any], Any]:
        """The loss of a batch."""
        steps: list[tuple[p.Part, Any]] = []
        for part, weights in zip(workload.parts, data.weights, strict=True):
            pair = isinstance(part, p.Latent)
            made = [self.dense(p.Dense(0), weights[k : k + 2]) for k in (0, 2)] if pair else self.step(part, weights)
            steps.append((part, made))
        images, torch, functional = len(workload.sample) == 3, self.torch, self.functional

        def of(x: Any, beside: Any) -> Any:
            h, divergence = x.permute(0, 3, 1, 2) if images else x, None
            for part, made in steps:
                if isinstance(part, p.Latent):
                    m, s = made[0](h), made[1](h)
                    h = m + torch.exp(0.5 * s) * beside
                    divergence = -0.5 * (1 + s - m * m - torch.exp(s)).sum(1).mean()
                else:
                    h = made(h)
            if divergence is None:
                return functional.cross_entropy(h, beside)
            return functional.binary_cross_entropy_with_logits(h, x, reduction="sum") / len(x) + divergence

        return of


def epochs(workload: Workload, data: Data) -> Epochs:
    """One way: a Python loop over the batches."""
    torch: Any = import_module("torch")
    network = _Network(torch)
    loss_of = network.loss(workload, data)
    optimizer = torch.optim.Adam(network.parameters, 1e-3, eps=1e-7, fused=True)
    x = torch.tensor(data.x)
    beside = torch.tensor(data.beside if data.latent else data.beside.argmax(1))

    def epoch(order: Any) -> float:
        total = 0.0
        for batch in torch.from_numpy(order).split(workload.batch):
            optimizer.zero_grad()
            loss = loss_of(x[batch], beside[batch])
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / (len(order) // workload.batch)

    return {"eager": epoch}
