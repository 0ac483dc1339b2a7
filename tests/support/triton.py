"""What Triton does with a model's folder: its published schema, and a request held to the config."""

from __future__ import annotations

import numpy as np


def read_config(folder, name):
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    return text_format.Parse(
        (folder / name / "config.pbtxt").read_text("utf-8"), model_config_pb2.ModelConfig()
    )


def infer(folder, request):
    """Do what Triton's documents say it does with a request: hold it to the config, then run the graph."""
    import onnxruntime
    from tritonclient.grpc import service_pb2
    from tritonclient.utils import triton_to_np_dtype

    config = read_config(folder, request.model_name)
    declared = {tensor.name: tensor for tensor in config.input}
    assert {tensor.name for tensor in request.inputs} == set(declared)
    feeds = {}
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
        assert (
            f"TYPE_{tensor.datatype}"
            == type(config)
            .DESCRIPTOR.file.enum_types_by_name["DataType"]
            .values_by_number[declared[tensor.name].data_type]
            .name
        )
        assert tensor.shape[0] <= config.max_batch_size
        assert len(tensor.shape) == 1 + len(declared[tensor.name].dims)
        feeds[tensor.name] = np.frombuffer(raw, triton_to_np_dtype(tensor.datatype)).reshape(tensor.shape)
    session = onnxruntime.InferenceSession(folder / config.name / "1" / "model.onnx")
    names = [tensor.name for tensor in config.output]
    response = service_pb2.ModelInferResponse(model_name=config.name, model_version="1")
    for name, array in zip(names, session.run(names, feeds), strict=True):
        kind = {np.dtype("float32"): "FP32", np.dtype("bool"): "BOOL"}[array.dtype]
        response.outputs.add(name=name, datatype=kind, shape=array.shape)
        response.raw_output_contents.append(array.tobytes())
    return response
