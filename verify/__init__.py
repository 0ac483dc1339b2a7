"""Measure finished graphs against the original pair, and release only what is within the recipe's tolerances.

In: the finished graphs of a build, or an artifact (`dist/NAME`) from anybody. Out: parity, F1 and proofs as
tables, JSON or JUnit XML; and the artifact itself, with its manifest, model card, bill of materials and
report.
Checking an artifact needs numpy, onnxruntime and tokenizers alone.
"""

import core  # noqa: F401  an older Python stops here
