"""Fitting the head: what it is fitted to is what the generator draws, drawing goes on where it stopped, and fitting helps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from models.errors import UserError
from models.stylegan.default import load_default_generator
from models.stylegan.mobile import MobileStyleGAN
from tools import fit_head
from tools.fit_head import Pairs, draw, draw_pairs, first_guess, fit, loss_of, main, measure, random_batch, sample_ws


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return load_default_generator()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faces")


@pytest.fixture(scope="module")
def pairs(generator: MobileStyleGAN, work: Path) -> Pairs:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_head, "HELD_OUT", 2)
        return draw_pairs(generator, 8, work)


def test_a_face_is_always_the_same_and_edits_touch_their_rows_only(generator: MobileStyleGAN) -> None:
    plain, edited = sample_ws(generator, 0), sample_ws(generator, fit_head.HELD_OUT - 1)
    assert torch.equal(plain, sample_ws(generator, 0))
    assert torch.equal(plain[0], plain[0, :1].expand(generator.num_ws, -1))
    moved = (edited[0] != edited[0, -1]).any(dim=1)
    assert moved.tolist() == [False] + [True] * 12 + [False] * 10


def test_targets_are_the_generators_picture_shrunk(generator: MobileStyleGAN, pairs: Pairs) -> None:
    features, target = pairs.crop(3, 0, 0, 128)
    expected = F.avg_pool2d(generator.synthesis(pairs.ws[3:4]), 4)[0]
    assert (target - expected).abs().mean() < 0.01  # drawn in the processor's own precision
    assert F.cosine_similarity(features.float().flatten(), generator.features(pairs.ws[3:4], 128).flatten(), dim=0) > 0.999


def test_a_crop_is_the_same_place_of_features_and_target(pairs: Pairs) -> None:
    features, target = pairs.crop(1, 0, 0, 128)
    part_features, part_target = pairs.crop(1, 10, 20, 5)
    assert torch.equal(part_features, features[:, 10:15, 20:25])
    assert torch.equal(part_target, target[:, 20:30, 40:50])


def test_drawing_goes_on_where_it_stopped(generator: MobileStyleGAN, pairs: Pairs, work: Path) -> None:
    features = np.load(work / "features.npy", mmap_mode="r+")
    targets = np.load(work / "targets.npy", mmap_mode="r+")
    kept = np.array(targets[5])
    targets[5] = 0  # as if it had been stopped there
    features[2] = 7  # drawn already: must not be drawn again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_head, "HELD_OUT", 2)
        again = draw_pairs(generator, 8, work)
    assert np.array_equal(again.targets[5], kept)
    assert (again.features[2] == 7).all()


def test_another_number_of_faces_in_the_folder_is_refused(generator: MobileStyleGAN, pairs: Pairs, work: Path) -> None:
    with pytest.raises(UserError, match="--work"):
        draw_pairs(generator, 9, work)


def test_fitting_brings_the_picture_nearer(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_head, "HELD_OUT", 2)

    def error(head: fit_head.Head) -> float:
        return float(np.mean([(a - b).square().mean() for a, b in (draw(head, pairs, i) for i in range(3, 8))]))

    guess = first_guess(pairs, 16)
    before = error(guess)
    assert before < 0.1  # the ridge is a picture already
    assert error(fit(guess, pairs, minutes=0.15)) < before
    assert "PSNR plain" in measure(guess, pairs, range(2))


def test_what_does_not_count_costs_nothing() -> None:
    target = torch.zeros(1, 3, 16, 16)
    drawn, counted = target.clone(), torch.ones(1, 1, 16, 16)
    drawn[..., :4, :] = 1
    assert loss_of(drawn, target, counted) > loss_of(target, target, counted)
    counted[..., :4, :] = 0
    assert torch.isclose(loss_of(drawn, target, counted), loss_of(target, target, counted), rtol=1e-3)


def test_only_inner_edges_of_crops_do_not_count(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_head, "HELD_OUT", 2)

    class UpperRight(np.random.RandomState):
        def rand(self, *_: int) -> float:
            return 1.0

        def choice(self, *_: object) -> tuple[int, int]:
            return 0, 64

    features, styles, target, counted = random_batch(pairs, UpperRight(0))
    assert features.shape == (8, 256, 64, 64)
    assert styles.shape == (8, 736)
    assert target.shape == (8, 3, 128, 128)
    assert counted[0, 0].any(dim=1).tolist() == [True] * 122 + [False] * 6
    assert counted[0, 0].any(dim=0).tolist() == [False] * 6 + [True] * 122


def test_too_few_faces_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["fit_head", "--faces", "10"])
    assert main() == 2
    assert capsys.readouterr().err.startswith("error: ")
