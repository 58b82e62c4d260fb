"""Gradients of what a graph computes, in stock ops of TensorFlow, so that any engine can run them."""

from pbslim.gradients import arithmetic, arrays, neural  # noqa: F401 - they register their rules
from pbslim.gradients.sweep import add_gradients
from pbslim.gradients.tape import Tape

__all__ = ["Tape", "add_gradients"]
