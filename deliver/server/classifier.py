"""Answer texts with one variant of an artifact: its own tokenizer, then its graph, in batches."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from core.artifact import manifest
from core.artifact.manifest import TOKENIZER_FILE
from core.contract import VARIANT_FILES
from core.errors import ToolchainError
from deliver.server.batcher import Batcher, Row
from deliver.server.metrics import Metrics
from score.scorer import BATCH_TOKENS, Encoded, Scorer


class Answer(NamedTuple):
    """What is answered to one text; `truncated` says that it is longer than the encoder takes."""

    row: Row
    truncated: bool


class Classifier:
    """One variant of an artifact, for one event loop."""

    def __init__(self, folder: Path, variant: str | None, callers: int, metrics: Metrics) -> None:
        """Open a variant; `int8` where none is named and the artifact has it, else its first.

        Args:
            callers: how many batches run at the same time, each on one core.
            metrics: told of each batch.

        Raises:
            ArtifactError: the folder is no artifact, has no such variant, a file is not what the manifest
                says, or does not load.
        """
        self.name = manifest.name(folder)
        self.variant = manifest.choose(folder, variant).name
        manifest.check_files(folder, [VARIANT_FILES[self.variant], TOKENIZER_FILE])
        self._scorer = Scorer(folder, self.variant)
        self.labels, self.thresholds = self._scorer.labels, self._scorer.thresholds
        self.callers = callers
        # Graph and tokenizer wait for each other in no pool.
        self._running, self._encoding = ThreadPoolExecutor(callers), ThreadPoolExecutor(callers)
        self._metrics = metrics
        self._batcher = Batcher(self._scorer.run, self._running, callers, BATCH_TOKENS, metrics.batch)
        metrics.watch(lambda: self._batcher.waiting)

    async def answer(self, texts: list[str]) -> list[Answer]:
        """Answer texts, in their order.

        Raises:
            BusyError: too many texts wait.
            ToolchainError: the graph fails.
        """
        encoded = await self._encode(texts)
        rows = await self._batcher.answer(encoded.ids)
        self._metrics.texts(len(texts), int(encoded.truncated.sum()))
        return [Answer(row, bool(cut)) for row, cut in zip(rows, encoded.truncated, strict=True)]

    async def check(self) -> None:
        """Run the graph once, ahead of the texts that wait.

        Raises:
            ToolchainError: it fails: the process that runs it is gone.
        """
        ids = (await self._encode([""])).ids
        await asyncio.get_running_loop().run_in_executor(self._running, self._scorer.run, ids)

    async def is_broken(self) -> ToolchainError | None:
        """Return why the graph runs nothing any more; None where it does."""
        try:
            await self.check()
        except ToolchainError as error:
            return error
        return None

    async def _encode(self, texts: list[str]) -> Encoded:
        return await asyncio.get_running_loop().run_in_executor(self._encoding, self._scorer.encode, texts)

    def close(self) -> None:
        """End the process that runs the graph."""
        self._scorer.close()
        for pool in (self._encoding, self._running):
            pool.shutdown(cancel_futures=True)
