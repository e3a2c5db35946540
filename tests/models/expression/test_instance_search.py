"""The walk: it goes downhill, in its rows only, the same every time; and the preview it looks at."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.expression.instance_search import Walk, search
from models.expression.preview import SIDE, Preview, as_bytes, full_picture
from models.judge.steer import Jitter

NUM_WS, WIDTH = 16, 8
ROWS = slice(1, 13)


class LinearGenerator:
    """Features that depend on the code, and a picture that is a linear map of them."""

    num_ws = NUM_WS
    graph_hash = "c" * 64

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        self._planes = torch.randn(WIDTH, 5, SIDE // 2, SIDE // 2, generator=random)
        self._map = torch.randn(12, 5, generator=random) * 0.02

    def features(self, ws: Tensor, resolution: int) -> Tensor:
        assert resolution == SIDE // 2
        return torch.einsum("nw,wchx->nchx", ws[:, 2], self._planes)

    def synthesis(self, ws: Tensor) -> Tensor:
        small = F.pixel_shuffle(torch.einsum("bc,nchx->nbhx", self._map, self.features(ws, SIDE // 2)), 2)
        return F.interpolate(small, scale_factor=4)


class Distance:
    """An objective: how far the picture is from a wanted one."""

    def __init__(self, wanted: Tensor) -> None:
        self._wanted = wanted
        self.jitters: list[Sequence[Jitter]] = []

    def __call__(self, picture: Tensor, jitters: Sequence[Jitter]) -> dict[str, Tensor]:
        self.jitters.append(jitters)
        return {"far": (picture - self._wanted).square().mean() * 1000}


def code(seed: int) -> Tensor:
    return torch.randn(1, NUM_WS, WIDTH, generator=torch.Generator().manual_seed(seed)) * 0.3


def test_preview_of_a_linear_generator_is_its_picture() -> None:
    generator = LinearGenerator()
    preview = Preview(generator, [code(1), code(2)])
    there = full_picture(generator, code(3))
    assert there.shape == (1, 3, SIDE, SIDE)
    assert (preview(code(3)).clamp(0, 1) - there).abs().mean() < 0.01


def test_bytes_are_rounded_and_clamped() -> None:
    picture = torch.tensor([-1.0, 0.0, 0.5, 2.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert as_bytes(picture)[..., 0].tolist() == [[0, 0], [128, 255]]


def test_a_walk_goes_downhill_in_its_rows_only_and_the_same_way_twice() -> None:
    generator = LinearGenerator()
    start = code(4)
    preview = Preview(generator, [start, code(5)])
    wanted = start.clone()
    wanted[0, 2] += torch.linspace(-1, 1, WIDTH)
    wanted[0, 14] += 5
    objective = Distance(preview(wanted))
    told: list[dict[str, float]] = []
    trail = search(preview, start, objective, Walk(steps=15, length=0.25), rows=ROWS, tell=told.append)
    assert trail.shape == (16, NUM_WS, WIDTH)
    assert not trail[0].any()
    outside = np.setdiff1d(np.arange(NUM_WS), np.arange(ROWS.start, ROWS.stop))
    assert not trail[:, outside].any()
    assert told[-1]["far"] < 0.1 * told[0]["far"]
    assert torch.equal(trail, search(preview, start, objective, Walk(steps=15, length=0.25), rows=ROWS))


def test_a_walk_starts_where_it_is_told_to() -> None:
    start, first = code(4), torch.zeros(NUM_WS, WIDTH)
    first[3] = 0.5
    preview = Preview(LinearGenerator(), [start])
    trail = search(preview, start, Distance(preview(start)), Walk(steps=1), rows=ROWS, first=first)
    assert torch.equal(trail[0], first)


def test_rows_that_must_not_move_stay_where_the_walk_started() -> None:
    start, first = code(4), torch.zeros(NUM_WS, WIDTH)
    first[1:5] = 0.5
    preview = Preview(LinearGenerator(), [start, code(5)])
    trail = search(preview, start, Distance(preview(code(5))), Walk(steps=2), first=first, rows=slice(3, 13))
    assert torch.equal(trail[-1, 1:3], first[1:3])
    assert not torch.equal(trail[-1, 3:5], first[3:5])


def test_jitters_are_mirrored_by_turns_and_stay_small() -> None:
    start = code(4)
    preview = Preview(LinearGenerator(), [start])
    objective = Distance(preview(start))
    search(preview, start, objective, Walk(steps=3, jitters=4), rows=ROWS)
    assert len(objective.jitters) == 3
    for jitters in objective.jitters:
        assert [jitter.mirrored for jitter in jitters] == [False, True, False, True]
        assert all(abs(jitter.dx) < 0.05 and abs(jitter.dy) < 0.05 and 0.9 < jitter.scale < 1.1 for jitter in jitters)
    assert objective.jitters[0] != objective.jitters[1]
