"""What every generator of the StyleGAN family offers, whatever its network: codes, truncation, style mixing, pictures, a name."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALLEST: Final = 32  # pixels: no picture is shrunk below this


class Generator(nn.Module, ABC):
    """`mapping`: z (N, z_dim) ~ N(0, 1) → w (N, w_dim); `synthesis`: ws (N, num_ws, w_dim) → pictures (N, 3, R, R).

    Pictures are RGB, float32, about -1…1 (not clamped); R is `resolution`, `sizes` are all sides that `picture` draws.
    num_ws is the number of rows of `ws`: each layer of the synthesis network reads one. `w_avg` (w_dim,) is the mean of w, the
    face that truncation leads to.
    """

    z_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    w_avg: Tensor
    mapping: Callable[[Tensor], Tensor]
    synthesis: Callable[[Tensor], Tensor]
    configuration: str = ""  # what the weights alone do not say, as text: part of the generator's name
    _named: tuple[tuple[object, ...], str] | None = None  # which state was named last, and how

    @abstractmethod
    def features(self, ws: Tensor, resolution: int) -> Tensor:
        """What the layers up to `resolution` hand on: (N, C, resolution, resolution). Differentiable.

        Raises ValueError for a resolution that no layer ends with.
        """

    @abstractmethod
    def rows_read(self, resolution: int) -> int:
        """How many rows of ws, from the first on, `features(ws, resolution)` reads. Raises ValueError as that does."""

    @abstractmethod
    def to_half_precision(self) -> Self:
        """Turn to float16, in place, what stays true and in range in it; `ws` stays float32."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that `picture` draws, smallest first: the resolution, its half, its quarter …"""
        halvings = (self.resolution >> k for k in range(self.resolution.bit_length()))
        return tuple(sorted(size for size in halvings if size >= min(SMALLEST, self.resolution)))

    def picture(self, ws: Tensor, size: int) -> Tensor:
        """ws (N, num_ws, w_dim) → pictures (N, 3, size, size), shrunk by averaging. `size` is one of `sizes`."""
        shrink = self.resolution // size
        whole = self.synthesis(ws)
        return whole if shrink == 1 else F.avg_pool2d(whole, shrink)

    def broadcast(self, w: Tensor) -> Tensor:
        """w (N, w_dim) → ws (N, num_ws, w_dim), the same code in every row."""
        return w[:, None].expand(-1, self.num_ws, -1)

    def truncate(self, w: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
        """Pull w or ws (…, w_dim) towards the mean face: psi 1 leaves it, 0 is the mean (the truncation trick of StyleGAN).

        With `cutoff` only the first that many rows of ws (N, num_ws, w_dim) are pulled.
        """
        truncated = self.w_avg + psi * (w - self.w_avg)
        return truncated if cutoff is None else torch.cat([truncated[:, :cutoff], w[:, cutoff:]], dim=1)

    def mix(self, ws: Tensor, other: Tensor, rows: Sequence[int]) -> Tensor:
        """Style mixing: `ws` with these rows, each 0 … num_ws - 1, of `other`; all (N, num_ws, w_dim). First rows are coarse."""
        mixed = ws.clone()
        mixed[:, rows] = other[:, rows]
        return mixed

    def code_of_seed(self, seed: int, psi: float = 0.7) -> Tensor:
        """The face named `seed:N`: w (1, w_dim), the same everywhere: z is drawn as NVIDIA's scripts do, by `RandomState(N)`."""
        return self.codes_of_seeds([seed], psi)

    def codes_of_seeds(self, seeds: Sequence[int], psi: float = 0.7) -> Tensor:
        """The same for many faces at once: w (n, w_dim)."""
        z = np.stack([np.random.RandomState(seed).randn(self.z_dim) for seed in seeds])
        return self.truncate(self.mapping(torch.from_numpy(z).to(self.w_avg)), psi)

    @property
    def graph_hash(self) -> str:
        """Names the weights (64 hex digits of SHA-256): what was found or built for one generator is not used with another.

        `w_avg` is left out: it is computed, and its last bits may differ between machines.
        """
        state = sorted((name, tensor) for name, tensor in self.state_dict().items() if not name.endswith("w_avg"))
        # Reading all weights takes a second of a large generator, and everything that is kept asks for the name.
        at = (self.configuration, *((name, t.dtype, t.shape, t.data_ptr(), t._version) for name, t in state))
        if self._named is None or self._named[0] != at:
            self._named = (at, self._name_of(state))
        return self._named[1]

    def _name_of(self, state: Sequence[tuple[str, Tensor]]) -> str:
        digest = hashlib.sha256(self.configuration.encode())
        for name, tensor in state:
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
