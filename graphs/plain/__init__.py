"""Rewrites a finished graph for other engines: a finished graph comes in, one of standard operators goes out.

Its rows are laid out as they come, `[b, s]` with padding; its int8 products are in QDQ form, or its weights
are float16.
"""
