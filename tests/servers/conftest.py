"""Packages for Triton, its server on each that it can serve, and callers that ask it over gRPC."""

from __future__ import annotations

import numpy as np
import pytest

from bench.servers import load
from bench.servers.load import Answer
from deliver import triton
from deliver.source import open_source
from tests.support import direct
from tests.support.consumers import variant  # noqa: F401
from tests.support.direct import asked_texts, expected_answers  # noqa: F401
from tests.support.triton import server


@pytest.fixture(scope="module", params=["int8", "text"])
def package(request, artifact, tmp_path_factory):
    """What is served: the int8 variant, of token ids, and the graph that takes texts."""
    folder = tmp_path_factory.mktemp(request.param) / "package"
    folder.mkdir()
    source = open_source(artifact, request.param, text=True)
    triton.fill_python(source, folder)
    return folder, source


@pytest.fixture(scope="module")
def served(package, tmp_path_factory):
    """The package, in Triton's own server; the address of gRPC."""
    folder, _ = package
    with server(folder, tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def infer(package, artifact):
    """A connection to an address: it answers some texts in one request."""
    from tritonclient import grpc

    _, source = package
    tokenizer = direct.tokenizer(artifact)
    tokenizer.enable_padding()

    def inputs(texts):
        if source.takes_text:
            array = np.array([[text] for text in texts], object)
            return [grpc.InferInput("text", array.shape, "BYTES").set_data_from_numpy(array)]
        encodings = tokenizer.encode_batch(texts)
        arrays = {
            "input_ids": np.array([encoding.ids for encoding in encodings]),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
        }
        return [
            grpc.InferInput(name, array.shape, "INT64").set_data_from_numpy(array)
            for name, array in arrays.items()
        ]

    def connect(address):
        client = grpc.InferenceServerClient(address)

        def ask(texts):
            found = client.infer(source.name, inputs(texts))
            return Answer(found.as_numpy("probabilities"), found.as_numpy("predictions"))

        return ask

    return connect


@pytest.fixture(scope="module")
def under_load(infer, served, texts, expected):
    """Put the server under a load, of one text a request."""
    opened = direct.singly(lambda: infer(served))
    return lambda **how: load.run(opened, texts, expected, **how)
