"""Deliver a finished artifact: packages in the layouts of servers and engines, a server, and publishing.

In: the folder of an artifact. Out: a folder for an engine or a server, answers over HTTP, or one commit in a
repository of the Hugging Face hub.
"""

import core  # noqa: F401  an older Python stops here
