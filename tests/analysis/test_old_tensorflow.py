"""Predictions of what an old TensorFlow loads, held against one.

PBSLIM_OLD_TENSORFLOW names Python interpreters that have one, with a colon between them; without it nothing is tried.
TensorFlow 1.4 needs Python 3.6::

    python3.6 -m venv old && old/bin/pip install --no-deps tensorflow==1.4.0 numpy==1.16.6 protobuf==3.17.3 \\
        six==1.16.0 enum34==1.1.10
    PBSLIM_OLD_TENSORFLOW=old/bin/python python -m pytest tests/report/test_old_tensorflow.py
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import pbslim
from pbslim.analysis.compatibility import incompatibilities
from tests.shared import ROOT, SHARED

PYTHONS = [path for path in os.environ.get("PBSLIM_OLD_TENSORFLOW", "").split(os.pathsep) if path]
DIGITS = ROOT / "examples" / "digits.pb"
MODELS = [DIGITS, *sorted((SHARED / "models").glob("*/model.pb"))]
RUN = """
import ctypes, json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import warnings
warnings.simplefilter("ignore")
import numpy as np
import tensorflow as tf
from tensorflow.python import _pywrap_tensorflow_internal
library = ctypes.CDLL(_pywrap_tensorflow_internal.__file__)
for name in ("TF_NewStatus", "TF_NewGraph", "TF_NewBufferFromString", "TF_NewImportGraphDefOptions"):
    getattr(library, name).restype = ctypes.c_void_p
library.TF_NewBufferFromString.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
library.TF_Message.restype = ctypes.c_char_p

def import_graph(data):  # as Android does; Python's importer of 1.4 does not look at nodes that do not run
    made = [library.TF_NewGraph(), library.TF_NewBufferFromString(data, len(data)),
            library.TF_NewImportGraphDefOptions(), library.TF_NewStatus()]
    made = [ctypes.c_void_p(each) for each in made]
    library.TF_GraphImportGraphDef(*made)
    if library.TF_GetCode(made[-1]):
        raise ValueError(library.TF_Message(made[-1]).decode())

tf = getattr(tf, "compat", tf).v1 if hasattr(getattr(tf, "compat", tf), "v1") else tf
result = {"version": tf.__version__}
for path, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        graph_def = tf.GraphDef()
        with open(path, "rb") as file:
            data = file.read()
        import_graph(data)
        graph_def.ParseFromString(data)
        with tf.Graph().as_default():
            tf.import_graph_def(graph_def, name="")
            with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
                session.run(tf.no_op())  # hands the whole graph to the runtime
                result[path] = ""
                if folder:
                    feeds, expected = (np.load(os.path.join(folder, n), allow_pickle=True) for n in
                                       ("feeds.npz", "expected.npz"))
                    tensor = lambda name: name if ":" in name else name + ":0"
                    found = session.run([tensor(n) for n in expected.files], {tensor(n): feeds[n] for n in feeds.files})
                    for name, value in zip(expected.files, found):
                        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-4)
    except Exception as error:
        result[path] = str(error) or "failed"
print(json.dumps(result))
"""

pytestmark = pytest.mark.skipif(not PYTHONS, reason="PBSLIM_OLD_TENSORFLOW names no interpreter with an old TensorFlow")


def load_there(python: str, *models: tuple[Path, Path | None]) -> dict[str, Any]:
    """Path of each model → why it does not load or computes something else, empty when all is well."""
    args = [str(each or "") for model in models for each in model]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}  # that is for another Python
    done = subprocess.run([python, "-c", RUN, *args], capture_output=True, text=True, check=True, cwd="/", env=env)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@cache
def loaded(python: str) -> dict[str, Any]:
    """The same for all models as they are."""
    return load_there(python, *((path, None) for path in MODELS))


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("python", PYTHONS)
def test_predictions(python: str, model: Path) -> None:
    version, error = loaded(python)["version"], loaded(python)[str(model)]
    refused = [each for each in incompatibilities(pbslim.load(model), version) if each.refused]
    assert bool(error) == bool(refused), (error, refused)


@pytest.mark.parametrize("model", ["fake_quant", "mobilenet_v1_retrained", "musicnn_mtt", "lstm_while", "unfused_bn"])
@pytest.mark.parametrize("python", PYTHONS)
def test_with_the_fixes_it_loads_and_computes_the_same(python: str, model: str, tmp_path: Path) -> None:
    folder = SHARED / "models" / model
    if not folder.exists():
        pytest.skip("the shared models are not here")
    wanted = loaded(python)["version"]
    graph = pbslim.load(folder / "model.pb")
    known = json.loads((folder / "meta.json").read_text())
    for _ in range(3):  # what takes the place of an op has offenders of its own
        fixes = dict.fromkeys(each.transform for each in incompatibilities(graph, wanted) if each.transform)
        if fixes:
            inputs, outputs = ([each["name"] for each in known[key]] for key in ("inputs", "outputs"))
            pbslim.transform(graph, "\n".join(fixes), inputs, outputs)
    assert incompatibilities(graph, wanted) == []
    pbslim.save(graph, tmp_path / "fixed.pb")
    assert load_there(python, (tmp_path / "fixed.pb", folder))[str(tmp_path / "fixed.pb")] == ""
