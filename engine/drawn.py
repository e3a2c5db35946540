"""A generator whose finished pictures a backend draws: for searches, which look at many and need no gradient there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from engine.backend import Backend
from engine.choose import open_backend
from models.stylegan.default import load_default_generator
from models.stylegan.generator import Generator
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Quality

SIDES: Final[Mapping[Quality, int]] = {"full": 512, "fine": 256}  # pixels: half the work of 1024²; what a search looks at


class DrawnGenerator:
    """Stands in for `generator`; `synthesis` comes from `backend`, five to ten times as fast on a processor, and in its size.

    Everything that needs a gradient stays with the generator itself.
    """

    def __init__(self, generator: Generator, backend: Backend) -> None:
        self._generator, self._backend = generator, backend
        self.features: Callable[[Tensor, int], Tensor] = generator.features
        self.rows_read: Callable[[int], int] = generator.rows_read
        if isinstance(generator, MobileStyleGAN):
            self.skipped_styles: Callable[[Tensor, int], Tensor] = generator.skipped_styles

    @property
    def num_ws(self) -> int:
        return self._generator.num_ws

    @property
    def graph_hash(self) -> str:
        return self._generator.graph_hash

    def code_of_seed(self, seed: int, psi: float = 0.7) -> Tensor:
        return self._generator.code_of_seed(seed, psi)

    def codes_of_seeds(self, seeds: Sequence[int], psi: float = 0.7) -> Tensor:
        return self._generator.codes_of_seeds(seeds, psi)

    def broadcast(self, w: Tensor) -> Tensor:
        return self._generator.broadcast(w)

    def synthesis(self, ws: Tensor) -> Tensor:
        """ws (1, num_ws, w_dim) → picture (1, 3, size, size), -1…1, in steps of a byte."""
        picture = self._backend.render(ws.detach().cpu().numpy())
        return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def quick_generator(generator: Generator | None = None, quality: Quality = "full") -> DrawnGenerator:
    """A generator, the default one if none is given, its pictures drawn by whatever is fastest here.

    quality     full, up to 512², for who judges; fine, up to 256², for who looks at many and is content with a head's pictures

    Raises `UserError` as `open_backend`.
    """
    generator = generator or load_default_generator()
    size = max((size for size in generator.sizes if size <= SIDES[quality]), default=min(generator.sizes))
    return DrawnGenerator(generator, open_backend(generator, size, quality=quality))
