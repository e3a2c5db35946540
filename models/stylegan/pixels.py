"""The last step of drawing inside the graph: finished bytes come out, so every engine hands over a picture, not numbers."""

import copy
from typing import Final

import torch
from torch import Tensor, nn

from models.errors import UserError
from models.stylegan.generator import Generator
from models.stylegan.head import load_head
from models.stylegan.mobile import MobileStyleGAN

SIZES: Final = (256, 512, 1024)  # of the default generator


class Pixels(nn.Module):
    """ws (1, num_ws, w_dim) float32 → picture (size, size, 3) uint8, RGB.

    The default generator's 256² is drawn by the head fitted to its 128² features, every other size by the whole generator,
    shrunk by averaging. Raises UserError for a size that the generator does not draw and for damaged head weights.
    """

    def __init__(self, generator: Generator, size: int) -> None:
        super().__init__()
        sizes = sizes_of(generator)
        if size not in sizes:
            raise UserError(f"a picture {size} pixels wide was asked for; choose one of {', '.join(map(str, sizes))}")
        self.size = size
        self.generator = generator
        self.head = load_head(generator.graph_hash) if size not in generator.sizes else None

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
            picture: Tensor = self.head(generator.features(ws, 128), generator.skipped_styles(ws))
        else:
            picture = generator.picture(ws, self.size)
        # -1…1 → 0…255 as NVIDIA's scripts do it; the half is the rounding, since the conversion to bytes cuts.
        grey = (picture.float() * 127.5 + 128).clamp(0, 255)
        return grey[0].permute(1, 2, 0).to(torch.uint8)


def sizes_of(generator: Generator) -> tuple[int, ...]:
    """All sides, in pixels, that a generator's pictures can be had in, smallest first."""
    return SIZES if isinstance(generator, MobileStyleGAN) else generator.sizes
