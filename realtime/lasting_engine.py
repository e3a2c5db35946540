"""An engine that outlives its backend: when the device fails in the middle of a show, the next backend draws on."""

import contextlib
import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.backend import Backend
from models.errors import UserError

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class LastingEngine:
    """Draws with `open_named(first)`; after a failure with the first of `others` that opens and has not failed yet.

    `open_named` raises `UserError` for a backend that can't be opened here; the first one's is the caller's to know. Once none
    is left, `render` raises RuntimeError, and `warm_up`, which is called at the start, `UserError`.
    """

    def __init__(self, open_named: Callable[[str], Backend], first: str, others: list[str]) -> None:
        self._open, self._others = open_named, others
        self._failed: set[str] = set()
        self._backend = open_named(first)

    @property
    def name(self) -> str:
        """Of the backend that draws now."""
        return self._backend.name

    @property
    def description(self) -> str:
        """Device and precision of it, for people."""
        return self._backend.description

    @property
    def size(self) -> int:
        """Side of the picture in pixels."""
        return self._backend.size

    def warm_up(self) -> None:
        """Until the next `render` takes as long as all later ones."""
        try:
            self._with_any(lambda backend: backend.warm_up())
        except RuntimeError as error:
            raise UserError(str(error)) from error

    def render(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        """ws (1, num_ws, w_dim) → picture (size, size, 3) RGB."""
        return self._with_any(lambda backend: backend.render(ws))

    def close(self) -> None:
        """Calling it again does nothing."""
        self._backend.close()

    def _with_any(self, work: Callable[[Backend], Result]) -> Result:
        while True:
            try:
                return work(self._backend)
            except RuntimeError as error:
                self._replace(error)

    def _replace(self, error: RuntimeError) -> None:
        self._failed.add(self._backend.name)
        with contextlib.suppress(RuntimeError):  # a device that is gone may fail at this too
            self._backend.close()
        for name in self._others:
            if name in self._failed:
                continue
            try:
                replacement = self._open(name)
            except UserError as reason:
                self._failed.add(name)
                log.warning("%s cannot take over (%s)", name, reason)
                continue
            log.error("the backend %s failed (%s); %s draws on", self._backend.name, error, name)
            self._backend = replacement
            return
        raise RuntimeError(f"no backend is left to draw with; the last one, {self._backend.name}, failed: {error}") from error
