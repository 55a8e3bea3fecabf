"""Callbacks; ``gx.callbacks``. One's own subclasses :class:`Callback`."""

from __future__ import annotations

from graphc.callbacks.base import Callback, CallbackList
from graphc.callbacks.checkpoint import ModelCheckpoint
from graphc.callbacks.history import History
from graphc.callbacks.stopping import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "LearningRateScheduler", "ModelCheckpoint", "ReduceLROnPlateau", "TerminateOnNaN"]
