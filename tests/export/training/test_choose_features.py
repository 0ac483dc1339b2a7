"""Choosing poolings: what carries a label stays, what the numbers mean, and the command."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from sklearn.metrics import log_loss

from export.__main__ import main
from export.training import choose_features
from export.training import features as train_features
from tests.support import emotions
from tests.support.recipes import GOOD

WIDTH = 4


def data(informative, parts, n=400):
    """Features of `parts` parts, of which only `informative` know the two labels."""
    random = np.random.default_rng(0)
    truth = random.random((n, 2)) < [0.3, 0.5]
    features = random.standard_normal((n, parts, WIDTH)).astype(np.float32)
    for label, part in enumerate(informative):
        features[:, part, 0] += 3 * (truth[:, label] - truth[:, label].mean())
    features[..., 1] += 5  # the direction of the mean, which no head reads
    return features.reshape(n, -1), truth


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(train_features, "_EPOCHS", 600)


def test_what_carries_a_label_stays():
    candidates = [(layer, how) for how in ("mean", "max") for layer in range(3)]
    counted = []
    found = choose_features.eliminate(data((1, 5), 6), candidates, 2, lambda: counted.append(1))
    assert [len(step.parts) for step in found] == [6, 4, 3, 2]
    assert found[-1].parts == ((1, "mean"), (2, "max"))
    assert len(counted) == choose_features.fits(6, 2) == 1 + 7 + 5 + 4
    # Without what only adds noise, held-out texts are known no worse.
    assert found[-1].entropy_left < found[0].entropy_left < 0.95
    assert found[-1].macro_f1 > found[0].macro_f1


def test_entropy_left_against_scikit_learn():
    random = np.random.default_rng(0)
    truth, logits = random.random((50, 3)) < [0.1, 0.5, 0.9], random.standard_normal((50, 3))
    shares = []
    for wanted, logit in zip(truth.T, logits.T, strict=True):
        base = log_loss(wanted, np.full(50, wanted.mean()))
        shares.append(log_loss(wanted, 1 / (1 + np.exp(-logit))) / base)
    assert choose_features.entropy_left(truth, logits) == pytest.approx(np.mean(shares), rel=1e-12)
    frequency = truth.mean(axis=0)
    known = np.tile(np.log(frequency / (1 - frequency)), (50, 1))
    assert choose_features.entropy_left(truth, known) == pytest.approx(1, rel=1e-12)
    assert choose_features.entropy_left(np.ones((5, 1), bool), np.zeros((5, 1))) == 1


DATA = """[data]
train = "train.csv"
dev = "dev.csv"
ignore_labels = ["admiration", "neutral"]
"""


@pytest.fixture
def run(capsys):
    def called(folder, *options):
        code = main(["features", str(folder), str(folder / "build"), *options])
        return code, "".join(capsys.readouterr())

    return called


@pytest.fixture
def tiny_recipe(tiny, tmp_path, monkeypatch):
    emotions.write(tmp_path / "mine")
    monkeypatch.setenv("ENCODER", f"path:{tiny}")
    (tmp_path / "mine" / "recipe.toml").write_text(GOOD.replace("fear", "grief") + DATA, "utf-8")
    return tmp_path / "mine"


def test_the_command_prints_what_a_recipe_takes(tiny_recipe, run):
    code, output = run(tiny_recipe, "--parts", "2")
    assert code == 0, output
    table = tomllib.loads(output[output.index("[[features]]") :])["features"]
    assert sum(len(part["layers"]) * len(part["pooling"]) for part in table) == 2
    assert "4 parts: macro-F1" in output
    assert "2 parts: macro-F1" in output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--parts", "5"], "--parts: found 5, expected 1 to 4"),
        (["--pooling", "sum"], r"--pooling: found ['sum'], expected of ['cls', 'mean', 'max']"),
        (["--parts", "0"], "--parts: found 0, expected 1 to 4"),
    ],
)
def test_options_that_do_not_fit(tiny_recipe, run, options, said):
    code, output = run(tiny_recipe, *options)
    assert code == 2
    assert said in output
