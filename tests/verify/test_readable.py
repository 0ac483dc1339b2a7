"""Numbers as people read them."""

from __future__ import annotations

import pytest

from verify import readable


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((0.0, "0"), (0.13, "0.13"), (0.12345, "0.12"), (0.1, "0.1"), (1.25, "1.2"), (1234.0, "1,200")),
        *((7.2e-4, "0.00072"), (1e-4, "0.0001"), (9.96e-5, "0.0001"), (9.9e-5, "9.9 × 10⁻⁵")),
        *((1.5e-6, "1.5 × 10⁻⁶"), (6e-8, "6 × 10⁻⁸"), (1e-10, "1 × 10⁻¹⁰"), (float("nan"), "nan")),
    ],
)
def test_an_error(value, shown):
    assert readable.error(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        *((0.0, "0 %"), (1.0, "100 %"), (0.0336, "3.4 %"), (0.171, "17.1 %"), (0.00016, "0.016 %")),
        *(
            (0.01, "1.0 %"),
            (0.00996, "1.0 %"),
            (0.0099, "0.99 %"),
            (0.9994, "99.9 %"),
            (1e-7, "under 0.0001 %"),
        ),
        *((0.99951, "over 99.9 %"), (1 - 1e-9, "over 99.9 %")),
    ],
)
def test_a_share(share, shown):
    assert readable.percent(share) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        *((0, "0 kB"), (31_400, "31 kB"), (999_499, "999 kB"), (999_600, "1.0 MB"), (9_940_000, "9.9 MB")),
        *((9_960_000, "10 MB"), (25_048_396, "25 MB"), (102_507_098, "103 MB"), (1_234_000_000, "1,234 MB")),
    ],
)
def test_a_size(size_bytes, shown):
    assert readable.size(size_bytes) == shown


def test_the_others():
    assert readable.count(5427) == "5,427"
    assert [readable.rate(value) for value in (1238.4, 583.2, 9.333, 0.0512)] == [
        "1,240",
        "583",
        "9.33",
        "0.0512",
    ]
    assert [readable.score(value) for value in (0.4836, None)] == ["0.484", "–"]
    assert [readable.signed(value) for value in (0.0123, -0.25, None)] == ["+0.012", "−0.250", ""]
    assert [readable.threshold(value) for value in (0.15, 0.1000001, None)] == ["0.15", "0.1", "–"]
    assert readable.spread({"median": 1234.0, "low": 5.0, "high": 2e4}) == "1,234 (5–20,000)"
    assert [readable.series(list(words)) for words in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
