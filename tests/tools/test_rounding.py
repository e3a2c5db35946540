"""Rounding while fitting: what a layer reads becomes integers times its steps, gradients pass, the weights keep their names."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.errors import UserError
from models.stylegan.default import load_default_generator
from models.stylegan.head import FAST_256, FINE_512, SIDE, Head
from tools import rounding
from tools.rounding import round_as_drawn, rounded


def test_what_is_read_are_integers_times_the_channels_steps() -> None:
    step = torch.tensor([0.01, 1.0])
    x = (torch.randn(3, 2, 8, 8) * 5).requires_grad_()
    read = rounded(x, step)
    integers = read / step[:, None, None]
    assert torch.allclose(integers, integers.round(), atol=1e-3)
    assert integers.min() >= -128 - 1e-3
    assert integers.max() <= 127 + 1e-3
    assert (read - x)[:, 1].abs().max() <= 0.5 + 1e-6
    read.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))


def test_hidden_layers_read_rounded_and_the_features_readers_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = load_default_generator()
    coarse = np.full(FINE_512.width, 0.5, np.float32)
    steps = {"features": np.ones(FINE_512.grown, np.float32), **{f"{i}": coarse for i in range(FINE_512.depth + 1)}}
    monkeypatch.setattr(rounding, "known_steps", lambda _: steps)
    torch.manual_seed(0)
    head = Head(FINE_512)
    names = set(head.state_dict())
    round_as_drawn(head, generator)
    assert set(head.state_dict()) == names
    read: dict[str, torch.Tensor] = {}
    for name in ("enter", "middle.0", "middle.3", "leave"):
        module = head.get_submodule(name)
        module.register_forward_pre_hook(lambda _, x, name=name: read.update({name: x[0]}))
    features = torch.randn(1, FINE_512.grown, SIDE, SIDE)
    with torch.inference_mode():
        head.sketch(features, torch.randn(1, len(head.style_mean)))
    assert torch.equal(read["enter"], features)
    for name in ("middle.0", "middle.3", "leave"):
        assert torch.equal(read[name] * 2, (read[name] * 2).round())


def test_a_head_behind_rounded_layers_is_refused() -> None:
    with pytest.raises(UserError, match="--rounded"):
        round_as_drawn(Head(FAST_256), SimpleNamespace())  # type: ignore[arg-type]
