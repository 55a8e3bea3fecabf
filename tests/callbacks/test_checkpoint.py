"""Checkpoints: the last and the best state in one file, and runs that go on."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.callbacks import Callback, ModelCheckpoint
from graphc.errors import DataError, DeclarationError
from graphc.models import load_model
from tests.models.problems import LINE, X, line, quiet


class Script(Callback):
    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.values[epoch]


class Weights(Callback):
    def __init__(self):
        self.kept = []

    def on_epoch_end(self, epoch, logs=None):
        self.kept.append(self.model.get_weights())


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_last_and_best_and_going_on(tmp_path):
    path = tmp_path / "run"
    a, seen = line("adam"), Weights()
    quiet(a, X, LINE, epochs=4, callbacks=[Script([4, 1, 3, 2]), ModelCheckpoint(path), seen])
    assert equal(a.get_weights(), seen.kept[1])
    b = load_model(path)
    assert equal(b.get_weights(), seen.kept[3])
    assert b.epochs_done == 4
    whole, every = line("adam"), Weights()
    quiet(whole, X, LINE, epochs=6, callbacks=[every])
    going = Weights()
    quiet(b, X, LINE, epochs=2, callbacks=[Script([9, 9]), ModelCheckpoint(path), going])
    assert equal(going.kept[1], every.kept[5])
    assert equal(b.get_weights(), seen.kept[1])
    c = load_model(path)
    quiet(c, X, LINE, epochs=1, callbacks=[Script([0.5]), ModelCheckpoint(path), going])
    assert equal(c.get_weights(), going.kept[-1])


def test_names_and_best_only(tmp_path):
    a = line("adam")
    quiet(a, X, LINE, epochs=3, callbacks=[Script([2, 3, 1]), ModelCheckpoint(tmp_path / "{epoch:02d}-{val_loss:.1f}", save_best_only=True)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["01-2.0", "03-1.0"]


def test_epochs_that_are_not_validated_write_no_best(tmp_path):
    a = line("adam")
    quiet(a, X, LINE, epochs=3, validation_data=(X, LINE), validation_freq=2, callbacks=[ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True)])
    assert [p.name for p in tmp_path.iterdir()] == ["2"]


@pytest.mark.parametrize(
    ("name", "message"), [("{val_acc:.2f}", r"'val_acc' is not measured: take names among epoch, loss"), ("{}", r"filepath='.*{}'")]
)
def test_names_that_cannot_be_filled_in_are_told(tmp_path, name, message):
    with pytest.raises(DeclarationError, match=message):
        quiet(line(), X, LINE, callbacks=[ModelCheckpoint(tmp_path / name)])


def test_without_validation_the_last_is_written(tmp_path):
    a = line("adam")
    quiet(a, X, LINE, epochs=2, callbacks=[ModelCheckpoint(tmp_path / "run")])
    assert equal(load_model(tmp_path / "run").get_weights(), a.get_weights())
    with pytest.raises(DeclarationError, match=r"ModelCheckpoint watches val_loss"):
        quiet(a, X, LINE, callbacks=[ModelCheckpoint(tmp_path / "run", save_best_only=True)])
    with pytest.raises(DeclarationError, match=r"save_freq=0"):
        ModelCheckpoint(tmp_path / "run", save_freq=0)


def test_a_folder_is_made_or_told_of_before_the_first_epoch(tmp_path):
    a, seen = line("adam"), Weights()
    quiet(a, X, LINE, callbacks=[ModelCheckpoint(tmp_path / "new" / "folder" / "run")])
    quiet(a, X, LINE, callbacks=[ModelCheckpoint(tmp_path / "epoch {epoch}" / "run")])
    assert equal(load_model(tmp_path / "epoch 1" / "run").get_weights(), a.get_weights())
    assert (tmp_path / "new" / "folder" / "run").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"run cannot be written: its folder .*file cannot be made \("):
        quiet(a, X, LINE, callbacks=[seen, ModelCheckpoint(tmp_path / "file" / "run")])
    assert not seen.kept


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{val_los}", r"cannot be filled in for epoch 1: 'val_los' is not measured: take names among epoch, loss"),
        ("{}", r"cannot be filled in"),
        ("{loss:Q}", r"cannot be filled in"),
    ],
)
def test_a_name_that_cannot_be_filled_in_is_told(path, message, tmp_path):
    with pytest.raises(DeclarationError, match=message):
        quiet(line("adam"), X, LINE, callbacks=[ModelCheckpoint(tmp_path / path)])


def test_what_is_no_path_is_told():
    with pytest.raises(DeclarationError, match=r"None of ModelCheckpoint is no path: give the name of a file"):
        ModelCheckpoint(None)
