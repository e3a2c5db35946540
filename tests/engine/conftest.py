"""One generator and one set of graphs for all tests of the engines: exporting takes seconds each."""

import pytest

from models.stylegan.default import load_default_generator
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import SIZES, Pixels, Quality, ways_of


@pytest.fixture(scope="session")
def generator() -> MobileStyleGAN:
    return load_default_generator()


@pytest.fixture(scope="session")
def pixels(generator: MobileStyleGAN) -> dict[int, Pixels]:
    return {size: Pixels(generator, size).eval() for size in SIZES}


@pytest.fixture(scope="session")
def graphs(generator: MobileStyleGAN) -> dict[tuple[int, Quality], Pixels]:
    """Every way of drawing there is."""
    return {way: Pixels(generator, *way).eval() for way in ways_of(generator, SIZES)}
