"""The faces that ship, and a preview for any other: `load_bank()` and `preview_paths(w)`."""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.expression import directions
from models.expression.paths import ExpressionPaths, load_paths

WEIGHTS: Final = Path(__file__).parent / "weights"
FACES_FILE: Final = WEIGHTS / "faces.safetensors"
DIRECTIONS_FILE: Final = WEIGHTS / "directions.safetensors"
PREDICTOR_FILE: Final = WEIGHTS / "predictor.safetensors"


def load_bank(generator_hash: str | None = None) -> dict[str, ExpressionPaths]:
    """The nine shipped faces by name (`seed:N`), in the order in which they are numbered in the show.

    With `generator_hash` they must belong to that generator. Raises `UserError` (see `load_paths`).
    """
    return load_paths(FACES_FILE, generator_hash)


@cache
def load_directions(generator_hash: str | None = None) -> directions.Directions:
    """The shipped attribute-level directions. Raises `UserError` as `load_bank`."""
    return directions.load(DIRECTIONS_FILE, generator_hash)


def preview_paths(ws: NDArray[np.float32], name: str, generator_hash: str | None = None) -> ExpressionPaths:
    """Paths for any code `ws` (num_ws, 512) from attribute-level directions: there at once, and only roughly the face's own."""
    return load_directions(generator_hash).preview_paths(ws, name)
