"""Make src/pbslim/ops/kernels-<release>.tsv.gz: which C++ class computes an op on the CPU, for which types.

Run it once with each TensorFlow that a table is wanted of; the same TensorFlow always gives the same bytes::

    python3.7 scripts/make_kernel_table.py src/pbslim/ops    # where TensorFlow 1.15.5 is installed
    python3.11 scripts/make_kernel_table.py src/pbslim/ops   # where TensorFlow 2.21.0 is installed

A line is an op, a class and, in JSON, what each attribute must be for it: types by their numbers.
"""

import gzip
import importlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

_REGISTRIES = ("tensorflow.python.util._pywrap_kernel_registry", "tensorflow.python.pywrap_tensorflow")
_FIELDS = ("type", "s", "i", "b")


def kernels() -> list:
    """The lines of the table of the TensorFlow that is installed."""
    find = _finder()
    definitions = importlib.import_module("tensorflow.core.framework.node_def_pb2")
    registered = importlib.import_module("tensorflow.python.framework.kernels").get_all_registered_kernels().kernel
    lines = set()
    for kernel in registered:
        if kernel.device_type not in ("CPU", "DEFAULT") or kernel.label:
            continue
        allowed = [[(c.name, *value) for value in _values(c.allowed_values.list)] for c in kernel.constraint]
        for wanted in itertools.product(*allowed):
            for as_list in (False, True):
                node = definitions.NodeDef(name="n", op=kernel.op, device="/cpu:0")
                for name, field, value in wanted:
                    if as_list:
                        getattr(node.attr[name].list, field).append(value)
                    else:
                        setattr(node.attr[name], field, value)
                found = find(node.SerializeToString())
                if found:
                    plain = {name: v.decode() if isinstance(v, bytes) else v for name, _, v in wanted}
                    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
                    lines.add("{}\t{}\t{}\n".format(kernel.op, found.decode(), text))  # noqa: UP032
                    break
    return sorted(lines)


def _finder() -> Any:
    for module in _REGISTRIES:
        try:
            return importlib.import_module(module).TryFindKernelClass
        except (ImportError, AttributeError):
            continue
    raise SystemExit("this TensorFlow does not tell the classes of kernels")


def _values(message: Any) -> list:
    return [(field, value) for field in _FIELDS for value in getattr(message, field)]


def main() -> None:
    """Write the table into the folder that is named."""
    release = ".".join(importlib.import_module("tensorflow").__version__.split(".")[:2])
    text = "".join(kernels())
    out = Path(sys.argv[1]) / "kernels-{}.tsv.gz".format(release)  # noqa: UP032
    with out.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode())


if __name__ == "__main__":
    main()
