"""What is common to all generators."""

import copy

import torch
from reference_generators import reference_generator


def test_the_name_follows_every_change_of_a_weight() -> None:
    generator = copy.deepcopy(reference_generator("sg2-32"))  # the shared one is not to be changed
    before, twin = generator.graph_hash, copy.deepcopy(generator)
    assert generator.graph_hash == before == twin.graph_hash
    weight = next(iter(generator.parameters()))
    with torch.no_grad():
        weight.view(-1)[0] += 1.0
    assert generator.graph_hash != before
    assert twin.graph_hash == before
    weight.data = next(iter(twin.parameters())).data.clone()
    assert generator.graph_hash == before
    twin.configuration += "another"
    assert twin.graph_hash != before
