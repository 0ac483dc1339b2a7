"""Find the sources of a recipe: a source's name in, a local folder out that is what the lock file states."""
