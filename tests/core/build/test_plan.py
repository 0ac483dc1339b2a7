"""A plan is read back as it was written, the committed ones too; a damaged one is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.build import plan as plan_file
from core.build.head_change import HeadChange
from core.build.plan import ActivationPlan, OverflowChannels, QuantizationPlan, Range
from core.errors import ArtifactError

WIDTH = 24
RECIPES = Path(__file__).parents[3] / "recipes"


def ranged(random, *, shared=False) -> Range:
    low_k, high_k = random.uniform(-3, -1, WIDTH), random.uniform(1, 9, WIDTH)
    if shared:
        low_k, high_k = np.full(WIDTH, low_k.min()), np.full(WIDTH, high_k.max())
    return Range(*(array.astype(np.float32) for array in (low_k, high_k, random.uniform(-1, 1, WIDTH))))


@pytest.fixture
def plan() -> QuantizationPlan:
    """One activation of each kind: split, in two terms, with overflow channels, normalized."""
    random = np.random.default_rng(0)
    ends = [random.uniform(1, 2, 3).astype(np.float32) for _ in range(2)]
    activations = {
        "layer_0_qkv": ActivationPlan("int8x2", (1, 4), (0, 2), ranged(random)),
        "layer_0_up": ActivationPlan("int8", (), (0,), ranged(random), negated=(0, 5)),
        "layer_0_down": ActivationPlan(
            "int8",
            (),
            (),
            ranged(random, shared=True),
            OverflowChannels((3, 3, 7), *ends),
            order=tuple(random.permutation(WIDTH + 3).tolist()),
        ),
        "layer_1_qkv": ActivationPlan("int8", (), (), ranged(random, shared=True), normalized=True),
    }
    record, order = {"calibration": "some – texts"}, tuple(random.permutation(WIDTH).tolist())
    bits = {name: random.integers(0, 256, 40).astype(np.uint8) for name in ("layer_0_up", "layer_0_down")}
    changed = random.integers(-127, 128, (6, 2)).astype(np.int8)
    head = HeadChange(changed, *random.uniform(-1, 1, (2, 2)).astype(np.float32))
    return QuantizationPlan("e" * 64, "h" * 64, activations, record, order, roundings=bits, head=head)


def written(content: QuantizationPlan | dict, folder: Path) -> Path:
    path = folder / "quantization.json"
    if isinstance(content, QuantizationPlan):
        plan_file.write(path, content)
    else:
        path.write_text(json.dumps(content), "utf-8")
    return path


def content_of(plan: QuantizationPlan, folder: Path) -> dict:
    return json.loads(written(plan, folder).read_text("utf-8"))


def assert_same(mine, theirs):
    for name, array in vars(mine).items():
        if isinstance(array, np.ndarray):
            assert array.dtype == getattr(theirs, name).dtype
            np.testing.assert_array_equal(array, getattr(theirs, name))
        else:
            assert array == getattr(theirs, name)


def test_a_plan_is_read_back_exactly(plan, tmp_path):
    found = plan_file.read(written(plan, tmp_path))
    assert list(found.activations) == list(plan.activations)
    assert (found.encoder_sha256, found.head_sha256, found.order) == ("e" * 64, "h" * 64, plan.order)
    assert found.record == plan.record
    for name, activation in plan.activations.items():
        other = found.activations[name]
        assert_same(activation.range, other.range)
        assert_same(activation.overflow, other.overflow)
        for field in ("mode", "float_channels", "split_channels", "normalized", "negated", "order"):
            assert getattr(activation, field) == getattr(other, field)
    assert list(found.roundings) == list(plan.roundings)
    for name, bits in plan.roundings.items():
        np.testing.assert_array_equal(found.roundings[name], bits)


def test_roundings_are_beside_their_plan_and_no_other_s(plan, tmp_path):
    path, beside = written(plan, tmp_path), tmp_path / "quantization.npz"
    before = beside.read_bytes()
    written(plan, tmp_path)
    assert beside.read_bytes() == before
    other = {"layer_0_up": np.zeros(9, np.uint8)}
    plan_file.write(tmp_path / "other.json", replace(plan, roundings=other))
    beside.write_bytes((tmp_path / "other.npz").read_bytes())
    with pytest.raises(
        ArtifactError, match=r"quantization\.json: .*roundings_sha256: found quantization\.npz"
    ):
        plan_file.read(path)
    beside.unlink()
    with pytest.raises(ArtifactError, match=r"quantization\.npz: cannot be read"):
        plan_file.read(path)
    written(replace(plan, roundings={}), tmp_path)
    assert plan_file.read(path).roundings == {}


@pytest.mark.parametrize("bits", [np.zeros((2, 3), np.uint8), np.zeros(3, np.int8)], ids=["table", "int8"])
def test_roundings_are_bits(plan, tmp_path, bits):
    path = written(replace(plan, roundings={"layer_0_up": bits}), tmp_path)
    with pytest.raises(ArtifactError, match="layer_0_up: expected bits, packed in one row of uint8"):
        plan_file.read(path)


def test_a_removed_plan_leaves_nothing(plan, tmp_path):
    plan_file.remove(written(plan, tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path", sorted(RECIPES.glob("*/quantization.json")), ids=lambda path: path.parent.name
)
def test_a_committed_plan_is_written_as_it_stands(path, tmp_path):
    again = written(plan_file.read(path), tmp_path)
    for suffix in (".json", ".npz"):
        mine, theirs = again.with_suffix(suffix), path.with_suffix(suffix)
        assert mine.is_file() == theirs.is_file()
        assert not mine.is_file() or mine.read_bytes() == theirs.read_bytes()


def test_a_plan_describes_itself(plan):
    described = "static int8, pair-safe 8-bit weights per column; activations: {}"
    refitted = "; head refitted on int8's features"
    assert plan.description == described.format("3 int8, 1 int8x2") + refitted
    plan = replace(plan, head=None)
    assert plan.description == described.format("3 int8, 1 int8x2")
    assert plan.with_mode("layer_0_up", "float").description == described.format("2 int8, 1 int8x2, 1 float")


def up(**fields):
    return lambda content: content["sites"]["layer_0_up"].update(fields)


def overflow(change):
    return lambda content: change(content["sites"]["layer_0_down"]["parts"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("sites"), "cannot be read as a quantization plan"),
        (lambda c: c.update(order="AAAAAA=="), "order: expected each of 2 channels once"),
        (up(negated=[24]), "negated: expected different ones of 24"),
        (up(order="AQAAAA=="), "layer_0_up: order: found 2 channels, expected 24"),
        (up(mode="int4"), "layer_0_up: mode: found 'int4'"),
        (up(low="AAAA"), "cannot be read|as many low, high and mean"),
        (up(split_channels=[99]), "expected different ones of 24"),
        (up(split_channels=[1], float_channels=[1]), "different ones"),
        (up(normalized=1), "layer_0_up: normalized: expected true or"),
        (up(normalized=True), "true in mode int8 with one range only"),
        (
            lambda c: c["sites"]["layer_1_qkv"].update(mode="int8x2"),
            "layer_1_qkv: normalized: .* true in mode int8 with one range only",
        ),
        (overflow(lambda p: p.update(channels=[*p["channels"], 0])), "as many start and gain as channels"),
        (overflow(lambda p: p["channels"].__setitem__(0, 24)), "as channels, of 24"),
        (overflow(lambda p: p.update(start="A" * 16)), "starts above 0"),
        (lambda c: c.update(head=[1]), "head: found .1., expected weight int8"),
        (lambda c: c["head"].pop("unit"), "head: found .'bias', 'weight'., expected weight int8"),
        (lambda c: c["head"].update(weight="AAAA"), "head: weight, unit, bias: found 3, 2 and 2 numbers"),
        (lambda c: c["head"].update(bias="AADAfwAAwH8="), "head: unit, bias: found a number that is not"),
        (lambda c: c["head"].update(unit="?"), "head: .*expected weight int8"),
        (overflow(lambda p: p.pop("gain")), "cannot be read as a quantization plan"),
        (lambda c: c.update(margins=0.1), r"margins: found '0\.1', expected finite numbers from 0 on, one"),
        (lambda c: c.update(margins={"joy": 0.1}), "margins: found .* one for each label of the head"),
        (lambda c: c.update(margins=[0.1, -1]), "margins: found -1 as number 2, expected finite numbers"),
        (lambda c: c.update(margins=[True]), "margins: found True as number 1"),
        (lambda c: c.update(margins=[float("nan")]), "NaN"),
        (lambda c: c.update(margins=[float("inf")]), "Infinity"),
    ],
)
def test_a_damaged_plan_is_refused_with_its_file(plan, tmp_path, change, message):
    content = content_of(plan, tmp_path)
    change(content)
    path = written(content, tmp_path)
    with pytest.raises(ArtifactError, match=message) as caught:
        plan_file.read(path)
    assert str(path) in str(caught.value)


def test_margins_are_read_back_exactly_and_a_plan_without_has_none(plan, tmp_path):
    assert "margins" not in content_of(plan, tmp_path)
    margins = (0.1, 0.0, 1 / 3, 5.0)
    read = plan_file.read(written(replace(plan, margins=margins), tmp_path))
    assert read.margins == margins
    again = written(read, tmp_path).read_bytes()
    assert again == written(replace(plan, margins=margins), tmp_path).read_bytes()


def test_a_plan_of_before_there_were_orders_is_read(plan, tmp_path):
    content = content_of(plan, tmp_path)
    del content["order"], content["head"]
    for site in content["sites"].values():
        for key in ("negated", "order"):
            del site[key]
    found = plan_file.read(written(content | {"weight_bits": 8}, tmp_path))
    assert (found.order, found.head) == ((), None)
    assert {(own.negated, own.order) for own in found.activations.values()} == {((), ())}


def test_the_manifest_says_where_a_plan_came_from(plan, tmp_path):
    path, other = tmp_path / "quantization.json", tmp_path / "quantization_guarded.json"
    stated = {"guard": "of 5000 texts at most 2 …", "guarded": {"asked_share": 0.15}}
    plan_file.write(path, replace(plan, record=plan.record | stated))
    plan_file.write(other, replace(plan, record={"guard": "of 9"}))
    int8 = {"plan_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "calibration": "some – texts"}
    assert json.loads(plan_file.summary(path)) == int8
    same = {"guarded_plan_sha256": int8["plan_sha256"], **stated}
    assert json.loads(plan_file.summary(path, path)) == int8 | same
    apart = {"guarded_plan_sha256": hashlib.sha256(other.read_bytes()).hexdigest(), "guard": "of 9"}
    assert json.loads(plan_file.summary(path, other)) == int8 | apart
