"""Read a corpus: files of any kind in, windows of rows in one schema out, always cut at the same rows."""
