"""What ships: nine faces (`load_bank`), the predictor of any other's expressions, attribute-level directions."""

from functools import cache
from pathlib import Path
from typing import Final

from models.expression import directions, predictor
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


@cache
def load_predictor(generator_hash: str | None = None) -> predictor.PathPredictor:
    """The shipped predictor of any face's expressions. Raises `UserError` as `load_bank`."""
    return predictor.load(PREDICTOR_FILE, generator_hash)
