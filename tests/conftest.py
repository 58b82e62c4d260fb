"""What all tests have in common."""

from __future__ import annotations

import os

# TensorFlow chooses its kernels by the processor, and their results differ in the last digits.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
