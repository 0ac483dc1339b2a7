"""An artifact's graphs in older and newer onnxruntime, each in an environment of its own.

In: a finished artifact, and environments in `.venv-versions`, made from `requirements/versions`. Out: a
table, `build/NAME/versions/versions.json`, and an error where a version that the graphs state decides
otherwise than the build's own.
"""
