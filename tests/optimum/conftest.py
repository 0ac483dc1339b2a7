"""Fixtures of the consumers' tests; pytest reads this file also where optimum is not."""

from tests.support.consumers import expected, texts, variant  # noqa: F401
