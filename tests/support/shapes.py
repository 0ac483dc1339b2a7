"""Classifiers of scikit-learn's as people have them, and what they say of each label."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import onnx
import onnxruntime
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from tests.support.heads import OPSETS, WIDTH

# As scikit-learn orders them.
SORTED = ["anger", "fear", "joy", "neutral"]
# In the order that a user's integers, or columns of 0 and 1, count.
COUNTED = ["joy", "neutral", "anger", "fear"]

SINGLE = {
    "LogisticRegression": lambda: LogisticRegression(C=10),
    "LogisticRegressionCV": lambda: LogisticRegressionCV(
        Cs=2, cv=2, l1_ratios=(0,), use_legacy_attributes=False
    ),
    "StandardScaler": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "MinMaxScaler": lambda: make_pipeline(MinMaxScaler(), LogisticRegression()),
    "Normalizer": lambda: make_pipeline(Normalizer(), LogisticRegression()),
    "PCA": lambda: make_pipeline(StandardScaler(), PCA(5), LogisticRegression()),
    "OneVsRest": lambda: OneVsRestClassifier(LogisticRegression()),
    "SGD": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "Calibrated": lambda: CalibratedClassifierCV(LinearSVC(), cv=2),
    "MLP": lambda: MLPClassifier((4,), max_iter=30, random_state=0),
    "MLP without layers": lambda: MLPClassifier((), max_iter=30, random_state=0),
    "SVC": lambda: SVC(probability=True, random_state=0),
    "forest": lambda: RandomForestClassifier(4, max_depth=3, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3, random_state=0),
    "naive Bayes": lambda: GaussianNB(),
}
MULTI = {
    "OneVsRest": lambda: OneVsRestClassifier(LogisticRegression()),
    "PCA and OneVsRest": lambda: make_pipeline(PCA(5), OneVsRestClassifier(LogisticRegression())),
    "OneVsRest of SGD": lambda: OneVsRestClassifier(SGDClassifier(loss="log_loss", random_state=0)),
    "OneVsRest of calibrated": lambda: OneVsRestClassifier(CalibratedClassifierCV(LinearSVC(), cv=2)),
    "MLP": lambda: MLPClassifier((4,), max_iter=30, random_state=0),
    "MultiOutput": lambda: MultiOutputClassifier(LogisticRegression()),
}
OPTIONS = {
    "tensor": {"zipmap": False},
    "ZipMap": {"zipmap": True},
    "columns": {"zipmap": "columns"},
    "class labels": {"zipmap": False, "output_class_labels": True},
}


def rows(seed: int = 0, count: int = 240) -> np.ndarray:
    """Embeddings of norm 1, float32 `[count, WIDTH]`."""
    x = np.random.default_rng(seed).standard_normal((count, WIDTH))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def truth() -> np.ndarray:
    """The best of `COUNTED` for each of `rows()`, int `[count]`; they are of different frequency."""
    return (rows()[:, : len(COUNTED)] + [0.2, 0.1, 0.0, -0.1]).argmax(axis=1)


@cache
def single(kind: str, classes: str):
    """A classifier of one label a text, over names or integers."""
    y = truth() if classes == "integers" else np.array(COUNTED)[truth()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FutureWarning)
        return SINGLE[kind]().fit(rows(), y)


@cache
def multi(kind: str):
    """A classifier of several labels a text, over columns of 0 and 1 in the order of `COUNTED`."""
    y = (rows()[:, : len(COUNTED)] > [0.1, 0.0, -0.1, 0.2]).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MULTI[kind]().fit(rows(), y)


def by_label(estimator, labels: list[str], x: np.ndarray) -> np.ndarray:
    """What scikit-learn says of each label, `[n, labels]`."""
    answers = estimator.predict_proba(x)
    if isinstance(answers, list):
        answers = np.stack([pair[:, 1] for pair in answers], axis=1)
        return answers[:, [COUNTED.index(label) for label in labels]]
    names = [name if isinstance(name, str) else COUNTED[name] for name in estimator.classes_]
    return answers[:, [names.index(label) for label in labels]]


def convert(estimator, options: dict, width: int = WIDTH) -> onnx.ModelProto:
    return onnx.load_model_from_string(_converted(estimator, tuple(options.items()), width))


@cache
def _converted(estimator, options: tuple, width: int) -> bytes:
    model = convert_sklearn(
        estimator,
        initial_types=[("x", FloatTensorType([None, width]))],
        options={id(estimator): dict(options)},
        target_opset=OPSETS,
    )
    return model.SerializeToString()


def of_the_build(found, labels: list[str], x: np.ndarray) -> np.ndarray:
    """What the build's own files say of each label: weights, or the subgraph by the facts beside it."""
    if found.weight_hl is not None:
        z = x.astype(float) @ found.weight_hl + found.bias_l
        if found.info.problem_type == "multi_label_classification":
            return 1 / (1 + np.exp(-z))
        powers = np.exp(z - z.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    session = onnxruntime.InferenceSession(found.subgraph.SerializeToString())
    answers = session.run(None, {session.get_inputs()[0].name: x})
    if found.info.layout == "columns":
        columns = answers[0]
    else:
        pairs = answers[0] if found.info.layout == "sequence" else answers
        columns = np.stack([pair[:, 1] for pair in pairs], axis=1)
    return columns[:, [found.info.output_order.index(label) for label in labels]]
