"""Files that somebody has made to do harm: nothing in them is carried out, and what does not belong there is named."""

from __future__ import annotations

import pytest

from graphc.errors import FileFormatError
from graphc.models import load_model
from tests.models.problems import line, rewritten


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
