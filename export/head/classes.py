"""Find which class each column of a head's values stands for, by what the file itself says.

A classifier lists its classes in an attribute; other heads pick them from a constant by the place of the
largest column. Both are followed through the operators that keep columns in their places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

Class = str | int

_CLASSIFIERS = {"LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"}
_LISTS = ("classlabels_strings", "classlabels_ints", "classlabels_int64s")
# Column j of the output is made of column j of each input that has as many.
_ALIGNED = set(
    "Abs Add Cast Clip Div Exp Identity Log LogSoftmax LpNormalization Mul Normalizer Not Reciprocal Relu "
    "Sigmoid Softmax Sub Sum Tanh".split()
)
# Of these the largest column stays the largest.
_MONOTONE = set(
    "Cast Clip Exp Identity Log LogSoftmax LpNormalization Normalizer Sigmoid Softmax Tanh".split()
)
# Columns of all values together, so that no file keeps this busy.
_MOST = 1 << 21
_SAME_ROWS = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}


@dataclass(frozen=True)
class Column:
    """A class of a classifier: the list it stands in, its place there, and the value that holds the choice.

    `source` is one for all columns of one classifier; `choice` is of strings or integers, one a row, or
    empty where none is made of these very numbers.
    """

    source: str
    classes: tuple[Class, ...]
    index: int
    choice: str

    @property
    def name(self) -> Class:
        """The class itself."""
        return self.classes[self.index]


Columns = list[Column | None]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _text(values: Iterable[Any]) -> tuple[Class, ...]:
    return tuple(value.decode("utf-8") if isinstance(value, bytes) else value for value in values)


def class_list(node: onnx.NodeProto) -> tuple[Class, ...]:
    """Return the classes that a classifier or a ZipMap lists, in the order of its columns."""
    attributes = _attributes(node)
    return next((_text(attributes[name]) for name in _LISTS if attributes.get(name)), ())


def _tensor_list(tensor: onnx.TensorProto) -> tuple[Class, ...]:
    if tensor.data_type == TensorProto.STRING:
        return _text(tensor.string_data)
    if tensor.data_type in (TensorProto.INT64, TensorProto.INT32):
        return tuple(numpy_helper.to_array(tensor).reshape(-1).tolist())
    return ()


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _nodes(inner)


def listed_strings(model: onnx.ModelProto) -> list[set[str]]:
    """Return the lists of strings that a model's attributes and constants hold, wherever they stand."""
    found: list[tuple[Class, ...]] = []
    nodes = list(_nodes(model.graph)) + [node for function in model.functions for node in function.node]
    for node in nodes:
        for attribute in node.attribute:
            found += [_text(attribute.strings), _tensor_list(attribute.t)]
    found += [_tensor_list(tensor) for tensor in model.graph.initializer]
    return [{value for value in values if isinstance(value, str)} for values in found]


