"""Say in sentences, the same in card and report, what an artifact is for, how good it is, what int8 changes.

In: what a manifest says. Out: plain text, which a page escapes.
"""
