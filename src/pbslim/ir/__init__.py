"""The graph in memory: nodes, values with uses, control edges, tensors, and the rules they obey."""

from pbslim.ir.attributes import Attributes, AttrValue, Encoded, FunctionRef, TypeVariable
from pbslim.ir.functions import Body, Function, Library
from pbslim.ir.graph import Draft, Graph
from pbslim.ir.nodes import Node, Use, Value
from pbslim.ir.signature import Signature
from pbslim.ir.tensors import (
    ArrayTensor,
    DeferredTensor,
    ElementwiseTensor,
    MappedTensor,
    OpaqueTensor,
    RepeatedTensor,
    SplatTensor,
    StringTensor,
    Tensor,
)

__all__ = [
    "ArrayTensor",
    "AttrValue",
    "Attributes",
    "Body",
    "DeferredTensor",
    "Draft",
    "ElementwiseTensor",
    "Encoded",
    "Function",
    "FunctionRef",
    "Graph",
    "Library",
    "MappedTensor",
    "Node",
    "OpaqueTensor",
    "RepeatedTensor",
    "Signature",
    "SplatTensor",
    "StringTensor",
    "Tensor",
    "TypeVariable",
    "Use",
    "Value",
]
