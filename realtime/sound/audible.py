"""What may be in sound that comes from outside: finite numbers, not far beyond full scale."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LOUDEST: Final = 16.0
"""24 dB above full scale, the most that a wrongly scaled recording is off by and still means something."""


def audible(samples: NDArray[Any]) -> NDArray[np.float32]:
    """The same samples as float32 in -`LOUDEST`...`LOUDEST`; what is no number is silence.

    One NaN, as broken files and audio plug-ins hold them, would otherwise stay for ever in every filter and running mean.
    """
    numbers: NDArray[np.float32] = np.nan_to_num(samples.astype(np.float32, copy=False).clip(-LOUDEST, LOUDEST))
    return numbers
