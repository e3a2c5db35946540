"""How far a code lies from the mean of drawn faces, and how far faces lie: the limit of what an expression may move.

A Mahalanobis distance over the principal components that hold 99 % of the variance of drawn codes, one row of W+ at a time, the
mean over the rows that shape a face (`rows.py`).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.expression.preview import Generator
from models.expression.rows import shaping_rows

DRAWN: Final = 4000  # codes, seeds from FIRST_DRAWN on, not truncated
FIRST_DRAWN: Final = 2_000_000
VARIANCE: Final = 0.99  # that the components hold
PERCENTILE: Final = 0.99  # of the drawn codes lie within the limit

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Typicality:
    """What is known of drawn codes.

    mean        (width,)
    components  (p, width): principal components, each divided by its standard deviation
    limit       the distance that `PERCENTILE` of the codes stay within
    rows        of W+, the mean over which counts
    """

    mean: Floats
    components: Floats
    limit: float
    rows: slice

    @classmethod
    def of(cls, codes: Floats, rows: slice) -> Self:
        """Of codes (n, width); `rows` of W+ count."""
        mean = codes.mean(0)
        _, spread, axes = np.linalg.svd(codes - mean, full_matrices=False)
        count = 1 + int(np.searchsorted(np.cumsum(spread**2) / (spread**2).sum(), VARIANCE))
        components = axes[:count] / (spread[:count, None] / np.sqrt(len(codes)))
        distances = np.linalg.norm((codes - mean) @ components.T, axis=-1)
        return cls(mean, components, float(np.quantile(distances, PERCENTILE)), rows)

    @classmethod
    def drawn_by(cls, generator: Generator) -> Self:
        """Of a generator's faces; one to two seconds of a core."""
        codes = generator.codes_of_seeds(range(FIRST_DRAWN, FIRST_DRAWN + DRAWN), psi=1.0).cpu().numpy()
        return cls.of(codes, shaping_rows(generator))

    def distance(self, ws: Floats) -> float:
        """Of one code ws (num_ws, width), 0 at the mean; between 0 and `limit` lies what is drawn."""
        return float(np.linalg.norm((ws[self.rows] - self.mean) @ self.components.T, axis=-1).mean())
