"""Show the content of `bench.json` to people: in, that content; out, Markdown tables and SVG plots."""
