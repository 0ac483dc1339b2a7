"""Quantize with optimum's own preset, and print the versions: `python optimum_script.py IN OUT`.

Runs in an environment that holds optimum-onnx and nothing else of this project's; hence the standard library
and optimum only.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from optimum.onnxruntime import ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig


def main(source: Path, target: Path) -> None:
    """Write SOURCE in dynamic int8 per channel, as the avx512_vnni preset makes it, to TARGET."""
    preset = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        ORTQuantizer(source).quantize(preset, folder)
        (Path(folder) / f"{source.stem}_quantized.onnx").replace(target)
    print(json.dumps({name: version(name) for name in ("optimum-onnx", "optimum", "onnxruntime")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
