"""Networks of random weights are the published ones in all but the numbers, and their pictures are finite and not flat."""

import pytest
import torch
from full_size_engines import LAYOUTS, config_of
from reference_generators import CONFIGS as SMALL

from models.stylegan.random_weights import CONFIGS, random_generator

NAMED = {
    "config-f": "stylegan2-ada cfg=config-f 1024",
    "stylegan3-t": "stylegan3-t 1024 channel_base=32768",
    "stylegan3-r": "stylegan3-r 1024 channel_base=65536",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_they_are_the_published_networks(name: str) -> None:
    assert CONFIGS[name] == config_of(LAYOUTS[NAMED[name]]["arguments"])


@pytest.mark.parametrize("name", SMALL)
def test_pictures_are_finite_differ_from_seed_to_seed_and_are_the_same_every_time(name: str) -> None:
    generator, again = random_generator(SMALL[name]), random_generator(SMALL[name])
    first, second = (generator.synthesis(generator.broadcast(generator.code_of_seed(seed))) for seed in (1, 2))
    assert first.isfinite().all()
    assert 0.01 < first.std() < 100
    assert (first - second).std() > 0.01
    assert torch.equal(first, again.synthesis(again.broadcast(again.code_of_seed(1))))
