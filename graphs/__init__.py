"""Rewrite an exported encoder into the finished graphs of an artifact.

In: `encoder.onnx`, the head's files, a plan, a tokenizer. Out: a float32, an int8 and a text graph.
A room holds the rewrites of one subject, a file one rewrite; `pipeline` lists them in the order they run.
"""

import core  # noqa: F401  an older Python stops here
