"""Read and write heads in the published format: a folder in, proven weights or a checked graph out."""
