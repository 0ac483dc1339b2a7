"""What the fuzzed heads and thresholds are for, without the libraries that make heads."""

LABELS = ["joy", "fear", "grief", "neutral"]
WIDTH = 8
