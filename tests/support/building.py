"""Whole builds through make, outside of the checkout's own build/ and dist/."""

from __future__ import annotations

import atexit
import functools
import pickle
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.support.commands import call, environment_of_make
from tests.support.factories import Shape, write_checkpoint, write_head, write_recipe
from tests.support.places import ROOT

LABELS = ["joy", "anger", "neutral"]
SLOPPY = "[variants.fp32]\nmax_probability_error = 1e-5\n[variants.int8]\nmax_flip_rate = 0.9\n"


@functools.cache
def stamp() -> Path:
    """A file of this process that says to make that the environment is there: this one."""
    folder = Path(tempfile.mkdtemp(prefix="installed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "installed").touch()
    return folder / "installed"


def make(*arguments, cwd=ROOT, data_set=False, **variables):
    """Run make with this interpreter as its environment, outside the checkout's own build/ and dist/."""
    set_here = {"PY": sys.executable, "VENV": stamp(), **variables}
    # Most builds go without the data set, so that a search is as long here as anywhere.
    environment = environment_of_make(*([] if data_set else ["GO_EMOTIONS_DIR"]))
    line = (f"{name}={value}" for name, value in set_here.items())
    return call("make", *arguments, *line, cwd=cwd, env=environment)


@dataclass(frozen=True)
class TinyBuild:
    """A finished build of the tiny recipe under the per-label contract, with a graph that takes texts.

    Its originals are torch's encoder and scikit-learn's classifiers; `variables` are those of make.
    """

    folder: Path
    bert: Any
    classifiers: list[Any]
    variables: dict[str, Any]
    output: str

    @property
    def dist(self) -> Path:
        return self.variables["DIST"]

    def copy(self, target: Path) -> TinyBuild:
        """Copy build and artifact for a test that changes them; the recipe and its sources are shared."""
        for name in ("build", "dist"):
            shutil.copytree(self.folder / name, target / name)
        return replace(self, folder=target, variables=self.variables | places(target))


def build_tiny(folder: Path) -> TinyBuild:
    """Build the tiny recipe in a folder, or read who has: one process builds, others wait for it."""
    kept = folder / "tiny_build.pickle"
    with FileLock(folder / "tiny_build.lock"):
        if not kept.is_file():
            variants = SLOPPY + '[text]\nvariant = "fp32"\n'
            bert, classifiers, variables = tiny(folder, contract="per-label", variants=variants)
            result = make("artifact", **variables)
            assert result.returncode == 0, result.stdout + result.stderr
            kept.write_bytes(pickle.dumps(TinyBuild(folder, bert, classifiers, variables, result.stdout)))
        return pickle.loads(kept.read_bytes())


def places(folder):
    return {"BUILD": folder / "build", "DIST": folder / "dist"}


def tiny(folder, **more):
    """A small encoder, a head and a recipe in `folder`; the make variables that build it."""
    shape = Shape(layers=1)
    bert = write_checkpoint(folder / "encoder", shape, "cls")
    classifiers = write_head(folder / "head", LABELS, shape.hidden, shuffled=True)
    recipe = write_recipe(folder / "tiny", LABELS, "path:../encoder", "path:../head", **more)
    return bert, classifiers, {"RECIPE": recipe, **places(folder)}
