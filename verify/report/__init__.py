"""Write the artifact and what it says of itself.

In: a build whose graphs were measured. Out: `dist/NAME`, whole or not at all: the graphs, the manifest, the
model card, the bill of materials, and `report.html`, one page that needs nothing from elsewhere.
"""
