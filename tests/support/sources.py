"""Checkpoints as sentence-transformers lays them out, and ways to spoil them."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.numpy import load_file, save_file

from core.build.facts import EncoderInfo
from core.recipe import EncoderTable
from export.encoder import checkpoint
from export.sources.resolve import Source


def sentence_layout(folder: Path, modules: list[str], pooling: dict[str, object]) -> None:
    """Write `modules.json` and `1_Pooling/config.json` by hand, as on the hub."""
    listed = [
        {
            "idx": index,
            "name": str(index),
            "path": f"{index}_{name}" if index else "",
            "type": f"sentence_transformers.models.{name}",
        }
        for index, name in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed), "utf-8")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")


def edit_json(path: Path, **changes: object) -> None:
    """Set keys of a JSON file; None takes a key away."""
    data = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}), "utf-8")


def edit_weights(folder: Path, *, drop: str | None = None, prefix: str = "") -> None:
    """Write the weights again without one, or under prefixed names."""
    weights = load_file(folder / "model.safetensors")
    kept = {prefix + name: array for name, array in weights.items() if name != drop}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def source(folder: Path) -> Source:
    return Source(f"path:{folder.name}", folder)


def read_checkpoint(folder: Path, pooling: str = "mean", *, normalize: bool = True, **more) -> EncoderInfo:
    part = EncoderTable(source="path:x", pooling=pooling, normalize=normalize, **more)
    return checkpoint.read(source(folder), part)
