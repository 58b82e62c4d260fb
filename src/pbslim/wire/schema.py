"""TensorFlow's graph messages in a private descriptor pool.

Only the messages that pbslim needs as objects (attribute values, typed tensor lists, the text format) are
described here, and in a pool of their own: importing TensorFlow in the same process never clashes.
Field names and numbers are those of TensorFlow's ``.proto`` files; fields not listed survive as unknown fields.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loading protobuf takes a while, and many graphs need no message
    from google.protobuf.descriptor_pool import DescriptorPool

# One line a message; a field is name=number:type, '*' a repeated one, 'k>v' a map, '|' a member of the oneof.
_MESSAGES = """
GraphDef: node=1:*NodeDef library=2:FunctionDefLibrary version=3:int32 versions=4:VersionDef debug_info=5:bytes
VersionDef: producer=1:int32 min_consumer=2:int32 bad_consumers=3:*int32
NodeDef: name=1:string op=2:string input=3:*string device=4:string attr=5:string>AttrValue experimental_debug_info=6:NodeDef.ExperimentalDebugInfo experimental_type=7:FullTypeDef
NodeDef.ExperimentalDebugInfo: original_node_names=1:*string original_func_names=2:*string
FullTypeDef: type_id=1:int32 args=2:*FullTypeDef s=3:|string i=4:|int64
AttrValue: list=1:|AttrValue.ListValue s=2:|bytes i=3:|int64 f=4:|float b=5:|bool type=6:|DataType shape=7:|TensorShapeProto tensor=8:|TensorProto placeholder=9:|string func=10:|NameAttrList
AttrValue.ListValue: s=2:*bytes i=3:*int64 f=4:*float b=5:*bool type=6:*DataType shape=7:*TensorShapeProto tensor=8:*TensorProto func=9:*NameAttrList
NameAttrList: name=1:string attr=2:string>AttrValue
TensorShapeProto: dim=2:*TensorShapeProto.Dim unknown_rank=3:bool
TensorShapeProto.Dim: size=1:int64 name=2:string
TensorProto: dtype=1:DataType tensor_shape=2:TensorShapeProto version_number=3:int32 tensor_content=4:bytes float_val=5:*float double_val=6:*double int_val=7:*int32 string_val=8:*bytes scomplex_val=9:*float int64_val=10:*int64 bool_val=11:*bool dcomplex_val=12:*double half_val=13:*int32 resource_handle_val=14:*ResourceHandleProto variant_val=15:*VariantTensorDataProto uint32_val=16:*uint32 uint64_val=17:*uint64 float8_val=18:bytes
VariantTensorDataProto: type_name=1:string metadata=2:bytes tensors=3:*TensorProto
ResourceHandleProto: device=1:string container=2:string name=3:string hash_code=4:uint64 maybe_type_name=5:string dtypes_and_shapes=6:*ResourceHandleProto.DtypeAndShape
ResourceHandleProto.DtypeAndShape: dtype=1:DataType shape=2:TensorShapeProto
FunctionDefLibrary: function=1:*FunctionDef gradient=2:*GradientDef registered_gradients=3:*RegisteredGradient
GradientDef: function_name=1:string gradient_func=2:string
RegisteredGradient: gradient_func=1:string registered_op_type=2:string
FunctionDef: signature=1:OpDef attr=5:string>AttrValue arg_attr=7:uint32>FunctionDef.ArgAttrs resource_arg_unique_id=8:uint32>uint32 node_def=3:*NodeDef ret=4:string>string control_ret=6:string>string
FunctionDef.ArgAttrs: attr=1:string>AttrValue
OpDef: name=1:string input_arg=2:*OpDef.ArgDef output_arg=3:*OpDef.ArgDef control_output=20:*string attr=4:*OpDef.AttrDef deprecation=8:OpDeprecation summary=5:string description=6:string is_commutative=18:bool is_aggregate=16:bool is_stateful=17:bool allows_uninitialized_input=19:bool is_distributed_communication=21:bool
OpDef.ArgDef: name=1:string description=2:string type=3:DataType type_attr=4:string number_attr=5:string type_list_attr=6:string handle_data=7:*ResourceHandleProto.DtypeAndShape is_ref=16:bool experimental_full_type=17:FullTypeDef
OpDef.AttrDef: name=1:string type=2:string default_value=3:AttrValue description=4:string has_minimum=5:bool minimum=6:int64 allowed_values=7:AttrValue
OpDeprecation: version=1:int32 explanation=2:string
"""

# DataType names as the text format spells them; reference types follow by rule.
_TYPE_NAMES = [
    "INVALID",
    "FLOAT",
    "DOUBLE",
    "INT32",
    "UINT8",
    "INT16",
    "INT8",
    "STRING",
    "COMPLEX64",
    "INT64",
    "BOOL",
    "QINT8",
    "QUINT8",
    "QINT32",
    "BFLOAT16",
    "QINT16",
    "QUINT16",
    "UINT16",
    "COMPLEX128",
    "HALF",
    "RESOURCE",
    "VARIANT",
    "UINT32",
    "UINT64",
    "FLOAT8_E5M2",
    "FLOAT8_E4M3FN",
    "FLOAT8_E4M3FNUZ",
    "FLOAT8_E4M3B11FNUZ",
    "FLOAT8_E5M2FNUZ",
    "INT4",
    "UINT4",
    "INT2",
    "UINT2",
]

_PACKAGE = "tensorflow"
_SCALARS = ("string", "bytes", "int32", "int64", "uint32", "uint64", "float", "double", "bool")


def _set_type(field: Any, text: str) -> None:
    if text in _SCALARS:
        field.type = getattr(field, f"TYPE_{text.upper()}")
    else:
        field.type = field.TYPE_ENUM if text == "DataType" else field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{text}"


def _add_field(message: Any, full_name: str, text: str) -> None:
    name, _, rest = text.partition("=")
    number, _, kind = rest.partition(":")
    field = message.field.add(name=name, number=int(number), label=1)  # optional
    if ">" in kind:
        key, _, value = kind.partition(">")
        entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        for i, (part, part_type) in enumerate((("key", key), ("value", value)), start=1):
            _set_type(entry.field.add(name=part, number=i, label=1), part_type)
        field.label = field.LABEL_REPEATED
        _set_type(field, f"{full_name}.{entry_name}")
        return
    if kind.startswith("*"):
        field.label = field.LABEL_REPEATED
    elif kind.startswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0
    _set_type(field, kind.lstrip("*|"))


@cache
def _pool() -> DescriptorPool:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="pbslim/graph.proto", package=_PACKAGE, syntax="proto3")
    types = file.enum_type.add(name="DataType")
    for number, name in enumerate(_TYPE_NAMES):
        types.value.add(name=f"DT_{name}", number=number)
    for number, name in enumerate(_TYPE_NAMES[1:], start=1):
        types.value.add(name=f"DT_{name}_REF", number=number + 100)
    messages: dict[str, Any] = {}
    for line in _MESSAGES.strip().splitlines():
        full_name, _, rest = line.partition(":")
        outer, _, inner = full_name.rpartition(".")
        messages[full_name] = (
            messages[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=inner)
        )
        for text in rest.split():
            _add_field(messages[full_name], full_name, text)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def _message_class(name: str) -> type:
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def new(name: str) -> Any:
    """An empty message called `name`, for instance ``GraphDef``; its fields are attributes, known only at run time."""
    return _message_class(name)()
