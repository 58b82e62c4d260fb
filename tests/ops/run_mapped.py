"""Run graphs with mapped constants in processes of their own; prints how each ended.

Usage:
    python run_mapped.py FOLDER

For each NAME.json in the folders of FOLDER (the outputs to fetch, and how many are to be compared) NAME.plain.pb and
NAME.mapped.pb are run. Knows nothing of pbslim, so that any Python with TensorFlow 1 or 2 can run it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def outputs(path: Path, fetches: list[str]) -> list[Any]:
    graph_def = v1.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    config = v1.ConfigProto(device_count={"GPU": 0}, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    with tf.Graph().as_default():
        v1.import_graph_def(graph_def, name="")
        with v1.Session(config=config) as session:
            session.run(fetches)
            found: list[Any] = session.run(fetches)  # the second time the constant is there already
            return found


def compare(base: Path) -> str:
    wanted = json.loads(base.with_suffix(".json").read_text())
    fetches, count = wanted["outputs"], wanted["compared"]
    try:
        plain = outputs(base.with_suffix(".plain.pb"), fetches)
    except Exception as error:  # noqa: BLE001 - of any kind that TensorFlow has
        return "not for this TensorFlow: " + " ".join(str(error).split())[:900]
    mapped = outputs(base.with_suffix(".mapped.pb"), fetches)
    if list(map(contents, plain[:count])) == list(map(contents, mapped[:count])):
        return "same"
    alike = all(is_rounded(a, b) for a, b in zip(plain[:count], mapped[:count]))  # noqa: B905
    return "rounded differently" if alike else "different"


def is_rounded(one: Any, other: Any) -> bool:
    """Whether nothing but rounding differs, by the largest value: sums that nearly cancel out keep its errors."""
    is_float = np.asarray(other).dtype.kind == "f" and np.size(other)
    return np.allclose(one, other, rtol=1e-6, atol=1e-6 * np.nanmax(np.abs(other)) if is_float else 1e-8)


def contents(result: object) -> Any:
    array = np.asarray(result)
    return array.tolist() if array.dtype == object else array.tobytes()  # NaN equals the same NaN


def answer(files: list[Path], writer: int) -> None:
    """Write what came of each case, a line for each as soon as it is known."""
    for file in files:
        try:
            said = compare(file.with_suffix(""))
        except Exception as error:  # noqa: BLE001
            said = "error: " + " ".join(str(error).split())[:900]
        os.write(writer, json.dumps(said).encode() + b"\n")


def main() -> None:
    """One process runs all cases; where it dies, the case has crashed, and another runs those that follow."""
    found: dict[str, str] = {}
    left = sorted(Path(sys.argv[1]).glob("*/*.json"))
    while left:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            answer(left, writer)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as lines:
            said = [json.loads(line) for line in lines]
        os.waitpid(child, 0)
        said += ["crash"] * (len(said) < len(left))
        found.update(zip([f"{file.parent.name}/{file.stem}" for file in left], said))  # noqa: B905 - also for Python 3.7
        left = left[len(said) :]
    print(json.dumps(found))  # noqa: T201


main()
