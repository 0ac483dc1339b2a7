"""Tell the oldest version of onnxruntime that runs a graph, from the versions that its file states.

`make test-versions` holds the table to what each version of onnxruntime does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.errors import ArtifactError
from core.untrusted import onnx_file
from core.untrusted.wire import opsets
from core.untrusted.wire.operators import GRAPH, HEAD_DOMAIN, MICROSOFT, STANDARD

# Minor versions of onnxruntime 1: of the file format, and of each domain's operators.
# All begin with 1.17: it is the first that sums up over no rows, of which the layout has a group.
_FORMAT = {8: 17, 9: 17, 10: 18}
_OPERATORS = {
    STANDARD[0]: {18: 17},
    MICROSOFT: {1: 17},
    HEAD_DOMAIN: {1: 17, 2: 17, 3: 17, 4: 17, 5: 18},
}


def of(ir_version: int, imports: Mapping[str, int]) -> str:
    """Return the oldest version for a file format and the operators' versions by domain, such as `1.17`.

    Raises:
        ArtifactError: one is of none that was tried.
    """
    stated = [(_FORMAT, "ir_version", ir_version)]
    for domain, version in imports.items():
        name = STANDARD[0] if domain in STANDARD else domain
        stated.append((_OPERATORS.get(name, {}), f"operators of {domain or STANDARD[1]}: version", version))
    for table, place, version in stated:
        if version not in table:
            expected = " or ".join(map(str, table)) or "no such domain"
            raise ArtifactError(f"{place}: found {version}, expected {expected}")
    return f"1.{max(table[version] for table, _, version in stated)}"


def of_file(path: Path) -> str:
    """Return the oldest version for a graph's file.

    Raises:
        ArtifactError: it is not ONNX, or of versions that were not tried.
    """
    model = onnx_file.check(path, GRAPH, ArtifactError)
    try:
        return of(model.get("ir_version", 0), opsets.versions_of(model["opset_import"]))
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
