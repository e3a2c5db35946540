"""Which rows of W+ shape a face: those that the layers of 8² to 64² read. Later ones only colour it.

Of them an emotion leaves the first two alone: the coarsest layers move the hair and what is behind.
"""

from typing import Final, Protocol

FIRST: Final = 1  # row 0 is the 4² layer's, or StyleGAN3's input, which places the whole picture
FINEST: Final = 64  # the side of the last layers that shape
COARSE: Final = 2


class Layered(Protocol):
    """A generator whose rows are known by its layers."""

    def rows_read(self, resolution: int) -> int:
        """How many rows of ws, from the first on, `features(ws, resolution)` reads. Raises ValueError as that does."""


def shaping_rows(generator: Layered) -> slice:
    """Rows that neutral and the rig may move; of the default generator 1…12. Raises ValueError where no layer is of 64²."""
    return slice(FIRST, generator.rows_read(FINEST))


def emotion_rows(generator: Layered) -> slice:
    """Rows that emotions may move; of the default generator 3…12. Raises ValueError where no layer is of 64²."""
    return slice(FIRST + COARSE, generator.rows_read(FINEST))
