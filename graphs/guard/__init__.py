"""Answer in int8, and again in float32 what is near to a decision.

In: a finished graph in int8, and the packed graph in float32 that it was made of. Out: one graph, whose texts
near to a threshold are gathered, answered in float32, and scattered back.
"""
