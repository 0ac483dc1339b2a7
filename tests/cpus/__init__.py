"""The artifact's graphs in onnxruntime on emulated x86 processors, against this machine: `make test-cpus`.

`qemu-x86_64` runs an interpreter with numpy and onnxruntime alone (`inside.py`) on a processor that it names,
and onnxruntime picks its kernels by what that one has. Token ids are made before: the tokenizer's threads
hang there.
"""
