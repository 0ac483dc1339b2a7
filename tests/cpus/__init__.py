"""The artifact's graphs in onnxruntime on emulated processors, against this machine: `make test-cpus`.

qemu runs Python with numpy and onnxruntime alone (`inside.py`) on a processor that it names, of x86 or
of 64-bit ARM (`aarch64.py`), and onnxruntime picks its kernels by what that one has. Token ids are made
before: the tokenizer's threads hang there.
"""
