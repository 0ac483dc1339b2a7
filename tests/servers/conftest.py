"""A stand-in for Triton: its published gRPC service, held to the `config.pbtxt` it is given."""

from __future__ import annotations

from concurrent import futures

import pytest

from tests.support.consumers import variant  # noqa: F401
from tests.support.triton import infer


@pytest.fixture
def serve():
    """Start the stand-in on a folder; its address."""
    import grpc
    from tritonclient.grpc import service_pb2_grpc

    started = []

    def start(folder):
        class Service(service_pb2_grpc.GRPCInferenceServiceServicer):
            def ModelInfer(self, request, context):  # noqa: N802
                return infer(folder, request)

        server = grpc.server(futures.ThreadPoolExecutor(1))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Service(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        started.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in started:
        server.stop(None).wait()
