"""Deliver a finished artifact: packages in the layouts of servers and engines, and publishing to the hub.

In: the folder of an artifact. Out: a folder for OpenVINO, text-embeddings-inference or Triton, or one
commit in a repository of the Hugging Face hub.
"""

import core  # noqa: F401  an older Python stops here
