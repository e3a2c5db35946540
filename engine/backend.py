"""The one protocol behind which every way of drawing hides, and the table of the ways there are."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.stylegan.pixels import Pixels


class Backend(ABC):
    """Draws pictures of one size with one generator on one device. Use as a context manager, or call `close`.

    An object is made by a function `open_…(pixels: Pixels) -> Backend`, which raises `UserError` with one line where its
    library, device or memory is missing; what it has built by then it has freed again. Whoever writes a backend fills in
    `_draw` and `_free`:

    - `_draw` gets ws of the right shape and kind, and returns an array of its own: the next call must not change it.
    - `_free` is called exactly once, also after a failed `_draw`.
    - `warm_up` returns when the next `render` takes as long as all later ones.

    Calls come from one thread at a time, not always the same.
    """

    name: ClassVar[str]

    def __init__(self, pixels: Pixels) -> None:
        self.size: Final = pixels.size
        self.num_ws: Final = pixels.generator.num_ws
        self.w_dim: Final = pixels.generator.w_dim
        self.description = self.name  # what is drawn with: device and precision, for people
        self._rest = pixels.generator.broadcast(pixels.generator.w_avg[None].cpu().float()).numpy().copy()
        self._closed = False

    @abstractmethod
    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        """ws (1, num_ws, w_dim) → a picture (size, size, 3)."""

    @abstractmethod
    def _free(self) -> None:
        """Give back what the device holds."""

    def warm_up(self) -> None:
        """Draw the mean face until the first slow calls are over."""
        for _ in range(2):
            self.render(self._rest)

    def render(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        """ws float32 (1, num_ws, w_dim) → picture uint8 (size, size, 3), RGB, the caller's own.

        Raises ValueError for another shape, and RuntimeError once the backend is closed or its device fails.
        """
        if self._closed:
            raise RuntimeError(f"the backend {self.name} is closed and can't draw any more")
        if ws.shape != (1, self.num_ws, self.w_dim):
            raise ValueError(f"ws of shape (1, {self.num_ws}, {self.w_dim}) was expected, {ws.shape} was given")
        return self._draw(np.ascontiguousarray(ws, dtype=np.float32))

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


BACKENDS: dict[str, Callable[[Pixels], Backend]] = {}


def register_backend(name: str, opener: Callable[[Pixels], Backend]) -> None:
    """Make `opener` known as `name`, for `--backend` and for `auto`."""
    BACKENDS[name] = opener
