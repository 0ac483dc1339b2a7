"""Write scored rows: windows in, finished segments that a resumed run keeps, and one output file out."""
