"""Files that somebody has made to do harm: nothing in them is carried out, and what does not belong there is named."""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import pytest

import graphc as gx
from graphc.errors import DataError, FileFormatError
from graphc.models import load_model
from graphc.models.encoding import _read_formula
from tests.models.problems import X, line, rewritten


class TouchedError(Exception):
    """What a text in a file raises where it is carried out."""


EVIL = "__import__('tests.models.test_saving_hostile').models.test_saving_hostile.touch()"


def touch():
    raise TouchedError


def in_optimizer(**changes):
    return lambda content: content["compiled"]["optimizer"].update(changes)


def in_losses(loss, metrics=()):
    return lambda content: content["compiled"].update(losses=[[loss, 1.0, list(metrics)]])


# What is changed in a file, and what the error says.
ATTACKS = {
    "a text as a number of a loss": (in_losses({"class": "Huber", "options": {"delta": EVIL}}), "the option delta of the loss Huber"),
    "a text in a list": (in_losses({"class": "Huber", "options": {"delta": [1.0, EVIL]}}), "the option delta of the loss Huber"),
    "a table as a number": (in_losses({"class": "Huber", "options": {"delta": {"a": EVIL}}}), "the option delta of the loss Huber"),
    "an unknown reduction": (in_losses({"class": "Huber", "options": {"reduction": EVIL}}), "the option reduction of the loss Huber"),
    "an unknown option": (in_losses({"class": "Huber", "options": {"formula": 1.0}}), "has no option 'formula'"),
    "the base of losses": (in_losses({"class": "Loss", "options": {}}), "the loss 'Loss' is unknown"),
    "a function that is no loss": (in_losses({"function": "get"}), "the loss 'get' is unknown"),
    "a module of losses": (in_losses({"class": "margin", "options": {}}), "the loss 'margin' is unknown"),
    "an option of a metric": (
        in_losses({"function": "hinge"}, [{"name": "a", "of": "Precision", "options": {"thresholds": EVIL}}]),
        "the option thresholds of the metric Precision",
    ),
    "a metric that is none": (in_losses({"function": "hinge"}, [{"name": "a", "of": "get", "options": {"metric": "mse"}}]), "'get' is unknown"),
    "an option of an optimizer": (in_optimizer(**{"class": "SGD", "options": {"momentum": EVIL}}), "the option momentum of the optimizer SGD"),
    "the base of optimizers": (in_optimizer(**{"class": "Optimizer", "options": {}}), "the optimizer 'Optimizer' is unknown"),
    "a function for an optimizer": (in_optimizer(**{"class": "rule", "options": {"update": 1}}), "the optimizer 'rule' is unknown"),
    "a text as a rate": (in_optimizer(rate=EVIL), "the learning rate"),
    "an option of a schedule": (
        in_optimizer(schedule={"class": "ExponentialDecay", "options": {"initial_learning_rate": EVIL, "decay_steps": 1, "decay_rate": 1}}),
        "the option initial_learning_rate of the schedule ExponentialDecay",
    ),
    "a schedule within": (
        in_optimizer(schedule={"class": "Warmup", "options": {"steps": 2, "schedule": {"class": "Constant", "options": {"learning_rate": EVIL}}}}),
        "the option learning_rate of the schedule Constant",
    ),
    "a function for a schedule": (in_optimizer(schedule={"class": "as_schedule", "options": {"rate": 1}}), "the schedule 'as_schedule' is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_in_a_file_is_carried_out(attack, tmp_path):
    change, message = ATTACKS[attack]
    line("sgd").save(tmp_path / "m")
    rewritten(tmp_path / "m", lambda content: None)
    load_model(tmp_path / "m")
    rewritten(tmp_path / "m", change)
    with pytest.raises(FileFormatError, match=message):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(("place", "value"), [(1, -1), (1, 5), (2, 1000), (4, 1000), (4, -1)])
def test_numbers_made_of_scalars_that_are_not_there_are_told(place, value, tmp_path):
    made = line("sgd", metrics=["mae"])
    made.fit(X, X[:, :1], verbose=0, sample_weight=np.ones(len(X)))
    made.save(tmp_path / "m")
    load_model(tmp_path / "m").evaluate(X, X[:, :1], verbose=0)
    rewritten(tmp_path / "m", lambda content: content["compiled"]["plans"][0]["readers"][-1].__setitem__(place, value))
    with pytest.raises(FileFormatError, match="is made of the scalars"):
        load_model(tmp_path / "m")


def node(content, op):
    return next(n for n in content["nodes"] if n["op"] == op)


def product(content):
    return next(n for n in content["nodes"] if n["op"] == "stage" and n["reducer"] == "sum")


def reshaped(content, shape):
    node(content, "reshape")["shape"] = shape
    node(content, "reshape")["outputs"][0]["shape"] = shape


# What would leave an array, or take memory without end.
LEAVING = {
    "a place of reading": lambda c: product(c)["reads"][0][1][0].__setitem__(1, 10**6),
    "a place below": lambda c: product(c)["reads"][0][1][0].__setitem__(1, -1),
    "a factor": lambda c: product(c)["reads"][1][1][0].__setitem__(0, [[2, 3]]),
    "a place of writing": lambda c: product(c)["write"][1].__setitem__(1, 7),
    "a longer axis": lambda c: product(c)["extents"].__setitem__(2, 400),
    "a view that is larger": lambda c: reshaped(c, [[[["n"], 1]], 70]),
    "a view of a fixed size": lambda c: reshaped(c, [10**9]),
    "another name that is larger": lambda c: node(c, "layer")["outputs"][0].update(shape=[[[["n"], 1]], 70]),
    "a constant of another size": lambda c: next(n for n in c["nodes"] if n.get("kind") == "constant")["outputs"][0].update(shape=[70]),
    "a random node's number": lambda c: node(c, "random").update(key="0; touch("),
    "a random node's shape": lambda c: node(c, "random").update(shape=[3]),
    "a size": lambda c: product(c)["extents"].__setitem__(2, 10**30),
    "a truth value for a size": lambda c: product(c)["extents"].__setitem__(2, True),
}


def model_of_all():
    x = gx.layers.Input((2, 2))
    y = gx.layers.Dense(7)(gx.reshape(x, (-1, 4))) * gx.constant(np.arange(7.0))
    return gx.Model(x, gx.layers.Dropout(0.5)(y))


@pytest.mark.parametrize("row", LEAVING)
def test_no_formula_leaves_its_arrays(row, tmp_path):
    path = tmp_path / "m"
    model_of_all().save(path)
    rewritten(path, lambda content: None)
    images = X.reshape(-1, 2, 2)
    assert load_model(path).predict(images).shape == (60, 7)
    rewritten(path, LEAVING[row])
    with pytest.raises((FileFormatError, DataError, gx.ShapeError)):
        load_model(path).predict(images)


@pytest.mark.parametrize(
    "formula",
    [
        ["Pow", {"int": "7"}, {"int": str(10**12)}],
        ["Pow", {"int": "2"}, {"rational": [str(10**15 + 1), "2"]}],
        {"float": [0, "1", 10**12, 53]},
        {"float": [0, "1", 0, 10**12]},
    ],
    ids=str,
)
def test_numbers_without_end_are_not_worked_out(formula):
    with pytest.raises(FileFormatError, match=r"(is not worked out|more digits than are read)"):
        _read_formula(formula)


def archived(path, how, parts):
    """A file of the right form with other parts in its archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    body = buffer.getvalue()
    path.write_bytes(b"graphc model 1\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def huge():
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    return buffer.getvalue()


PARTS = {
    "a part that unfolds": (zipfile.ZIP_DEFLATED, {"model.json": b" " * 10**6}),
    "nested lists": (zipfile.ZIP_STORED, {"model.json": b"[" * 10**5}),
    "an array larger than memory": (zipfile.ZIP_STORED, {"model.json": b"{}", "arrays/0.npy": huge()}),
    "a pickle for an array": (zipfile.ZIP_STORED, {"model.json": b"{}", "arrays/0.npy": b"\x80\x04N."}),
    "an archive for an array": (zipfile.ZIP_STORED, {"model.json": b"{}", "arrays/0.npy": b"PK\x05\x06" + b"\0" * 18}),
}


@pytest.mark.parametrize("row", PARTS)
def test_parts_that_do_not_belong_in_a_file_are_told(row, tmp_path):
    how, parts = PARTS[row]
    archived(tmp_path / "m", how, parts)
    with pytest.raises(FileFormatError, match=r"m is damaged"):
        load_model(tmp_path / "m")
