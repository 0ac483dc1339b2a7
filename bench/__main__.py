"""Write or serve what the benchmark compares with: `python -m bench COMMAND`."""

from __future__ import annotations

import argparse
import json
import sys

from bench.contenders import torch_pair
from bench.contenders.protocol import serve
from core.build.facts import HeadInfo
from core.cli import CommandLine
from core.contract import HEAD_FILE
from core.disk.files import write_bytes
from core.errors import HeadError
from core.untrusted import limits, regular_file
from export.encoder import checkpoint
from export.sources.of_recipe import Sources


def _published_head(arguments: argparse.Namespace) -> None:
    head = Sources(arguments.recipe).head
    write_bytes(arguments.target, regular_file.read(head.file(HEAD_FILE), limits.HEAD_BYTES, HeadError))


def _random_encoder(arguments: argparse.Namespace) -> None:
    from bench.contenders import random_encoder

    random_encoder.write(arguments.folder)
    print("  bench    random     12 layers, 384 hidden, and a head; seeded random weights")


def _torch(arguments: argparse.Namespace) -> None:
    sources = Sources(arguments.recipe)
    info = checkpoint.open_encoder(sources)
    classifier = HeadInfo.read(arguments.build / "head.json")
    serve(lambda: torch_pair.load(sources.encoder, sources.head, info, classifier, arguments.threads))


def _pipeline(arguments: argparse.Namespace) -> None:
    import pyarrow.parquet as pq

    from bench.contenders import pipeline

    sources = Sources(arguments.recipe)
    info = checkpoint.open_encoder(sources)
    classifier = HeadInfo.read(arguments.build / "head.json")
    texts = pq.read_table(arguments.texts).column("text").to_pylist()
    run = pipeline.load(sources.encoder, sources.head, info, classifier)
    seconds = pipeline.seconds(run, classifier.thresholds, texts)
    print(json.dumps({"texts": len(texts), "seconds": seconds}))


def main() -> int:
    """Run a command; 1 where it fails, with one line that says why."""
    line = CommandLine("python -m bench", __doc__)
    line.add("published-head", _published_head, "copy the published head's ONNX file", "recipe", "target")
    line.add("random-encoder", _random_encoder, "write an encoder of BGE-small's shape, and a head", "folder")
    torch = line.add("torch", _torch, "serve the original pair, JSON lines; not for hands", "recipe", "build")
    torch.add_argument("--threads", type=int, default=1, help="of torch and of the head's session")
    line.add(
        "pipeline", _pipeline, "time transformers' pipeline on a Parquet file", "recipe", "build", "texts"
    )
    return line.main()


if __name__ == "__main__":
    sys.exit(main())
