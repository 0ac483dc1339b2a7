"""Serve an artifact over HTTP: texts in, labels out.

In: the folder of an artifact. Out: a process that answers until it is stopped. Texts that wait while the
graph is busy become a batch; an answer is the same in any.
"""
