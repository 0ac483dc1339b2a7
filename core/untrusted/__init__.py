"""Read untrusted files: every file that a user, the hub or another machine gives passes through here.

Comes in: a path, and the class of error that the caller raises. Goes out: the content, once the file is known
to be a regular one, within `limits`, and of its format read strictly; or one sentence that names the file and
says what is wrong. Nothing else in the project opens JSON, TOML, arrays, weights, tokenizers or ONNX files.
"""
