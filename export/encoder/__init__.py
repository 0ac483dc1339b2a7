"""Read an encoder's checkpoint: its folder in; out its facts, its graph, embeddings, an artifact's files."""
