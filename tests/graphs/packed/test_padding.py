"""The packed graph at the edges: rows without a token, what lies under the padding, and errors."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from tests.support.graphs import answer, finished, session_of
from tests.support.masks import KINDS, batch_of

EXACT = 1e-6
SHAPES = [(3, 3), (3, 5), (2, 4), (4, 4), (1, 4), (3, 1), (1, 1), (4, 3), (2, 6), (6, 2), (1, 12), (12, 1)]


@pytest.fixture(
    scope="session",
    params=[("cls", "cls", False), ("cls", "mean", False), ("mean", "mean", True), ("deep", "cls", True)],
    ids=["1-cls", "1-mean", "2-mean-normalized", "3-cls-normalized"],
)
def encoder(request):
    export, pooling, normalize = request.param
    return request.getfixturevalue(export).with_pooling(pooling, normalize)


@pytest.fixture(scope="session")
def session(encoder):
    """The packed graph, whose last layer is pruned where it can be."""
    return session_of(finished(encoder))


def close(found, expected, tolerance=EXACT):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("empty", [[0], [3], [1, 2], [0, 1, 3]])
def test_a_row_without_a_token_disturbs_no_other(encoder, session, empty):
    ids, attention_mask = batch_of(encoder, "holes", 4, 9, seed=11)
    before = answer(session, ids, attention_mask)
    attention_mask[empty] = 0
    after = answer(session, ids, attention_mask)
    assert np.isfinite(after).all()
    others = np.setdiff1d(np.arange(4), empty)
    close(after[others], before[others])
    attention_mask[empty, 0] = 1
    np.testing.assert_array_equal(after, answer(session, ids, attention_mask))


@pytest.mark.parametrize(("batch", "sequence"), [(1, 1), (1, 7), (4, 1), (4, 7)])
def test_a_batch_without_a_token_is_one_of_first_tokens(encoder, session, batch, sequence):
    ids, attention_mask = batch_of(encoder, "all real", batch, sequence, seed=12)
    found = answer(session, ids, np.zeros_like(attention_mask))
    assert found.shape == (batch, encoder.info.hidden)
    close(found, encoder.original(ids[:, :1], attention_mask[:, :1]), 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_but_0_is_a_token(encoder, session, kind):
    ids, attention_mask = batch_of(encoder, kind, 4, 12, seed=13)
    numbers = np.random.default_rng(13).choice([-(2**63), -1, 2, 7, 256, 2**32, 2**63 - 1], (4, 12))
    found = answer(session, ids, attention_mask * numbers)
    np.testing.assert_array_equal(found, answer(session, ids, attention_mask))


@pytest.mark.parametrize("kind", ["right", "left", "holes", "one token"])
@pytest.mark.parametrize("other", [-(10**6), -1, 10**6])
def test_ids_under_the_padding_do_not_matter(encoder, session, kind, other):
    ids, attention_mask = batch_of(encoder, kind, 4, 12, seed=14)
    changed = np.where(attention_mask == 1, ids, other)
    assert (changed != ids).any()
    expected = answer(session, ids, attention_mask)
    np.testing.assert_array_equal(answer(session, changed, attention_mask), expected)


@pytest.mark.parametrize("width", [1, 8, 52, 100])
def test_padding_to_any_width_changes_nothing(encoder, session, width):
    ids, attention_mask = batch_of(encoder, "right", 4, 12, seed=15)
    wide_ids, wide_mask = (np.pad(array, ((0, 0), (0, width))) for array in (ids, attention_mask))
    expected = answer(session, ids, attention_mask)
    np.testing.assert_array_equal(answer(session, wide_ids, wide_mask), expected)


def test_padding_on_the_left_means_other_positions_as_in_torch(mean):
    session = session_of(finished(mean))
    ids, attention_mask = batch_of(mean, "right", 4, 12, seed=16)
    moved_ids, moved_mask = (np.pad(array, ((0, 0), (5, 0))) for array in (ids, attention_mask))
    found = answer(session, moved_ids, moved_mask)
    close(found, mean.original(moved_ids, moved_mask), 1e-5)
    assert abs(found - answer(session, ids, attention_mask)).max() > 1e-3


def test_a_token_beyond_the_positions_is_an_error(encoder, session):
    positions = encoder.info.positions
    ids = np.ones((2, positions + 1), np.int64)
    with pytest.raises(InvalidArgument, match=rf"position_embedding_rows.*idx={positions} must be within"):
        answer(session, ids, ids)
    attention_mask = ids.copy()
    attention_mask[:, -1] = 0
    expected = answer(session, ids[:, :-1], attention_mask[:, :-1])
    np.testing.assert_array_equal(answer(session, ids, attention_mask), expected)


@pytest.mark.parametrize("kind", ["right", "left", "holes"])
def test_an_id_outside_the_vocabulary_is_an_error(encoder, session, kind):
    ids, attention_mask = batch_of(encoder, kind, 3, 8, seed=17)
    vocabulary = encoder.info.vocabulary
    row, column = np.argwhere(attention_mask)[-1]
    for wrong in (vocabulary, 10**6, 2**63 - 1):
        ids[row, column] = wrong
        with pytest.raises(InvalidArgument, match=f"word_embedding.*idx={wrong} must be within"):
            answer(session, ids, attention_mask)
    # A look-up itself would count them from its end.
    for wrong in (-1, -vocabulary, -vocabulary - 1, -(2**63)):
        ids[row, column] = wrong
        with pytest.raises(InvalidArgument, match=f"word_embedding.*idx={1 << 62} must be within"):
            answer(session, ids, attention_mask)


@pytest.mark.parametrize("length", [0, 1, 9])
def test_a_batch_of_no_texts_has_no_answers(encoder, session, length):
    none = np.ones((0, length), np.int64)
    assert answer(session, none, none).shape == (0, encoder.info.hidden)


@pytest.mark.parametrize("shape", SHAPES)
def test_ids_and_mask_of_different_shapes_are_an_error(session, shape):
    for padding in (0, 1):
        attention_mask = np.ones((3, 4), np.int64)
        attention_mask[:, 4 - padding :] = 0
        ids = np.ones(shape, np.int64)
        for pair in ((ids, attention_mask), (attention_mask, ids)):
            with pytest.raises((Fail, InvalidArgument), match="layout_ids_and_mask"):
                answer(session, *pair)
