"""Check ONNX files without protobuf's library: bytes in, messages out that state no more than they hold."""
