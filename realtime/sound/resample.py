"""Any rate and channel count to the 16 kHz mono that listening is made for, block by block."""

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

LISTENING_RATE: Final = 16_000
"""Hz, mono: what every model of `models.emotion` takes."""


class ToListeningRate:
    """Streaming mixdown and resampling (libsoxr, linear phase); the sum of what comes out does not depend on how it came in."""

    def __init__(self, rate: int, gain_db: float = 0.0) -> None:
        self._gain = np.float32(10 ** (gain_db / 20))
        self._stream = (
            soxr.ResampleStream(rate, LISTENING_RATE, 1, dtype="float32", quality="HQ") if rate != LISTENING_RATE else None
        )

    def step(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, channels) in, (m,) out; m lags by the filter's few milliseconds."""
        mono: NDArray[np.float32] = block.mean(axis=1, dtype=np.float32) * self._gain
        if self._stream is None:
            return mono
        out: NDArray[np.float32] = self._stream.resample_chunk(mono)
        return out
