"""What an exporter says of a linear head in the published format."""

from __future__ import annotations

from core.build.facts import HeadInfo
from core.contract import MULTI_LABEL


def head_info(
    labels: list[str], thresholds: dict[str, float], *, order: list[str], sha256: str = "0" * 64
) -> HeadInfo:
    return HeadInfo(
        source="path:head",
        revision=None,
        sha256={"model.onnx": sha256},
        kind="linear",
        reason="made so",
        problem_type=MULTI_LABEL,
        columns_from="names",
        layout="named",
        output=None,
        labels=labels,
        output_order=order,
        thresholds=thresholds,
        fold_error=0.0,
    )
