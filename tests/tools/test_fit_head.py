"""Fitting heads: fitted to what the generator draws; drawing and fitting go on where they stopped; and it helps."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from models.errors import UserError
from models.judge.student import load_student
from models.stylegan.default import load_default_generator
from models.stylegan.head import FAST_256, FINE_256, FINE_512, Design, load_head
from models.stylegan.mobile import MobileStyleGAN
from tools import fit_head, head_pairs
from tools.fit_head import Fit, Material, deepened, first_guess, likeness, loss_of, main, measure, resumed, strangeness, widened
from tools.head_pairs import Pairs, draw_pairs, sample_ws

SMALL_FAST = Design(features=64, picture=256, grown=192, width=16, depth=1)
SMALL_512 = Design(features=128, picture=512, grown=256, width=16, depth=1)


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return load_default_generator()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faces")


@pytest.fixture(scope="module", autouse=True)
def _two_held_out() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (head_pairs, fit_head):
            patch.setattr(module, "HELD_OUT", 2)
        yield


@pytest.fixture(scope="module")
def pairs(generator: MobileStyleGAN, work: Path, _two_held_out: None) -> Pairs:
    return draw_pairs(generator, 8, work)


def test_a_face_is_always_the_same_and_edits_touch_their_rows_only(generator: MobileStyleGAN) -> None:
    plain, edited = sample_ws(generator, 0), sample_ws(generator, 1)
    assert torch.equal(plain, sample_ws(generator, 0))
    assert torch.equal(plain[0], plain[0, :1].expand(generator.num_ws, -1))
    moved = (edited[0] != edited[0, -1]).any(dim=1)
    assert moved.tolist() == [False] + [True] * 12 + [False] * 10


@pytest.mark.parametrize(("side", "picture"), [(64, 256), (128, 256), (128, 512)])
def test_pairs_are_the_generators_features_and_its_picture_shrunk(
    generator: MobileStyleGAN, pairs: Pairs, side: int, picture: int
) -> None:
    features, target = pairs.crop(3, side, 0, 0, side, picture)
    expected = F.avg_pool2d(generator.synthesis(pairs.ws[3:4]), 1024 // picture)[0]
    assert (target - expected).abs().mean() < 0.01  # drawn in the processor's own precision
    assert F.cosine_similarity(features.float().flatten(), generator.features(pairs.ws[3:4], side).flatten(), dim=0) > 0.999


@pytest.mark.parametrize("design", [FAST_256, FINE_256, FINE_512], ids=lambda design: design.name)
def test_a_crop_is_the_same_place_of_features_and_target(generator: MobileStyleGAN, pairs: Pairs, design: Design) -> None:
    material, scale = Material(generator, pairs, design), design.picture // 128
    features, target = material.crop(1, 0, 0, 128)
    part_features, part_target = material.crop(1, 10, 20, 6)
    y, x, size = (n // material.step for n in (10, 20, 6))
    assert torch.equal(part_features, features[:, y : y + size, x : x + size])
    assert torch.equal(part_target, target[:, 10 * scale : 16 * scale, 20 * scale : 26 * scale])


@pytest.mark.parametrize("design", [SMALL_FAST, SMALL_512], ids=["from 64", "from 128"])
def test_inside_its_margin_a_crop_is_drawn_as_in_the_whole_picture(
    generator: MobileStyleGAN, pairs: Pairs, design: Design
) -> None:
    """Whatever counts while fitting is what the head will draw: the same noise, and no edge in reach."""
    material = Material(generator, pairs, design)
    head = first_guess(material)
    with torch.no_grad():
        head.leave.weight.mul_(30)  # the hidden layers weigh too little in a first guess to be seen
    features, styles = material.crop(4, 0, 0, 128)[0][None].float(), material.styles[4:5]
    scale, margin, y, x = design.picture // 128, material.margin, 28, 48
    part = material.crop(4, y, x, 40)[0][None].float()
    noise = None if head.grow is None else head.grow.noise[:, :, y : y + 40, x : x + 40]
    with torch.inference_mode():
        whole, drawn = head(features, styles), head(part, styles, noise)
    inside = slice(scale * margin, scale * (40 - margin))
    expected = whole[..., scale * y :, scale * x :][..., inside, inside]
    assert torch.allclose(drawn[..., inside, inside], expected, atol=1e-4)
    outside = slice(scale * (margin - material.step), scale * (40 - margin + material.step))
    expected = whole[..., scale * y :, scale * x :][..., outside, outside]
    assert not torch.allclose(drawn[..., outside, outside], expected, atol=1e-4)


def test_drawing_goes_on_where_it_stopped(generator: MobileStyleGAN, pairs: Pairs, work: Path) -> None:
    features = np.load(work / "features_128.npy", mmap_mode="r+")
    pictures = np.load(work / "pictures.npy", mmap_mode="r+")
    kept = np.array(pictures[5])
    pictures[5] = 0  # as if it had been stopped there
    drawn = np.array(features[2])
    features[2] = 7  # drawn already: must not be drawn again
    again = draw_pairs(generator, 8, work)
    assert np.array_equal(again.pictures[5], kept)
    assert (again.features[128][2] == 7).all()
    features[2] = drawn


def test_another_number_of_faces_in_the_folder_is_refused(generator: MobileStyleGAN, pairs: Pairs, work: Path) -> None:
    with pytest.raises(UserError, match="--work"):
        draw_pairs(generator, 9, work)


@pytest.mark.parametrize("design", [SMALL_FAST, SMALL_512], ids=["from 64", "from 128"])
def test_fitting_brings_the_picture_nearer(generator: MobileStyleGAN, pairs: Pairs, design: Design) -> None:
    material = Material(generator, pairs, design)
    guess = first_guess(material)
    before, looked = likeness(guess, material, range(3, 8))
    assert before > 15  # the ridge is a picture already
    fit = Fit(guess)
    fit.run(material, minutes=0.15)
    after, looks = likeness(fit.head, material, range(3, 8))
    assert after > before
    assert looks < looked
    assert "PSNR plain" in measure(fit.average, material, range(2))


def test_a_stopped_fit_goes_on(generator: MobileStyleGAN, pairs: Pairs, tmp_path: Path) -> None:
    material, kept = Material(generator, pairs, SMALL_FAST), tmp_path / "fit.pt"
    first = resumed(material, kept)
    first.run(material, 0.02, kept)
    second = resumed(material, kept)
    assert second.steps == first.steps > 0
    for name, tensor in first.head.state_dict().items():
        assert torch.equal(tensor, second.head.state_dict()[name])
    assert len(second.optimiser.state) == len(first.optimiser.state) > 0
    steps = second.steps
    second.run(material, 2 * second.seconds / 60, kept)
    assert second.steps > steps


@pytest.mark.parametrize("content", [b"", b"no state of a fit"])
def test_a_damaged_state_is_refused_in_one_line(generator: MobileStyleGAN, pairs: Pairs, tmp_path: Path, content: bytes) -> None:
    kept = tmp_path / "fit.pt"
    kept.write_bytes(content)
    with pytest.raises(UserError, match=r"fit\.pt can't go on") as caught:
        resumed(Material(generator, pairs, SMALL_FAST), kept)
    assert "\n" not in str(caught.value)


def test_a_fit_can_begin_with_the_weights_that_ship(generator: MobileStyleGAN, pairs: Pairs, tmp_path: Path) -> None:
    fit = resumed(Material(generator, pairs, FAST_256), tmp_path / "fit.pt", shipped=True)
    shipped = load_head(FAST_256, generator.graph_hash).state_dict()
    assert all(torch.equal(tensor, shipped[name]) for name, tensor in fit.head.state_dict().items())
    assert all(parameter.requires_grad for parameter in fit.head.parameters())
    assert fit.steps == 0


def test_a_wider_head_starts_with_the_smaller_ones_picture(generator: MobileStyleGAN, pairs: Pairs) -> None:
    fine = load_head(FINE_256, generator.graph_hash)
    wide = widened(fine, FINE_512._replace(depth=FINE_256.depth))
    features = pairs.crop(2, 128, 0, 0, 128, 256)[0][None].float()
    styles = generator.skipped_styles(pairs.ws[2:3], 128)
    with torch.inference_mode():
        small, large = (head.sketch(*head.scaled(features, styles)) for head in (fine, wide))
    assert torch.allclose(large, F.interpolate(small, scale_factor=2, mode="nearest"), atol=1e-4)


def test_what_does_not_count_costs_nothing() -> None:
    target = torch.zeros(1, 3, 32, 32)
    drawn, counted = target.clone(), torch.ones(1, 1, 32, 32)
    drawn[..., :4, :] = 1
    assert loss_of(drawn, target, counted) > loss_of(target, target, counted)
    counted[..., :4, :] = 0
    assert torch.isclose(loss_of(drawn, target, counted), loss_of(target, target, counted), rtol=1e-3)


def test_the_student_notices_what_changed_where_it_counts(pairs: Pairs) -> None:
    student, y, x = load_student(), *fit_head.FACE
    target = pairs.crop(0, 128, y, x, 64, 256)[1][None]
    counted = torch.ones(1, 1, *target.shape[2:])
    assert strangeness(student, target, target, counted) == 0
    eyes = target.clone()
    eyes[..., 30:60, 30:60] = target[..., 90:120, 30:60]
    assert strangeness(student, eyes, target, counted) > 0.05
    assert strangeness(student, 0.9 * target + 0.1 * eyes, target, counted) < 0.05
    counted[..., 30:60, 30:60] = 0
    assert strangeness(student, eyes, target, counted) < 0.01
    drawn = (target + 0.1).requires_grad_()
    strangeness(student, drawn, target, counted).backward()  # type: ignore[no-untyped-call]
    assert drawn.grad is not None
    assert drawn.grad.abs().sum() > 0


def test_weights_of_fewer_layers_are_a_better_start_than_a_guess(generator: MobileStyleGAN, pairs: Pairs, tmp_path: Path) -> None:
    """What is new begins by handing on: no fit begins anew because its design grew."""
    shallow = Material(generator, pairs, SMALL_FAST)
    fit = Fit(first_guess(shallow))
    for _ in range(20):  # steps, not minutes: in those a slow machine would have learnt nothing
        fit._step(shallow, 0.0, np.random.RandomState(fit.steps))
    fit.head.write(tmp_path / "shallow.safetensors", generator.graph_hash)
    deep = Material(generator, pairs, SMALL_FAST._replace(depth=2))
    head = deepened(tmp_path / "shallow.safetensors", deep)
    assert likeness(head, deep, range(3, 8))[0] > likeness(first_guess(deep), deep, range(3, 8))[0]
    told = [rows[-12:] for rows in (fit.head.direct.bias, head.direct.bias)]
    assert torch.equal(*told)
    assert torch.equal(fit.head.enter.weight, head.enter.weight)


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_damaged_weights_to_begin_with_are_refused_in_one_line(
    generator: MobileStyleGAN, pairs: Pairs, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="--shipped") as caught:
        deepened(path, Material(generator, pairs, SMALL_FAST))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("design", [FAST_256, FINE_512], ids=lambda design: design.name)
def test_only_inner_edges_of_crops_do_not_count(generator: MobileStyleGAN, pairs: Pairs, design: Design) -> None:
    class UpperRight(np.random.RandomState):
        def rand(self, *_: int) -> float:
            return 1.0

        def choice(self, steps: tuple[int, ...], *_: object) -> np.ndarray:
            return np.array([0, steps[-1]])

    material = Material(generator, pairs, design)
    head = first_guess(material)
    (features, styles, noise), target, counted = material.batch(head, UpperRight(0))
    scale, margin = design.picture // 128, material.margin
    assert features.shape[2:] == (design.features // 2, design.features // 2)
    assert styles.shape == material.styles[:8].shape
    assert target.shape == (8, 3, design.picture // 2, design.picture // 2)
    assert counted[0, 0].any(dim=1).tolist() == [True] * scale * (64 - margin) + [False] * scale * margin
    assert counted[0, 0].any(dim=0).tolist() == [False] * scale * margin + [True] * scale * (64 - margin)
    if head.grow is not None:
        assert noise is not None
        assert torch.equal(noise[0], head.grow.noise[0, :, :64, 64:])


def test_a_quarter_of_the_crops_shows_the_face(generator: MobileStyleGAN, pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[tuple[int, int]] = []
    material = Material(generator, pairs, SMALL_FAST)
    whole = material.crop
    monkeypatch.setattr(material, "crop", lambda i, y, x, size: places.append((y, x)) or whole(i, y, x, size))
    head, rng = first_guess(Material(generator, pairs, SMALL_FAST)), np.random.RandomState(0)
    for _ in range(25):
        material.batch(head, rng)
    edges = [(y, x) for y, x in places if y in (0, 64) and x in (0, 64)]
    near = [(y, x) for y, x in places if abs(y - fit_head.FACE[0]) <= 8 and abs(x - fit_head.FACE[1]) <= 8]
    assert len(places) == 200
    assert 80 < len(edges) < 120
    assert 35 < len(near) < 85  # a few of those that are anywhere are there too
    assert all(0 <= y <= 64 and 0 <= x <= 64 and y % 4 == x % 4 == 0 for y, x in places)


def test_too_few_faces_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["256_from_64", "--faces", "2"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
