"""The last step of drawing inside the graph: finished bytes come out, so every engine hands over a picture, not numbers."""

import copy
from collections.abc import Iterable
from typing import Final, Literal

import torch
from torch import Tensor, nn

from models.errors import UserError
from models.stylegan.generator import Generator
from models.stylegan.head import FAST_256, FINE_256, FINE_512, Design, load_head
from models.stylegan.mobile import MobileStyleGAN

SIZES: Final = (256, 512, 1024)  # of the default generator

Quality = Literal["fast", "fine", "full"]
QUALITIES: Final[tuple[Quality, ...]] = ("fast", "fine", "full")
HEADS: Final[dict[tuple[int, Quality], Design]] = {(256, "fast"): FAST_256, (256, "fine"): FINE_256, (512, "fine"): FINE_512}


class Pixels(nn.Module):
    """ws (1, num_ws, w_dim) float32 → picture (size, size, 3) uint8, RGB.

    `full` is the whole generator, shrunk by averaging. `fast` and `fine` are fitted heads of the default generator's early
    features; a size that has no such head is drawn in the next better quality, as every size of other generators is. Raises
    UserError for a size that the generator does not draw and for damaged head weights.
    """

    def __init__(self, generator: Generator, size: int, quality: Quality = "fine") -> None:
        super().__init__()
        sizes = generator.sizes
        if size not in sizes:
            raise UserError(f"a picture {size} pixels wide was asked for; choose one of {', '.join(map(str, sizes))}")
        self.size = size
        self.generator = generator
        self.quality = quality_of(generator, size, quality)
        design = HEADS.get((size, self.quality))
        self.head = load_head(design, generator.graph_hash) if design else None

    def in_half_precision(self) -> "Pixels":
        """A copy that computes in float16, for GPUs, as far as the generator stays true in it; ws stays float32."""
        half = copy.deepcopy(self)
        half.generator.to_half_precision()
        if half.head is not None:
            half.head.half()
        return half

    def forward(self, ws: Tensor) -> Tensor:
        generator = self.generator
        ws = ws.to(generator.w_avg.dtype)
        if self.head is not None:
            assert isinstance(generator, MobileStyleGAN)
            side = self.head.design.features
            picture: Tensor = self.head(generator.features(ws, side), generator.skipped_styles(ws, side))
        else:
            picture = generator.picture(ws, self.size)
        # -1…1 → 0…255 as NVIDIA's scripts do it; the half is the rounding, since the conversion to bytes cuts.
        grey = (picture.float() * 127.5 + 128).clamp(0, 255)
        return grey[0].permute(1, 2, 0).to(torch.uint8)


def quality_of(generator: Generator, size: int, wanted: Quality) -> Quality:
    """The quality that a size is drawn in: the one that is wanted or, where there is none, the next better."""
    better = QUALITIES[QUALITIES.index(wanted) :] if isinstance(generator, MobileStyleGAN) else ()
    return next((quality for quality in better if (size, quality) in HEADS), "full")


def ways_of(generator: Generator, sizes: Iterable[int], qualities: Iterable[Quality] = QUALITIES) -> list[tuple[int, Quality]]:
    """Sizes with the qualities that they are really drawn in where these are wanted, none twice."""
    return list(dict.fromkeys((size, quality_of(generator, size, wanted)) for size in sizes for wanted in qualities))
