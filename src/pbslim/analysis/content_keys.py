"""Short keys for the contents of nodes: equal keys mean equal contents in the same encoding."""

from __future__ import annotations

from collections.abc import Iterator

from pbslim.ir import AttrValue, Encoded, Node, OpaqueTensor, StringTensor, Tensor

_Key = tuple[tuple[str, object], ...]


class ContentKeys:
    """Keys of the attributes of nodes; each tensor is read at most once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, object]] = {}

    def of_attributes(self, node: Node) -> _Key:
        """A key for all attributes of `node` together."""
        return tuple((key, self._of(value)) for key, value in sorted(_values(node)))

    def _of(self, value: AttrValue) -> object:
        if isinstance(value, Tensor):
            held, key = self._known.get(id(value), (None, None))
            if held is not value:
                key = _of_tensor(value)
                self._known[id(value)] = value, key
            return key
        if isinstance(value, tuple):
            return tuple(self._of(item) for item in value)
        return type(value).__name__, repr(value)


def _values(node: Node) -> Iterator[tuple[str, AttrValue]]:
    for key, stored in node.attrs.stored().items():
        yield key, node.attrs[key] if isinstance(stored, Encoded) else stored


def _of_tensor(tensor: Tensor) -> object:
    # As in the reference tool, equal elements in another encoding are something else.
    head = (tensor.dtype.number, tensor.shape, tensor.listed)
    if isinstance(tensor, OpaqueTensor):
        return head, tensor.encoded
    if isinstance(tensor, StringTensor):
        return head, tensor.values
    if (values := tensor.head()) is not None:
        return head, values.tobytes()
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    for piece in tensor.chunks():
        digest.update(piece.tobytes())
    return head, digest.digest()
