"""Compare two artifacts side by side: their decisions, their F1 where the truth is known, their speed.

In come two artifacts and the texts of a reference; out go Markdown tables, and JSON with the same figures.
"""
