"""Read a head's layout: which output, which column of it, is which label.

Names decide, where the file holds any. Where it holds none, the order of the recipe's labels counts, and
`thresholds.json` must have the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from core.errors import HeadError
from export.head import classes
from export.head.classes import Class, Column, Columns
from export.head.layout import Choice, Form, From, Layout, check_labels, shown, yes_of
from export.head.samples import between_0_and_1, check_range, decisions, dtype, is_answer, is_array

# What skl2onnx puts before a class in the name of an output (`zipmap="columns"`).
_PREFIXES = ("s", "i")


class Reader:
    """Read the layout of one head; `read` returns it."""

    def __init__(
        self, path: Path, model: onnx.ModelProto, labels: Sequence[str], stated: Sequence[str] | None
    ) -> None:
        """Follow a head's classes.

        Args:
            labels: the recipe's.
            stated: those of `thresholds.json` in its own order, or None where there is none.
        """
        self._path, self._labels, self._stated = path, list(labels), stated
        self._graph, self._classes = model.graph, classes.Classes(model.graph)
        self._lists = classes.listed_strings(model)

    def read(self, samples: Mapping[str, Any]) -> Layout:
        """Return the layout.

        Args:
            samples: what each output answers to a few embeddings.

        Raises:
            HeadError: names contradict each other or the recipe, or which column is which cannot be told.
        """
        listed = {
            name: [str(value) for value in answer]
            for name, answer in samples.items()
            if is_array(answer) and answer.ndim == 1 and set(map(str, answer)) == set(self._labels)
        }
        found = self._read(samples)
        for name, order in listed.items():
            if len(order) == len(self._labels) and order != found.order:
                told = f"output {name} lists {shown(order)}, its columns are of {shown(found.order)}"
                raise HeadError(f"{self._path}: {told}")
        double = any(dtype(samples[name]) == np.float64 for name in found.outputs)
        return replace(found, table=decisions(samples, len(self._labels)), double=double)

    def _read(self, samples: Mapping[str, Any]) -> Layout:
        kinds = {name: np.asarray(answer).dtype.kind for name, answer in samples.items() if is_array(answer)}
        floats = [name for name, kind in kinds.items() if kind == "f"]
        sequences = [name for name, found in samples.items() if name not in kinds and is_answer(found)]
        if set(floats) & set(self._labels):
            check_labels(self._path, floats, self._labels)
            return self._named(floats, samples)
        if len(sequences) == 1 and isinstance((samples[sequences[0]] or [None])[0], dict):
            check_range(self._path, sequences[0], [list(row.values()) for row in samples[sequences[0]]])
            return self._maps(sequences[0])
        if sequences and len(sequences) + len(floats) == 1:
            return self._sequence(sequences[0], len(samples[sequences[0]]))
        widths = {name: (*np.shape(samples[name]), 1)[1] if np.ndim(samples[name]) else 0 for name in floats}
        if len(floats) == len(self._labels) > 1 and set(widths.values()) == {1}:
            return self._vectors(floats)
        if len(floats) > 1:
            floats = [name for name in floats if between_0_and_1(samples[name])] or floats
        if len(floats) != 1 or sequences:
            expected = "expected one of probabilities, or one a label, named as the label"
            raise HeadError(f"{self._path}: found outputs {shown(floats + sequences)}, {expected}")
        if np.ndim(samples[floats[0]]) != 2:
            shape = np.shape(samples[floats[0]])
            raise HeadError(
                f"{self._path}: output {floats[0]}: found shape {shape}, expected (N, {len(self._labels)})"
            )
        if len(self._labels) == 1 and widths[floats[0]] == 2:
            return self._named(floats, samples)
        check_range(self._path, floats[0], samples[floats[0]])
        return self._tensor(floats[0], widths[floats[0]])

    def _by_order(self, columns_from: From = "recipe") -> list[str]:
        """Return the recipe's labels, where nothing in the files says another order.

        Raises:
            HeadError: something does.
        """
        held = sorted(set().union(*self._lists) & set(self._labels))
        if held:
            mend = "name the outputs as the labels, or convert with zipmap=True"
            told = f"holds the names {shown(held)}, but not which column is which; {mend}"
            raise HeadError(f"{self._path}: {told}")
        # A file of thresholds may leave labels out.
        ordered = [label for label in self._labels if label in (self._stated or [])]
        if self._stated is not None and list(self._stated) != ordered:
            told = "holds no names of labels, and thresholds.json has them in another order than the recipe"
            mend = f"found {shown(self._stated)}, expected {shown(self._labels)}"
            raise HeadError(f"{self._path}: {told}: {mend}; put both into the order of the head's columns")
        return list(self._labels)

    def _by_classes(self, found: Sequence[Class]) -> tuple[list[str], From]:
        """Return the labels that one classifier's classes stand for, in the order of its columns."""
        if any(isinstance(value, str) for value in found) or set(map(str, found)) == set(self._labels):
            names = [str(value) for value in found]
            check_labels(self._path, names, self._labels)
            return names, "names"
        if sorted(map(int, found)) != list(range(len(self._labels))):
            expected = f"expected names, or 0 to {len(self._labels) - 1}, one a label"
            raise HeadError(f"{self._path}: found classes {shown(found)}, {expected}")
        ordered = self._by_order("integers")
        return [ordered[int(value)] for value in found], "integers"

    def _column_order(self, known: Columns | None, width: int) -> tuple[list[str], From, list[Choice]]:
        """Return the labels of a tensor's columns."""
        if known is not None and None not in known and len(known) == width:
            columns = [column for column in known if column is not None]
            own = columns[0]
            places = sorted(column.index for column in columns)
            if {column.source for column in columns} == {own.source} and len(set(places)) == width > 1:
                if width != len(own.classes):
                    raise HeadError(f"{self._path}: found {width} columns of {len(own.classes)} classes")
                order, columns_from = self._by_classes([column.name for column in columns])
                return order, columns_from, self._choice_of(known, order)
            named = [str(column.name) for column in columns if column.name in self._labels]
            if named:
                check_labels(self._path, named, self._labels)
                if len(named) == width:
                    return named, "names", []
            for place, column in enumerate(columns):
                if column.index != self._yes(column.classes, None, f"column {place}"):
                    told = f"is of class {column.name!r} of {shown(column.classes)}, expected the label's own"
                    raise HeadError(f"{self._path}: column {place}: {told}")
        if width != len(self._labels):
            expected = f"expected {len(self._labels)}, one a label"
            raise HeadError(f"{self._path}: found {width} columns, {expected}")
        return self._by_order(), "recipe", []

    def _yes(self, found: Sequence[Class], label: str | None, place: str) -> int:
        """Return which of two classes is the label's own.

        Raises:
            HeadError: that cannot be told.
        """
        index = yes_of(found, label, self._labels)
        if index is None:
            expected = "a no and a yes" if label is None else f"{label!r} and another, or a no and a yes"
            raise HeadError(f"{self._path}: {place}: found classes {shown(found)}, expected {expected}")
        return index

    def _pair(self, value: str, label: str, place: str) -> tuple[int, list[Choice]]:
        """Return the column of a pair that is the label's own, and the head's choice between both."""
        known = self._classes.of(value)
        if known is None or all(column is None for column in known):
            self._check_untied(label)
            return 1, []
        columns = [column for column in known if column is not None]
        if len(known) != 2 or len(columns) != 2 or columns[0].source != columns[1].source:
            raise HeadError(f"{self._path}: {place}: its two columns are not those of one classifier")
        index = self._yes(columns[0].classes, label, place)
        own: Column = columns[0] if columns[0].index == index else columns[1]
        if {column.index for column in columns} != {0, 1}:
            raise HeadError(f"{self._path}: {place}: its two columns are of one class")
        choices = [Choice(own.choice, {own.name: label}, label)] if own.choice else []
        return columns.index(own), choices

    def _pairs(
        self, form: Form, outputs: list[str], values: list[str], labels: list[str], by: From
    ) -> Layout:
        yes, choices = [], []
        for value, label in zip(values, labels, strict=True):
            place = f"output {value}" if form == "pairs" else f"output {outputs[0]}: {label}"
            column, choice = self._pair(value, label, place)
            yes.append(column)
            choices += choice
        return Layout(form, outputs, labels, yes, by, choices=choices)

    def _named(self, outputs: list[str], samples: Mapping[str, Any]) -> Layout:
        shapes = {name: np.shape(samples[name])[1:] for name in outputs}
        if set(shapes.values()) in ({()}, {(1,)}):
            return self._vectors(outputs)
        for name, shape in shapes.items():
            if shape != (2,):
                found = f"found shape {np.shape(samples[name])}, expected (N, 2)"
                raise HeadError(f"{self._path}: output {name}: {found}")
        labels = outputs if set(outputs) == set(self._labels) else list(self._labels)
        return self._pairs("pairs", outputs, outputs, labels, "names")

    def _sequence(self, output: str, length: int) -> Layout:
        parts = self._classes.parts(output)
        if length != len(self._labels):
            expected = f"expected {len(self._labels)}, one a label"
            raise HeadError(f"{self._path}: found {length} columns, {expected}")
        if parts is None:
            return Layout("sequence", [output], self._by_order(), [1] * length, "recipe")
        named = []
        for part in parts:
            own = {str(column.name) for column in self._classes.of(part) or [] if column is not None}
            named.append(own & set(self._labels))
        if not any(named):
            return self._pairs("sequence", [output], parts, self._by_order(), "recipe")
        if any(len(own) != 1 for own in named):
            told = f"found the labels {[sorted(own) for own in named]} in its pairs, expected one in each"
            raise HeadError(f"{self._path}: output {output}: {told}")
        labels = [label for own in named for label in own]
        check_labels(self._path, labels, self._labels)
        return self._pairs("sequence", [output], parts, labels, "names")

    def _vectors(self, outputs: list[str]) -> Layout:
        known = [column for name in outputs for column in self._classes.of(name) or [None]]
        if set(outputs) == set(self._labels):
            for name, column in zip(outputs, known, strict=True):
                self._check_vector(name, column)
            choices = self._choice_of(known, outputs)
            return Layout("vectors", outputs, outputs, [], "names", choices=choices)
        bare = [name[1:] if name.startswith(_PREFIXES) else name for name in outputs]
        if None not in known:
            order, columns_from, choices = self._column_order(known, len(outputs))
            return Layout("vectors", outputs, order, [], columns_from, choices=choices)
        if set(bare) == set(self._labels):
            return Layout("vectors", outputs, bare, [], "names")
        if all(name[0] == "i" and name[1:].isdecimal() for name in outputs):
            order, columns_from = self._by_classes([int(name) for name in bare])
            return Layout("vectors", outputs, order, [], columns_from)
        expected = "expected one a label, named as the label"
        raise HeadError(f"{self._path}: found outputs {shown(outputs)}, {expected}")

    def _check_vector(self, label: str, column: Column | None) -> None:
        """Check that an output that is named as a label is of the label's own class."""
        if column is None:
            self._check_untied(label)
            return
        two = len(column.classes) == 2
        own = column.index == self._yes(column.classes, label, f"output {label}") if two else None
        if own is False or (not two and isinstance(column.name, str) and column.name != label):
            told = f"is of class {column.name!r} of {shown(column.classes)}, expected the label's own"
            raise HeadError(f"{self._path}: output {label}: {told}")

    def _check_untied(self, label: str) -> None:
        """Check that no two classes in the file have a label among them, where its values have none."""
        if any(len(names) == 2 and label in names for names in self._lists):
            told = f"holds a classifier of {label!r} and another, but not which column is which"
            raise HeadError(f"{self._path}: output {label}: {told}; convert it with zipmap=False, not edited")

    def _choice_of(self, known: Columns, order: Sequence[str]) -> list[Choice]:
        """Return the choice of the one classifier that all columns are of, where there is one."""
        sources = {(column.source, column.choice, len(column.classes)) for column in known if column}
        if None in known or len(sources) != 1 or len(known) < 2:
            return []
        _, choice, count = next(iter(sources))
        names = [column.name for column in known if column]
        return (
            [Choice(choice, dict(zip(names, order, strict=True)))] if choice and count == len(known) else []
        )

    def _maps(self, output: str) -> Layout:
        node = next((node for node in self._graph.node if output in node.output), None)
        if node is None or node.op_type != "ZipMap":
            raise HeadError(f"{self._path}: output {output}: found dictionaries, expected those of a ZipMap")
        keys = list(classes.class_list(node))
        known = self._classes.of(node.input[0])
        inner, _, choices = ([], None, []) if known is None else self._column_order_of_maps(known, len(keys))
        if all(isinstance(key, str) for key in keys) or set(map(str, keys)) == set(self._labels):
            order, columns_from = self._by_classes(keys)
            if inner and inner != order:
                raise HeadError(f"{self._path}: found keys {shown(keys)} for classes {shown(inner)}")
        elif inner:
            order, columns_from = inner, "names"
        else:
            order, columns_from = self._by_classes(keys)
        return Layout("maps", [output], order, [], columns_from, keys=keys, choices=choices)

    def _column_order_of_maps(
        self, known: Columns, width: int
    ) -> tuple[list[str], From | None, list[Choice]]:
        """Return the labels of a ZipMap's columns where they have names of their own, else none."""
        named = [column for column in known if column is not None and isinstance(column.name, str)]
        if len(named) == width == len(known):
            return self._column_order(known, width)
        return [], None, []

    def _tensor(self, output: str, width: int) -> Layout:
        order, columns_from, choices = self._column_order(self._classes.of(output), width)
        return Layout("columns", [output], order, [], columns_from, choices=choices)
