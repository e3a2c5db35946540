"""Steps of a fit: downhill, of bounded length, followed by an average."""

import copy

import pytest
import torch
from torch import nn

from models.descent import cosine_pace, descend, share_kept


def test_the_pace_falls_from_one_to_the_least() -> None:
    paces = [cosine_pace(share / 10, 0.05) for share in range(11)]
    assert paces[0] == 1.0 and paces[-1] == pytest.approx(0.05) and cosine_pace(1.0) == pytest.approx(0.0)
    assert paces == sorted(paces, reverse=True)


def test_at_first_an_average_keeps_little_and_never_more_than_it_may() -> None:
    shares = [share_kept(step, 0.98) for step in range(1000)]
    assert shares[0] == 0.1 and shares[-1] == 0.98 and shares == sorted(shares)


def test_a_step_is_no_longer_than_allowed_and_the_average_follows() -> None:
    module = nn.Linear(3, 1, bias=False)
    average, before = copy.deepcopy(module), module.weight.detach().clone()
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    descend(1e6 * module(torch.ones(1, 3)).sum(), module, optimizer, average, 0.75, 0.5)
    step = module.weight.detach() - before
    assert step.norm() == pytest.approx(0.5, rel=1e-4) and (step < 0).all()
    torch.testing.assert_close(average.weight.detach(), before + 0.25 * step)
