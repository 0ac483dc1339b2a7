"""The published head as it is, run through onnxruntime; what it says by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from core.decisions import SUM_TOLERANCE
from core.errors import HeadError
from core.untrusted.limited.graph_session import GraphSession
from core.untrusted.regular_file import FIELD_ERRORS, naming
from export.head.classes import Class
from export.head.layout import SCORES, Choice, Layout

# By how much a head's own choice may miss the largest of its own probabilities.
_CHOICE_TOLERANCE = 1e-4
# Choices of a label from which on their mean counts.
_ENOUGH = 8
Answers = dict[str, Any]


def open_head(name: str, model: onnx.ModelProto, threads: int = 0) -> GraphSession:
    """Open a head as it is, in a limited process; `threads` 0 leaves their number to onnxruntime.

    Raises:
        HeadError: onnxruntime does not load it, or not within the limits.
    """
    session = GraphSession(name, HeadError)
    session.open(model.SerializeToString(), threads)
    return session


def answer(
    name: str,
    session: GraphSession,
    embeddings: NDArray[np.floating],
    outputs: Sequence[str] | None = None,
) -> Answers:
    """Return what outputs (left out: all) of an open head answer, by name.

    Raises:
        HeadError: it fails, or takes more than it may.
    """
    (entry,) = session.get_inputs()
    dtype = np.float64 if entry.type == "tensor(double)" else np.float32
    asked = [value.name for value in session.get_outputs()] if outputs is None else list(outputs)
    with naming(name, HeadError, f"fails on embeddings {embeddings.shape}", Exception):
        answers = session.run(asked, {entry.name: embeddings.astype(dtype)})
    arrays = [found if isinstance(found, list) else np.asarray(found) for found in answers]
    return dict(zip(asked, arrays, strict=True))


class OriginalHead:
    """A published head in onnxruntime; calling it gives both probabilities of every label.

    Every call also holds what the head itself chose, where its graph has that, against its probabilities by
    label: a head whose columns were taken for others' contradicts itself.
    """

    def __init__(
        self, name: str, model: onnx.ModelProto, layout: Layout, labels: Sequence[str], threads: int = 0
    ) -> None:
        """Open a head for probabilities in the order of `labels`.

        Raises:
            HeadError: onnxruntime does not load it.
        """
        self._name, self._layout, self._labels = name, layout, list(labels)
        shown = onnx.ModelProto()
        shown.CopyFrom(model)
        present = {value.name for value in shown.graph.output}
        self._choices = [choice.value for choice in layout.choices]
        inner = [value for value in dict.fromkeys(self._choices) if value not in present]
        shown.graph.output.extend(helper.make_empty_tensor_value_info(value) for value in inner)
        self._asked = list(dict.fromkeys([*layout.outputs, *self._choices, *filter(None, [layout.table])]))
        self._session = open_head(name, shown, threads)
        # Platt's probabilities of a support vector machine may contradict its own choice at some points.
        self._exact = all(node.op_type != "SVMClassifier" for node in model.graph.node)

    def __call__(self, embeddings: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return probabilities of no and of yes, each `[N, labels]`, for embeddings `[N, features]`.

        Raises:
            HeadError: it fails, its answers are not pairs of probabilities, or they contradict its choice.
        """
        answers = answer(self._name, self._session, embeddings, self._asked)
        with naming(self._name, HeadError, "its answers cannot be read", *FIELD_ERRORS):
            pairs = self._by_label(answers, len(embeddings))
            negative, positive = (np.stack([pairs[name][i] for name in self._labels], axis=1) for i in (0, 1))
        self._check(negative, positive)
        for choice in self._layout.choices:
            chosen = np.reshape(answers[choice.value], (-1, 1))
            self._check_shape(choice.value, chosen, (len(embeddings), 1))
            self._check_choice(choice, chosen.reshape(-1).tolist(), positive)
        if self._layout.table is not None:
            self._check_table(np.asarray(answers[self._layout.table]) != 0, positive)
        return negative, positive

    def _columns(self, answers: Answers, rows: int) -> list[NDArray[Any]]:
        """Return the answers of a head that has one number a label, `[N]` each."""
        layout, first = self._layout, answers[self._layout.outputs[0]]
        if layout.form == "maps":
            return [np.array([row[key] for row in first], np.float64) for key in layout.keys]
        if layout.form == "columns":
            self._check_shape(layout.outputs[0], first, (rows, len(layout.order)))
            return list(np.asarray(first, np.float64).T)
        for name in layout.outputs:
            self._check_shape(name, np.reshape(answers[name], (-1, 1)), (rows, 1))
        return [np.asarray(answers[name], np.float64).reshape(-1) for name in layout.outputs]

    def _by_label(self, answers: Answers, rows: int) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        layout, first = self._layout, answers[self._layout.outputs[0]]
        if layout.form not in ("pairs", "sequence"):
            by_label = zip(layout.order, self._columns(answers, rows), strict=True)
            return {label: (1 - positive, positive) for label, positive in by_label}
        pairs = first if layout.form == "sequence" else [answers[name] for name in layout.outputs]
        if len(pairs) != len(layout.order):
            expected = f"expected {len(layout.order)}, one a label"
            raise HeadError(f"{self._name}: output {layout.outputs[0]}: found {len(pairs)} pairs, {expected}")
        both = {}
        for label, pair, yes in zip(layout.order, pairs, layout.yes, strict=True):
            self._check_shape(label, pair, (rows, 2))
            sides = np.asarray(pair, np.float64).T
            both[label] = (sides[1 - yes], sides[yes])
        return both

    def _check_shape(self, output: str, answer: Any, expected: tuple[int, int]) -> None:
        if np.shape(answer) != expected:
            stated = f"found shape {np.shape(answer)}, expected (N, {expected[1]})"
            raise HeadError(f"{self._name}: output {output}: {stated}")

    def _check(self, negative: NDArray[np.float64], positive: NDArray[np.float64]) -> None:
        inside = (positive >= -SUM_TOLERANCE) & (positive <= 1 + SUM_TOLERANCE)
        if not inside.all():
            label = self._labels[int(np.argwhere(~inside)[0, 1])]
            lowest, highest = float(positive.min()), float(positive.max())
            raise HeadError(f"{self._name}: {label}: {SCORES.format(lowest, highest)}")
        sound = abs(negative + positive - 1) <= SUM_TOLERANCE
        if not sound.all():
            label = self._labels[int(np.argwhere(~sound)[0, 1])]
            raise HeadError(f"{self._name}: {label}: its answers are not probabilities of no and yes")

    def _check_choice(self, choice: Choice, chosen: list[Class], positive: NDArray[np.float64]) -> None:
        if choice.of is not None:
            own = np.array([choice.labels.get(value) == choice.of for value in chosen])
            self._check_separation(choice.of, own, positive[:, self._labels.index(choice.of)])
            return
        places = {value: self._labels.index(label) for value, label in choice.labels.items()}
        unknown = set(chosen) - set(places)
        if unknown:
            raise HeadError(
                f"{self._name}: chooses {sorted(unknown, key=str)[0]!r}, which is none of its classes"
            )
        columns = np.array([places[value] for value in chosen])
        if self._exact:
            missed = positive.max(axis=1) - positive[np.arange(len(chosen)), columns] > _CHOICE_TOLERANCE
            wrong = sorted(set(columns[missed]))
        else:
            wrong = [
                column
                for column in set(columns)
                if (columns == column).sum() >= _ENOUGH
                and positive[columns == column].mean(axis=0).argmax() != column
            ]
        if wrong:
            label = self._labels[int(wrong[0])]
            raise HeadError(f"{self._name}: chooses {label!r} where another label is more probable")

    def _check_table(self, decided: NDArray[np.bool_], positive: NDArray[np.float64]) -> None:
        if decided.shape != positive.shape:
            raise HeadError(f"{self._name}: output {self._layout.table}: found shape {decided.shape}")
        for column, label in enumerate(self._layout.order):
            self._check_separation(label, decided[:, column], positive[:, self._labels.index(label)])

    def _check_separation(self, label: str, own: NDArray[np.bool_], positive: NDArray[np.float64]) -> None:
        """Check that what was decided for a label are its larger probabilities, whatever the threshold."""
        if own.all() or not own.any():
            return
        lowest, highest = positive[own].min(), positive[~own].max()
        if not self._exact:
            lowest, highest = positive[own].mean(), positive[~own].mean()
        if highest - lowest > _CHOICE_TOLERANCE:
            raise HeadError(f"{self._name}: {label}: decides against its own probabilities")
