"""Write numbers for people, in card, report and summary: 0.13 and 3.4 %, not 1.3e-01 and 0.0336."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

UNKNOWN = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def count(number: int) -> str:
    """Return a whole number, its thousands apart: 5,427."""
    return f"{number:,}"


def threads(number: int) -> str:
    """Return `1 thread`, `2 threads`."""
    return f"{number} thread{'' if number == 1 else 's'}"


def score(value: float | None, digits: int = 3) -> str:
    """Return a figure between 0 and 1 such as F1: 0.484."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """Return a difference of two such figures: +0.012; nothing where there is none."""
    return "" if value is None else f"{value:+.3f}".replace("-", "−")


def threshold(value: float | None) -> str:
    """Return a threshold as it was chosen, to four digits: 0.15."""
    return UNKNOWN if value is None else f"{value:.4g}"


def error(value: float) -> str:
    """Return a small number to two digits: 0.12, 0.00072, and below a ten-thousandth 1.5 × 10⁻⁶."""
    rounded = float(f"{value:.1e}")
    if rounded and abs(rounded) < 1e-4:
        digits, exponent = f"{value:.1e}".split("e")
        return f"{digits.removesuffix('.0')} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return f"{rounded:,.0f}" if 10 <= abs(rounded) < math.inf else f"{rounded:.2g}"


def percent(share: float | None) -> str:
    """Return a share of texts: 17.1 %, 3.4 %, 0.016 %. Only none is 0 %, and only all are 100 %."""
    if share is None:
        return UNKNOWN
    hundredths = 100 * share
    if 99.95 <= hundredths < 100:
        return "over 99.9 %"
    if 0 < hundredths < 1e-4:
        return "under 0.0001 %"
    if hundredths in (0, 100):
        return f"{hundredths:.0f} %"
    return f"{hundredths:.1f} %" if hundredths >= 0.995 else f"{hundredths:.2g} %"


def small(value: float | None) -> str:
    """Return an error for a column, all in one notation: 0.12, 0.00072, under 0.00001."""
    if value is None:
        return UNKNOWN
    return "under 0.00001" if 0 < value < 1e-5 else error(value) if value >= 1e-4 else decimal(value)


def decimal(value: float) -> str:
    """Return a small number without an exponent, to two digits: 0.00001."""
    return f"{float(f'{value:.1e}'):.12f}".rstrip("0").rstrip(".")


def counted(share: float | None, texts: int) -> str:
    """Return a share of texts as their number, and as a share: 162 (3.0 %)."""
    if share is None:
        return UNKNOWN
    return f"{count(round(share * texts))} ({percent(share)})" if share else "0"


def grouped(words: str) -> str:
    """Return words whose numbers of texts have their thousands apart."""
    return re.sub(r"\b\d{4,}(?=(?: \w+)? texts\b)", lambda found: count(int(found.group())), words)


def size(size_bytes: int) -> str:
    """Return the size of a file, a megabyte being 10⁶ bytes: 103 MB, 8.4 MB, 31 kB."""
    if size_bytes < 999_500:
        return f"{size_bytes / 1e3:.0f} kB"
    megabytes = size_bytes / 1e6
    return f"{megabytes:,.0f} MB" if megabytes >= 9.95 else f"{megabytes:.1f} MB"


def rate(per_second: float | None) -> str:
    """Return texts a second to three digits: 1,240, 583, 9.3."""
    if per_second is None:
        return UNKNOWN
    rounded = float(f"{per_second:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


def spread(values: Mapping[str, float], digits: int = 0) -> str:
    """Return `median (low–high)`."""
    return f"{values['median']:,.{digits}f} ({values['low']:,.{digits}f}–{values['high']:,.{digits}f})"


def series(words: list[str]) -> str:
    """Return words as a sentence has them: `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def sentence(words: str) -> str:
    """Return words with a capital at their beginning."""
    return words[:1].upper() + words[1:]
