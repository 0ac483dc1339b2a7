"""Measure servers: a bounded load of callers, and how many answers differ.

In: how a caller connects, texts, and what the artifact answers to each of them alone. Out: latencies, texts a
second, answers that differ, requests that failed.
"""
