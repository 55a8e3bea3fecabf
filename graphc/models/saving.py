"""Models as files: one file, formulas and numbers, no code and no pickle; nothing in it is trusted.

The file is a line that names the format, a digest of what follows, and a zip archive of one JSON text and the arrays.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import FileFormatError, GraphcError
from graphc.expr.graph import topological
from graphc.expr.operation import Leaf
from graphc.expr.tensor import Tensor
from graphc.expr.verify import GraphDefectError, verify
from graphc.formula.files import path_of, write_file
from graphc.layers.base import Layer
from graphc.layers.mask import Masked, set_mask
from graphc.layers.output import LayerOutput
from graphc.metrics.catalogue import RESULTS
from graphc.models.calls import SavedCall, call_data, flat, read_call, saved_call
from graphc.models.encoding import Decoder, Encoder, with_bodies
from graphc.models.model import Model
from graphc.models.program import Measured, Reader
from graphc.models.restored import RestoredLayer
from graphc.models.sequential import Sequential
from graphc.models.settings import loss_data, metric_data, optimizer_data, restored_loss, restored_metric, restored_optimizer

__all__ = ["load_model", "save_model"]

_MAGIC = b"graphc model 1\n"
_TOO_LARGE = (MemoryError, OverflowError, RecursionError)
_DATE = (2000, 1, 1, 0, 0, 0)  # one date for all, so that equal models are equal files


def save_model(model: Any, path: Any, best: Any = None) -> None:
    """Write a model to a file; see :meth:`graphc.models.Model.save`."""
    target = path_of(path, "model.save")
    model.get_weights()
    plans = _plans(model)
    optimizer = model.optimizer
    slots = [] if optimizer is None else optimizer.slots
    terms = {layer: model.kept_terms(layer.own_terms) for layer in dict.fromkeys(model.nested)}
    roots: list[Tensor] = [*model.inputs, *model.outputs, *model.weights, *(t for pairs in terms.values() for t, _ in pairs)]
    for _, plan, updates in plans:
        roots += [*plan.targets, *([] if plan.weight is None else [plan.weight]), *plan.scalars, *updates]
    for s in slots:
        roots += [*s.parameters, *s.variables]
    calls = _complete(roots)
    encoder = Encoder(roots)
    ref = encoder.ref
    for layer in model.layers:
        _number(encoder, layer)
    content = {
        "name": model.name,
        "inputs": [ref(t) for t in model.inputs],
        "outputs": [ref(t) for t in model.outputs],
        "kind": "Sequential" if isinstance(model, Sequential) else "Model",
        "several": model.several,
        "losses": [ref(t) for t, _ in terms[model]],
        "layers": [encoder.layer(layer) for layer in model.layers],
        "trainable": model.trainable,
        "seed": model.seed,
        "epochs_done": model.epochs_done,
        "dtype": model.float_type,
        "compiled": None if optimizer is None else _compiled(model, plans, ref),
    }
    known = {layer: encoder.layer(layer) for layer in encoder.layers} | {model: -1}
    content["compiled_flags"] = [[known[layer], on] for layer, on in model.compiled_flags.items() if layer in known]
    content["layer_table"] = [_layer(encoder, layer, terms.get(layer, []), calls.get(layer)) for layer in encoder.layers]
    content["nodes"] = encoder.nodes
    if best is not None:
        monitor, value, (values, epochs) = best
        start = len(encoder.arrays)
        encoder.arrays += [array for _, array in values]
        content["best"] = [monitor, float(value), [[ref(t), start + k] for k, (t, _) in enumerate(values)], epochs]
    _write(target, content, encoder.arrays)


def _number(encoder: Encoder, layer: Any) -> None:
    encoder.layer(layer)
    for part in layer.sublayers if not hasattr(layer, "layers") else layer.layers:
        _number(encoder, part)


def _complete(roots: list[Tensor]) -> dict[Any, SavedCall]:
    """Add the masks that tensors carry, and of the last call of each layer all that it gave; the calls by layer.

    A mask of other inputs than those in the graph, and a call on other tensors, belong to another model.
    """
    while True:
        nodes = dict.fromkeys(sorted(with_bodies(roots), key=lambda n: n.serial))
        carried = [n.op.mask for n in nodes if isinstance(n.op, Masked) and n.op.mask is not None]
        more = [m for m in carried if all(n in nodes for n in topological([m]) if isinstance(n.op, Leaf))]
        calls: dict[Any, SavedCall] = {}
        for node in nodes:
            if isinstance(node.op, LayerOutput):
                call = node.op.layer.saved if node.op.call is None else saved_call(node.op.layer, node.op.call)
                if call is not None and all(t.node in nodes for t in flat(call.values.values())):
                    calls[node.op.layer] = call
        more += [t for call in calls.values() for t in [*call.tensors, *call.ends]]
        if all(t.node in nodes for t in more):
            return calls
        roots += more


def _layer(encoder: Encoder, layer: Any, terms: Sequence[tuple[Tensor, tuple[Tensor, ...]]], call: SavedCall | None) -> dict[str, Any]:
    parts = layer.layers if hasattr(layer, "layers") else layer.sublayers
    kind = getattr(layer, "kind", type(layer).__name__)
    return {
        "name": layer.name, "kind": kind, "trainable": layer.trainable, "parts": [encoder.layer(p) for p in parts],
        "weights": [[name, encoder.ref(w)] for name, w in layer.own_weights],
        "terms": [[encoder.ref(t), [encoder.ref(o) for o in outputs if encoder.holds(o)]] for t, outputs in terms],
        "call": None if call is None else call_data(call, encoder.ref),
    }  # fmt: skip


def _plans(model: Any) -> list[tuple[tuple[Any, bool], Measured, list[Tensor]]]:
    """The formulas of training that the model has so far, or the usual ones."""
    if model.optimizer is None:
        return []
    keys = [(key[1], key[2]) for key in model.plans if key[0] == "measured"]
    if not keys:
        model.objective()
        keys = [(key[1], key[2]) for key in model.plans if key[0] == "measured"]
    found: list[tuple[tuple[Any, bool], Measured, list[Tensor]]] = []
    for kinds, weighted in keys:
        plan = model.plans[("measured", kinds, weighted)]
        exact = [(t.dtype, t.shape) for t in plan.targets]
        found.append(((kinds, weighted), plan, model.updates(exact, weighted) if model.trained[0] else []))
    return found


def _compiled(model: Any, plans: Any, ref: Any) -> dict[str, Any]:
    return {
        "target": model.target,
        "optimizer": optimizer_data(model.optimizer, ref),
        "losses": [[loss_data(o.function), o.share, [metric_data(m) for m in o.metrics]] for o in model.objectives],
        "plans": [
            {
                "kinds": kinds, "weighted": weighted, "targets": [ref(t) for t in plan.targets],
                "weight": None if plan.weight is None else ref(plan.weight), "scalars": [ref(t) for t in plan.scalars],
                "readers": [[r.name, r.start, r.stop, _result(r), r.over] for r in plan.readers], "updates": [ref(t) for t in updates],
            }
            for (kinds, weighted), plan, updates in plans
        ],
    }  # fmt: skip


def _result(reader: Reader) -> str | None:
    for name, function in RESULTS.items():
        if reader.result is function:
            return name
    if reader.result is not None:
        raise GraphcError(f"the metric {reader.name} makes its number by a function of your own, which cannot be saved: compile without it first")
    return None


def _write(path: Path, content: Any, arrays: list[Any]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("model.json", _DATE), json.dumps(content, separators=(",", ":")))
        for k, array in enumerate(arrays):
            part = io.BytesIO()
            np.save(part, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"arrays/{k}.npy", _DATE), part.getvalue())
    body = buffer.getvalue()
    write_file(path, _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body, beside=True)


def load_model(path: Any) -> Model:
    """Read a model that :meth:`graphc.models.Model.save` wrote; no code in the file is run, for there is none.

    Raises:
        DeclarationError: for what is no path.
        FileFormatError: for a file that is missing, damaged, or not graphc's.
    """
    content, arrays = _read(path_of(path, "gx.load_model"))
    try:
        return _restore(content, arrays)
    except FileFormatError as error:
        raise FileFormatError(f"{path} cannot be read: {error}") from None
    except GraphDefectError as error:
        raise FileFormatError(f"{path} is damaged: a formula in it breaks the rules of graphs ({error})") from None
    except (GraphcError, KeyError, ValueError, TypeError, IndexError, AttributeError, ArithmeticError, *_TOO_LARGE) as error:
        raise FileFormatError(f"{path} is damaged: {type(error).__name__} while reading it ({error})") from None


def _read(path: Path) -> tuple[Any, list[Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path} cannot be opened: {error.strerror}") from None
    if not data.startswith(_MAGIC):
        raise FileFormatError(f"{path} is no model of this version of graphc: its first line is not {_MAGIC.decode().strip()!r}")
    start = len(_MAGIC) + 65
    if hashlib.sha256(data[start:]).hexdigest().encode() != data[len(_MAGIC) : start - 1]:
        raise FileFormatError(f"{path} is damaged: its content does not fit its digest")
    try:
        with zipfile.ZipFile(io.BytesIO(data[start:])) as archive:
            # What is not stored plainly, or stands in several entries at once, could unfold to more than there is memory.
            if any(i.compress_type != zipfile.ZIP_STORED for i in archive.infolist()) or sum(i.file_size for i in archive.infolist()) > len(data):
                raise FileFormatError(f"{path} is damaged: its parts are not stored as graphc stores them")
            content = json.loads(archive.read("model.json"))
            count = sum(name.startswith("arrays/") for name in archive.namelist())
            arrays = [np.lib.format.read_array(io.BytesIO(archive.read(f"arrays/{k}.npy")), allow_pickle=False) for k in range(count)]
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, NotImplementedError, *_TOO_LARGE) as error:
        raise FileFormatError(f"{path} is damaged: {error}") from None
    return content, arrays


def _restore(content: Any, arrays: list[Any]) -> Model:
    layers = [RestoredLayer(str(d["name"]), str(d["kind"]), bool(d["trainable"])) for d in content["layer_table"]]
    decoder = Decoder(content["nodes"], arrays, layers)
    at = decoder.tensor
    for layer, data in zip(layers, content["layer_table"], strict=True):
        terms = [(at(r), tuple(at(o) for o in outputs)) for r, outputs in data.get("terms", ())]
        layer.own([(str(name), at(r)) for name, r in data["weights"]], terms)
        if data.get("call") is not None:
            layer.remember(read_call(data["call"], at))
        layer.parts = [layers[k] for k in data["parts"]]
    decoder.mark_outputs()
    outputs = [at(r) for r in content["outputs"]]
    for output, mask in zip(outputs, content.get("masks", ()), strict=False):  # as files of earlier days have them
        if mask is not None:
            set_mask(output, at(mask))
    row = [layers[k] for k in content["layers"]]
    kind = Sequential if content.get("kind") == "Sequential" and all(layer.saved for layer in row) else Model
    made = outputs if content["several"] else outputs[0]
    model: Model = kind(inputs=[at(r) for r in content["inputs"]], outputs=made, name=str(content["name"]))
    model.adopt(row, [at(r) for r in content["losses"]])
    model.set_flags({model: bool(content["trainable"])})
    model.seed, model.epochs_done = int(content["seed"]), int(content["epochs_done"])
    compiled = content["compiled"]
    if compiled is not None:
        flags: dict[Layer, bool] = {model if k < 0 else layers[k]: bool(on) for k, on in content["compiled_flags"]}
        _restore_training(model, compiled, str(content["dtype"]), at, flags)
    verify(decoder.tensors)
    if "best" in content:
        monitor, value, places, epochs = content["best"]
        model.best = str(monitor), float(value), ([(at(r), arrays[k]) for r, k in places], int(epochs))
    return model


def _restore_training(model: Model, data: Any, dtype: str, at: Any, flags: dict[Layer, bool]) -> None:
    functions = [restored_loss(entry) for entry, _, _ in data["losses"]]
    wanted = [[restored_metric(m) for m in ms] for _, _, ms in data["losses"]]
    several = len(functions) > 1
    model.compile(
        restored_optimizer(data["optimizer"], at), functions if several else functions[0],
        loss_weights=[share for _, share, _ in data["losses"]], metrics=wanted if several else wanted[0], target=_target(data["target"]), dtype=dtype,
    )  # fmt: skip
    model.compiled_flags = flags
    trained = model.trained
    for plan in data["plans"]:
        kinds = tuple((kind, tuple(shape)) for kind, shape in plan["kinds"])
        readers = tuple(_reader(plan, *entry) for entry in plan["readers"])
        weight = None if plan["weight"] is None else at(plan["weight"])
        made = Measured(tuple(at(r) for r in plan["targets"]), weight, tuple(at(r) for r in plan["scalars"]), readers)
        model.plans[("measured", kinds, bool(plan["weighted"]))] = made
        if plan["updates"]:
            model.plans[("updates", kinds, bool(plan["weighted"]), trained)] = [at(r) for r in plan["updates"]]


def _reader(plan: Any, name: Any, start: Any, stop: Any, result: Any, over: Any) -> Reader:
    """A named number of a plan. Older files say whether it is divided by the mean of the weights, the second scalar.

    Raises:
        FileFormatError: for one that reads what is not there.
    """
    if isinstance(over, bool):
        over = 1 if over and plan["weight"] is not None else None
    count = len(plan["scalars"])
    if not 0 <= start < stop <= count or (over is not None and not 0 <= over < count):
        raise FileFormatError(f"the number {name!r} is made of the scalars {start} to {stop} over {over}, and there are {count}")
    return Reader(str(name), int(start), int(stop), None if result is None else RESULTS[result], None if over is None else int(over))


def _target(wanted: str) -> str:
    """What a saved model is compiled for: what it was, or the processor where this machine cannot run that."""
    from graphc.codegen.cuda.available import missing

    reason = missing() if wanted == "cuda" else None
    if reason is None:
        return wanted
    warnings.warn(f'the model was compiled with target="cuda", which cannot be used here: {reason}. It is loaded with target="cpu"', stacklevel=5)
    return "cpu"
