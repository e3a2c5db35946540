"""A cheap, differentiable 256² picture for the search: a linear map on the generator's 128² features, fitted anew for each face.

A 1×1 map from the features' channels to the twelve numbers of each 2×2 patch, by ridge regression against the full picture
shrunk to 256². It is only good near the codes it was fitted on, and costs an eighth of the full picture there and back.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.judge.crops import Picture
from models.precision import fast_autocast
from models.stylegan.default import GRAPH_HASH
from models.stylegan.head import FINE_256, load_head

SIDE: Final = 256
FEATURES: Final = SIDE // 2  # of the layers that a preview is made of
RIDGE: Final = 1e-3  # of the features' mean square


class Generator(Hashable, Protocol):
    """What a search needs of a generator of the StyleGAN family."""

    @property
    def num_ws(self) -> int: ...

    @property
    def graph_hash(self) -> str: ...

    def code_of_seed(self, seed: int, psi: float = 0.7) -> Tensor: ...

    def codes_of_seeds(self, seeds: Sequence[int], psi: float = 0.7) -> Tensor: ...

    def broadcast(self, w: Tensor) -> Tensor: ...

    def synthesis(self, ws: Tensor) -> Tensor: ...

    def features(self, ws: Tensor, resolution: int) -> Tensor: ...

    def rows_read(self, resolution: int) -> int: ...


def full_picture(generator: Generator, ws: Tensor, side: int = SIDE) -> Tensor:
    """(1, 3, side, side), 0…1: the finished picture, shrunk by averaging, or a smaller one enlarged. No gradient."""
    with torch.no_grad():
        picture = ((generator.synthesis(ws) + 1) / 2).clamp(0, 1)
        if picture.shape[-1] < side:
            return F.interpolate(picture, (side, side), mode="bilinear", antialias=False)
        return F.adaptive_avg_pool2d(picture, side)


def as_bytes(picture: Tensor) -> Picture:
    """(1, 3, h, w) in 0…1 → uint8 (h, w, 3)."""
    return np.ascontiguousarray((picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())


class Preview:
    """ws (1, num_ws, 512) → picture (1, 3, 256, 256), about 0…1, with a gradient."""

    def __init__(self, generator: Generator, codes: list[Tensor]) -> None:
        """Fitted on the full pictures of `codes`, each (1, num_ws, 512)."""
        self._generator = generator
        columns = self._columns(codes[0])
        self._gram = columns.new_zeros(len(columns), len(columns), dtype=torch.float64)
        self._cross = columns.new_zeros(len(columns), 12, dtype=torch.float64)
        for ws in codes:
            self.learn(ws)

    def learn(self, ws: Tensor) -> None:
        """Fit the full picture of one more code too."""
        with torch.no_grad():
            columns = self._columns(ws).double()
            targets = F.pixel_unshuffle(full_picture(self._generator, ws), 2)[0].flatten(1).double()
            self._gram += columns @ columns.T
            self._cross += columns @ targets.T
            ridge = RIDGE * self._gram.diagonal().mean() * torch.eye(len(columns)).to(self._gram)
            self._map = torch.linalg.solve(self._gram + ridge, self._cross).float()

    def __call__(self, ws: Tensor) -> Tensor:
        bands = self._map.T @ self._columns(ws)
        return F.pixel_shuffle(bands.view(1, 12, FEATURES, FEATURES), 2)

    def _columns(self, ws: Tensor) -> Tensor:
        """(C + 1, 128 · 128): the features of one code and a constant."""
        with fast_autocast():
            features = self._generator.features(ws, FEATURES)[0].flatten(1).float()
        return torch.cat([features, torch.ones_like(features[:1])])


@runtime_checkable
class Headed(Protocol):
    """A generator with features that a head can finish: MobileStyleGAN, and what stands in for it."""

    @property
    def graph_hash(self) -> str: ...

    def features(self, ws: Tensor, resolution: int) -> Tensor: ...

    def skipped_styles(self, ws: Tensor, resolution: int) -> Tensor: ...


class HeadPreview:
    """The same for any face of MobileStyleGAN, without fitting: through the head that a show draws 256² pictures with.

    Its slopes are truer than a fitted preview's (docs/expression_tried.md, "Left like right").
    """

    def __init__(self, generator: Headed) -> None:
        """Raises `UserError` as `load_head`."""
        self._generator, self._head = generator, load_head(FINE_256, generator.graph_hash)

    def __call__(self, ws: Tensor) -> Tensor:
        with fast_autocast():
            side = FINE_256.features
            picture: Tensor = self._head(self._generator.features(ws, side), self._generator.skipped_styles(ws, side))
        return (picture.float() + 1) / 2


Look = Callable[[Tensor], Tensor]
"""ws (1, num_ws, 512) → a picture 0…1 with a gradient."""
Previews = Callable[[Tensor, bool], Look]
"""(ws, anew): how to see what lies near `ws`; of another face if `anew`, else also near all codes since the last new face."""


class FittedPreviews:
    """`Previews` of any generator: for each face a `Preview`, fitted on where it is led."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._preview: Preview | None = None

    def __call__(self, ws: Tensor, anew: bool) -> Look:
        if anew or self._preview is None:
            self._preview = Preview(self._generator, [ws])
        else:
            self._preview.learn(ws)
        return self._preview


def previews_of(generator: Generator) -> Previews:
    """The truest there are: through the head that ships for this generator, else fitted."""
    if generator.graph_hash == GRAPH_HASH and isinstance(generator, Headed):
        preview = HeadPreview(generator)
        return lambda _ws, _anew: preview
    return FittedPreviews(generator)