class Classes:
    """What a head's graph says of the columns of its values."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        """Follow the classes through a graph.

        Raises:
            ValueError: it makes more columns than a head has.
        """
        self._constants = {tensor.name: _tensor_list(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._constants[node.output[0]] = _tensor_list(node.attribute[0].t)
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._columns: dict[str, Columns] = {}
        self._room = _MOST
        self._sequences: dict[str, list[str]] = {}
        self._chosen = {
            node.input[0]: self._choices(node.output[0]) for node in graph.node if node.op_type == "ArgMax"
        }
        for node in graph.node:
            self._follow(node)
        # A choice made after, or before, what only keeps the columns in place.
        for node in reversed(graph.node):
            self._backward(node)
        for node in graph.node:
            self._follow(node)

    def of(self, name: str) -> Columns | None:
        """Return the columns of a value, or None where nothing is known of it."""
        return self._columns.get(name)

    def parts(self, name: str) -> list[str] | None:
        """Return the values that a sequence was made of, or None where that is not known."""
        return self._sequences.get(name)

    def _mapped(self, value: str) -> Iterator[onnx.NodeProto]:
        """Yield what reads a choice, through what only reshapes it."""
        pending = [value]
        while pending:
            for node in self._readers.get(pending.pop(), []):
                if node.op_type in _SAME_ROWS:
                    pending.append(node.output[0])
                else:
                    yield node

    def _named(self, classes: tuple[Class, ...], choice: str) -> tuple[tuple[Class, ...], str]:
        """Put the strings for integers that a LabelEncoder behind the choice has for them."""
        for node in self._mapped(choice):
            attributes = _attributes(node)
            keys, values = attributes.get("keys_int64s", []), _text(attributes.get("values_strings", []))
            if node.op_type == "LabelEncoder" and values and set(classes) <= set(keys):
                names = dict(zip(keys, values, strict=False))
                return tuple(names[key] for key in classes), node.output[0]
        return classes, choice

    def _choices(self, place: str) -> tuple[tuple[Class, ...], str]:
        """Return the classes that the place of the largest column picks from, and the picked value."""
        for node in self._mapped(place):
            if node.op_type in ("ArrayFeatureExtractor", "Gather"):
                classes = self._constants.get(node.input[0], ())
                if classes:
                    return self._named(classes, node.output[0])
            if node.op_type == "LabelEncoder":
                values = _text(_attributes(node).get("values_strings", []))
                return self._named(tuple(range(len(values))), place)
        return (), place

    def _set(self, name: str, columns: Columns | None) -> None:
        classes, choice = self._chosen.get(name, ((), ""))
        if classes and (columns is None or len(columns) in (0, len(classes))):
            columns = [Column(choice, classes, index, choice) for index in range(len(classes))]
        if columns:
            self._room -= len(columns)
            if self._room < 0:
                raise ValueError(f"more than {_MOST:,} columns")
            self._columns[name] = columns

    def _backward(self, node: onnx.NodeProto) -> None:
        known = self._columns.get(node.output[0]) if node.output else None
        # 1 - p has the columns of p the other way round.
        if known and None not in known and node.op_type in _ALIGNED - {"Sub"}:
            if node.op_type not in _MONOTONE:
                known = [column and replace(column, choice="") for column in known]
            for name in set(node.input) - set(self._constants):
                self._columns.setdefault(name, known)

    def _follow(self, node: onnx.NodeProto) -> None:
        given = [self._columns.get(name) for name in node.input]
        first = given[0] if given else None
        columns: Columns | None = None
        if node.op_type in _CLASSIFIERS:
            classes, choice = self._named(class_list(node), node.output[0])
            columns = [Column(node.output[0], classes, index, choice) for index in range(len(classes))]
            self._set(node.output[1], columns)
            return
        if node.op_type == "SequenceConstruct":
            self._sequences[node.output[0]] = list(node.input)
        elif node.op_type in _ALIGNED:
            columns = self._aligned(node, given)
        elif node.op_type in _SAME_ROWS and first and len(first) == 1:
            columns = first
        elif node.op_type == "Concat" and all(given):
            columns = [column for part in given for column in part or []]
        elif first:
            columns = self._picked(node, first)
        for name in node.output:
            self._set(name, columns)

    def _aligned(self, node: onnx.NodeProto, given: Sequence[Columns | None]) -> Columns | None:
        known = [columns for columns in given if columns]
        widest = max(known, key=len, default=None)
        if widest is not None and node.op_type not in _MONOTONE:
            # The class stays, but its choice is of other numbers.
            widest = [column and replace(column, choice="") for column in widest]
        if node.op_type == "Sub" and widest is not None and not given[0]:
            # 1 - p is the other class of two.
            two = len(widest) <= 2 and all(c is not None and len(c.classes) == 2 for c in widest)
            return [column and replace(column, index=1 - column.index) for column in widest] if two else None
        return widest

    def _picked(self, node: onnx.NodeProto, columns: Columns) -> Columns | None:
        """Return the columns that an operator picks by constant places, where it does."""
        rest = [self._constants.get(name, ()) for name in node.input[1:]]
        places = [[value for value in part if isinstance(value, int)] for part in rest]
        if node.op_type == "Slice" and len(places) > 2 and places[2] in ([1], [-1]) and places[0]:
            step = places[3][0] if len(places) > 3 else 1
            return columns[places[0][0] : places[1][0] : step]
        gathers = node.op_type == "Gather" and _attributes(node).get("axis", 0) in (1, -1)
        if (gathers or node.op_type == "ArrayFeatureExtractor") and places and places[0]:
            return [columns[place] for place in places[0] if -len(columns) <= place < len(columns)]
        return None
