"""Whole builds through make, outside of the checkout's own build/ and dist/."""

from __future__ import annotations

import atexit
import functools
import shutil
import sys
import tempfile
from pathlib import Path

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


def places(folder):
    return {"BUILD": folder / "build", "DIST": folder / "dist"}


def tiny(folder, **more):
    """A small encoder, a head and a recipe in `folder`; the make variables that build it."""
    shape = Shape(layers=1)
    bert = write_checkpoint(folder / "encoder", shape, "cls")
    classifiers = write_head(folder / "head", LABELS, shape.hidden, shuffled=True)
    recipe = write_recipe(folder / "tiny", LABELS, "path:../encoder", "path:../head", **more)
    return bert, classifiers, {"RECIPE": recipe, **places(folder)}
