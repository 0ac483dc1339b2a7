"""Apply the operators of a head that keep its values affine in the embedding, one function each.

A value is ``x @ weight + bias``, the sigmoid or softmax of that, a constant, or a sequence of values. An
operator takes its inputs and attributes and returns its outputs, or raises `NotLinearError` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

Array = NDArray[np.float64]


class NotLinearError(Exception):
    """The head is not plain logistic regressions; the message says where it stops being so."""


# What makes values of `x @ weight + bias`: nothing, the sigmoid of each, or the softmax over columns.
Link = Literal["affine", "sigmoid", "softmax"]


@dataclass(frozen=True)
class Columns:
    """`x @ weight + bias`, its sigmoid, or columns of a softmax; weight `[features, k]`, bias `[k]`.

    `places` are the columns of the softmax that these are, `whole` its own first value.
    """

    weight: Array
    bias: Array
    link: Link = "affine"
    places: tuple[int, ...] = ()
    whole: Columns | None = None

    def pick(self, columns: Any) -> Columns:
        """Return the given columns, chosen as numpy indexes them."""
        places = tuple(np.array(self.places, int)[columns].tolist()) if self.places else ()
        return replace(self, weight=self.weight[:, columns], bias=self.bias[columns], places=places)

    @staticmethod
    def join(several: Sequence[Columns]) -> Columns:
        """Return the columns of several values of one kind side by side."""
        first = several[0]
        if any(value.link != first.link or value.whole is not first.whole for value in several):
            raise NotLinearError("joins values of different kinds")
        weight = np.concatenate([value.weight for value in several], axis=1)
        bias = np.concatenate([value.bias for value in several])
        places = tuple(place for value in several for place in value.places)
        return Columns(weight, bias, first.link, places, first.whole)

    def is_pair(self) -> bool:
        """Whether these are two columns `1 - p` and `p`."""
        return (
            self.link == "sigmoid"
            and self.bias.shape == (2,)
            and np.array_equal(self.weight[:, 0], -self.weight[:, 1])
            and bool(self.bias[0] == -self.bias[1])
        )

    def is_softmax(self) -> bool:
        """Whether these are all columns of one softmax, in any order."""
        whole = self.whole
        return whole is not None and sorted(self.places) == list(range(whole.bias.size))

    def adds_up(self) -> bool:
        """Whether each row adds up to 1."""
        return self.is_pair() or self.is_softmax()


Value = Columns | NDArray[Any] | list[Any]
Attributes = dict[str, Any]


def columns(value: Value, *, link: Link | None = None) -> Columns:
    """Return a value as columns.

    Raises:
        NotLinearError: it is none, or (where `link` is given) not of that kind.
    """
    if not isinstance(value, Columns) or (link is not None and value.link != link):
        raise NotLinearError("takes something that is not affine in the embedding")
    return value


def _linear_classifier(inputs: list[Value], attributes: Attributes) -> list[Value]:
    x = columns(inputs[0], link="affine")
    intercepts = np.array(attributes["intercepts"], np.float64)
    weight = np.array(attributes["coefficients"], np.float64).reshape(len(intercepts), -1).T
    z = Columns(x.weight @ weight, x.bias @ weight + intercepts)
    transform = attributes.get("post_transform", b"NONE")
    if len(intercepts) > 1 and transform == b"LOGISTIC":
        return [[], replace(z, link="sigmoid")]
    if len(intercepts) > 1 and transform == b"SOFTMAX":
        return [[], *_softmax([z], {})]
    raise NotLinearError(f"has {len(intercepts)} classes and post_transform {transform.decode()}")


def _softmax(inputs: list[Value], attributes: Attributes) -> list[Value]:
    z = columns(inputs[0], link="affine")
    if attributes.get("axis", -1) not in (1, -1):
        raise NotLinearError("is along the batch")
    if z.bias.shape != (2,):
        return [Columns(z.weight, z.bias, "softmax", tuple(range(z.bias.size)), z)]
    # softmax((a, b)) = (sigmoid(a - b), sigmoid(b - a))
    difference = np.array([[1.0, -1.0], [-1.0, 1.0]])
    return [Columns(z.weight @ difference, z.bias @ difference, "sigmoid")]


def _affine(inputs: list[Value], scale: Array, shift: Array) -> list[Value]:
    x = columns(inputs[0], link="affine")
    return [Columns(x.weight * scale, x.bias * scale + shift)]


def _row(value: Value) -> Array:
    if not isinstance(value, np.ndarray) or (value.ndim and value.size not in (1, value.shape[-1])):
        raise NotLinearError("combines two values that both depend on the embedding")
    return value.reshape(-1)


def _constant_last(inputs: list[Value]) -> list[Value]:
    return inputs[::-1] if isinstance(inputs[0], np.ndarray) else inputs


def _add(inputs: list[Value], attributes: Attributes) -> list[Value]:
    inputs = _constant_last(inputs)
    return _affine(inputs, np.ones(1), _row(inputs[1]))


def _sub(inputs: list[Value], attributes: Attributes) -> list[Value]:
    if isinstance(inputs[1], Columns) and inputs[1].link == "sigmoid" and np.all(_row(inputs[0]) == 1):
        return [Columns(-inputs[1].weight, -inputs[1].bias, "sigmoid")]
    if isinstance(inputs[0], np.ndarray):
        return _affine(inputs[::-1], -np.ones(1), _row(inputs[0]))
    return _affine(inputs, np.ones(1), -_row(inputs[1]))


def _mul(inputs: list[Value], attributes: Attributes) -> list[Value]:
    inputs = _constant_last(inputs)
    return _affine(inputs, _row(inputs[1]), np.zeros(1))


def _div(inputs: list[Value], attributes: Attributes) -> list[Value]:
    if np.all(_row(inputs[1]) == 1):
        return [columns(inputs[0])]
    return _affine(inputs, 1 / _row(inputs[1]), np.zeros(1))


def _matrix(value: Value) -> Array:
    if not isinstance(value, np.ndarray) or value.ndim != 2:
        raise NotLinearError("multiplies by something that is not a constant matrix")
    return value


def _matmul(inputs: list[Value], attributes: Attributes) -> list[Value]:
    x = columns(inputs[0], link="affine")
    weight = _matrix(inputs[1])
    return [Columns(x.weight @ weight, x.bias @ weight)]


def _gemm(inputs: list[Value], attributes: Attributes) -> list[Value]:
    if attributes.get("transA", 0):
        raise NotLinearError("transposes its first input")
    weight = _matrix(inputs[1])
    weight = weight.T if attributes.get("transB", 0) else weight
    product = _matmul([inputs[0], attributes.get("alpha", 1.0) * weight], {})
    shift = _row(inputs[2]) if len(inputs) > 2 else np.zeros(1)
    return _affine(product, np.ones(1), attributes.get("beta", 1.0) * shift)


def _scaler(inputs: list[Value], attributes: Attributes) -> list[Value]:
    scale = np.array(attributes.get("scale", [1.0]), np.float64)
    offset = np.array(attributes.get("offset", [0.0]), np.float64)
    return _affine(inputs, scale, -offset * scale)


def _same(inputs: list[Value], attributes: Attributes) -> list[Value]:
    return [inputs[0] if isinstance(inputs[0], np.ndarray) else columns(inputs[0])]


def _cast(inputs: list[Value], attributes: Attributes) -> list[Value]:
    if attributes["to"] not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        raise NotLinearError("casts to something that is not a float")
    return _same(inputs, attributes)


def _normalizer(inputs: list[Value], attributes: Attributes) -> list[Value]:
    # LpNormalization has p, and 2 where it does not say so.
    first = attributes.get("norm", b"MAX") == b"L1" or attributes.get("p", 2) == 1
    if not first or not columns(inputs[0]).adds_up():
        raise NotLinearError("normalizes something other than probabilities that add up to 1")
    return [inputs[0]]


def _reduce_sum(inputs: list[Value], attributes: Attributes) -> list[Value]:
    # An attribute before opset 13, an input since.
    axes = attributes.get("axes", [])
    if len(inputs) > 1 and isinstance(inputs[1], np.ndarray):
        axes = inputs[1].tolist()
    if not columns(inputs[0]).adds_up() or axes not in ([1], [-1]):
        raise NotLinearError("sums something other than probabilities that add up to 1")
    return [np.ones((1, 1))]


def _concat(inputs: list[Value], attributes: Attributes) -> list[Value]:
    joined = [columns(value) for value in inputs]
    if attributes["axis"] not in (1, -1):
        raise NotLinearError("joins values along the batch")
    return [Columns.join(joined)]


def _slice(inputs: list[Value], attributes: Attributes) -> list[Value]:
    bounds = [value.tolist() for value in inputs[1:] if isinstance(value, np.ndarray)]
    if len(bounds) < 3 or bounds[2] not in ([1], [-1]):
        raise NotLinearError("cuts along the batch")
    step = bounds[3][0] if len(bounds) > 3 else 1
    return [columns(inputs[0]).pick(slice(bounds[0][0], bounds[1][0], step))]


def _gather(inputs: list[Value], attributes: Attributes) -> list[Value]:
    if attributes.get("axis", 0) not in (1, -1) or not isinstance(inputs[1], np.ndarray):
        raise NotLinearError("picks along the batch")
    return [columns(inputs[0]).pick(inputs[1].astype(int).reshape(-1))]


def _extract(inputs: list[Value], attributes: Attributes) -> list[Value]:
    return _gather(inputs, {"axis": 1})


def _reshape(inputs: list[Value], attributes: Attributes) -> list[Value]:
    x = columns(inputs[0])
    shape = inputs[1].tolist() if isinstance(inputs[1], np.ndarray) else None
    if shape not in ([-1, x.bias.size], *([[-1]] if x.bias.size == 1 else [])):
        raise NotLinearError("changes the rows")
    return [x]


def _split(inputs: list[Value], attributes: Attributes) -> list[Value]:
    x = columns(inputs[0])
    sizes = attributes.get("split", inputs[1] if len(inputs) > 1 else None)
    if attributes.get("axis", 0) not in (1, -1):
        raise NotLinearError("cuts along the batch")
    if sizes is None:
        whole, parts = x.bias.size, attributes["num_outputs"]
        sizes = [-(-whole // parts)] * (parts - 1)
    return [x.pick(part) for part in np.split(np.arange(x.bias.size), np.cumsum(sizes)[: len(sizes)])]


def _sequence_at(inputs: list[Value], attributes: Attributes) -> list[Value]:
    if not isinstance(inputs[0], list) or not isinstance(inputs[1], np.ndarray):
        raise NotLinearError("picks from something that is not a sequence")
    return [inputs[0][int(inputs[1])]]


OPERATORS: dict[str, Callable[[list[Value], Attributes], list[Value]]] = {
    "Abs": lambda inputs, _: [columns(inputs[0], link="sigmoid")],
    "Add": _add,
    "ArrayFeatureExtractor": _extract,
    "Cast": _cast,
    "Concat": _concat,
    "Div": _div,
    "Gather": _gather,
    "Gemm": _gemm,
    "Identity": _same,
    "LinearClassifier": _linear_classifier,
    "LpNormalization": _normalizer,
    "MatMul": _matmul,
    "Mul": _mul,
    "Normalizer": _normalizer,
    "ReduceSum": _reduce_sum,
    "Reshape": _reshape,
    "Scaler": _scaler,
    "SequenceAt": _sequence_at,
    "SequenceConstruct": lambda inputs, _: [list(inputs)],
    "Sigmoid": lambda inputs, _: [replace(columns(inputs[0], link="affine"), link="sigmoid")],
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sub": _sub,
}
