"""The judge of pixels: what the whole generator draws is true, what is spoilt is not, and machines can read the verdict."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import UserError
from models.stylegan.default import load_default_generator
from models.stylegan.mobile import MobileStyleGAN
from tools import evaluate_pixels
from tools.evaluate_pixels import codes, flip, main, summary, whole_pictures

pytest.importorskip("flip_evaluator", reason="FLIP is not installed: pip install the extra train")


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return load_default_generator()


def test_kinds_are_plain_expressive_and_shipped(generator: MobileStyleGAN) -> None:
    drawn = list(codes(generator, 2))
    assert [kind for kind, _ in drawn] == ["plain", "expressions"] * 2 + ["shipped"] * 45
    assert all(ws.shape == (1, 23, 512) for _, ws in drawn)
    assert np.array_equal(drawn[0][1], generator.broadcast(generator.code_of_seed(evaluate_pixels.FIRST_SEED)).numpy())
    assert all(np.abs(drawn[0][1] - ws).max() > 0.01 for _, ws in drawn[1:])


def test_what_should_be_drawn_is_one_picture_in_every_size(generator: MobileStyleGAN) -> None:
    (_, ws), *_ = codes(generator, 1)
    pictures = whole_pictures(generator, ws, (256, 1024))
    averaged = pictures[1024].reshape(256, 4, 256, 4, 3).mean(axis=(1, 3))
    # Equal but for rounding, and for what is cut at black and white in the larger picture.
    assert np.quantile(np.abs(averaged - pictures[256]), 0.99) < 1


def test_flip_is_nought_for_equal_pictures_and_sees_a_blur() -> None:
    picture = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8)
    errors, mean = flip(picture, picture)
    assert mean == 0
    assert errors.shape == picture.shape
    assert 0.05 < flip(picture, blurred)[1] <= 1


def test_means_and_the_worst_leave_out_what_was_not_seen() -> None:
    rows = [{"psnr": 20.0}, {"psnr": 30.0, "sface": 1.0, "fer": 1.0}, {"psnr": 40.0, "sface": 0.5, "fer": 0.0}]
    means = {"psnr": 30.0, "sface": 0.75, "fer": 0.5}
    assert summary(rows) == {"pictures": 3, **means, "sface >= 0.95": 0.5, "worst psnr": 20.0, "worst sface": 0.5}


def test_the_share_of_the_same_people_counts_those_of_exactly_the_limit() -> None:
    assert summary([{"sface": sface} for sface in (0.95, 0.949, 0.99, 1.0)])["sface >= 0.95"] == 0.75


def test_the_command_judges_what_is_drawn(
    generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def few(generator: MobileStyleGAN, faces: int) -> list[tuple[str, NDArray[np.float32]]]:
        return list(codes(generator, 1))[: 1 + faces]

    monkeypatch.setattr(evaluate_pixels, "codes", few)
    sheet = tmp_path / "new" / "sheet.png"
    assert (
        main(
            [
                "--size",
                "256",
                "512",
                "--quality",
                "fast",
                "full",
                "--faces",
                "1",
                "--backend",
                "torch",
                "--json",
                "--sheet",
                str(sheet),
            ]
        )
        == 0
    )
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = {(line["size"], line["quality"], line["kind"]): line for line in answers}
    ways = [(256, "fast"), (256, "full"), (512, "fine"), (512, "full")]
    assert set(lines) == {(*way, kind) for way in ways for kind in ("plain", "expressions")}
    whole, head = lines[512, "full", "plain"], lines[256, "fast", "plain"]
    assert whole["psnr"] > 50 > head["psnr"] > 25
    assert whole["flip"] < 0.01 < head["flip"] < 0.2
    assert whole["grid"] < 0.05 < head["grid of noise"] < 0.2
    assert 1 >= whole["ms-ssim"] > head["ms-ssim"] > 0.9
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape == (512, 768, 3)


def test_the_table_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"psnr": 31.25, "grid": 0.1234, "grid of noise": 0.0625, "sface >= 0.95": 0.75}
    evaluate_pixels.show([{"size": 256, "quality": "fast", "kind": "plain", "with": "torch", **figures}])
    shown = capsys.readouterr().out
    assert all(f"{value:.3f}" in shown for value in figures.values())
    assert "grid" in shown


def test_no_faces_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--faces", "0"]) == 2
    assert "--faces takes a whole number from 1" in capsys.readouterr().err


def test_without_flip_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "flip_evaluator", None)
    with pytest.raises(UserError, match="pip install flip-evaluator"):
        flip(np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16, 3), np.uint8))
