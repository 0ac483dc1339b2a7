"""Hold what every room stands on: contract, recipes, errors, and files that are safe to read.

In: files that a user, the hub or an earlier stage made. Out: checked values, opened graphs and their answers,
and files that are written whole or not at all. Nothing of the other rooms is imported here, and no library
that builds: an artifact's readers need numpy, onnxruntime and tokenizers alone.
"""

import sys

# In words that any Python knows: an older one comes this far in every command, and no further.
if sys.version_info[:2] < (3, 11):  # noqa: UP036
    _FOUND = sys.version.split()[0] + " (" + sys.executable + ")"
    sys.stderr.write("error: found Python " + _FOUND + ", expected 3.11 or later\n")
    sys.exit(2)
