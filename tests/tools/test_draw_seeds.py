"""Pictures of seeds: truncation, mixing, noise and placing do what they say; what a generator can't is refused."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from reference_generators import official_pickle

from models.errors import UserError
from models.stylegan import converted
from tools.draw_seeds import main, seeds_of


@pytest.fixture
def pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(converted, "cache_folder", lambda name: tmp_path / name)
    paths = {}
    for name in ("sg2-32", "sg3r-32"):
        (tmp_path / f"{name}.pkl").write_bytes(official_pickle(name))
        paths[name] = str(tmp_path / f"{name}.pkl")
    return paths


def drawn(folder: Path, *arguments: str) -> list[NDArray[np.uint8]]:
    """The pictures that the command writes, in the order of their names."""
    assert main([*arguments, "--out", str(folder)]) == 0
    pictures = [cv2.imread(str(path)) for path in sorted(folder.iterdir())]
    assert all(picture.shape == (32, 32, 3) for picture in pictures)
    return pictures


def test_truncation_mixing_and_noise(pickles: dict[str, str], tmp_path: Path) -> None:
    generator = ["--generator", pickles["sg2-32"]]
    first, second = drawn(tmp_path / "a", *generator, "--seeds", "1,3")
    assert (first != second).any()
    assert np.array_equal(first, drawn(tmp_path / "b", *generator, "--seeds", "1")[0])
    means = drawn(tmp_path / "c", *generator, "--seeds", "1-3", "--truncation", "0")
    assert len(means) == 3
    assert np.array_equal(means[0], means[2])
    (half,) = drawn(tmp_path / "d", *generator, "--seeds", "1", "--truncation", "0", "--cutoff", "0")
    assert (half != means[0]).any()
    (mixed,) = drawn(tmp_path / "e", *generator, "--seeds", "1", "--mix", "3", "--crossover", "0")
    assert np.array_equal(mixed, second)
    assert (tmp_path / "e" / "seed0001-0003.png").exists()
    (bare,) = drawn(tmp_path / "f", *generator, "--seeds", "1", "--noise", "none")
    fresh = [drawn(tmp_path / name, *generator, "--seeds", "1", "--noise", "random")[0] for name in "gh"]
    assert (bare != first).any()
    assert (fresh[0] != fresh[1]).any()


def test_rows_of_any_kind_are_taken_from_every_column_and_shown_as_a_grid(pickles: dict[str, str], tmp_path: Path) -> None:
    generator = ["--generator", pickles["sg2-32"]]
    pure = drawn(tmp_path / "a", *generator, "--seeds", "1-4")
    folder = tmp_path / "b"
    assert main([*generator, "--seeds", "1,2", "--mix", "3-4", "--styles", "0,2,5-6", "--grid", "--out", str(folder)]) == 0
    grid = cv2.imread(str(folder / "grid.png"))
    assert grid is not None
    cells = grid.reshape(3, 32, 3, 32, 3).swapaxes(1, 2)
    assert not cells[0, 0].any()
    assert np.array_equal(cells[0, 1:], pure[2:])
    assert np.array_equal(cells[1:, 0], pure[:2])
    for i, seed in enumerate((1, 2)):
        for j, other in enumerate((3, 4)):
            assert np.array_equal(cells[1 + i, 1 + j], cv2.imread(str(folder / f"seed{seed:04d}-{other:04d}.png")))
    assert len(list(folder.iterdir())) == 5
    (swapped,) = drawn(tmp_path / "c", *generator, "--seeds", "3", "--mix", "1", "--styles", "1,3-4,7")
    assert np.array_equal(swapped, cells[1, 1])
    (all_rows,) = drawn(tmp_path / "d", *generator, "--seeds", "1", "--mix", "3", "--styles", "0-7")
    assert np.array_equal(all_rows, pure[2])


def test_stylegan3_can_be_turned(pickles: dict[str, str], tmp_path: Path) -> None:
    generator = ["--generator", pickles["sg3r-32"], "--seeds", "1"]
    (turned,) = drawn(tmp_path / "a", *generator, "--rotate", "45")
    (shifted,) = drawn(tmp_path / "b", *generator, "--shift", "0.3", "0")
    assert (turned != shifted).any()


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("sg3r-32", ["--noise", "none"], "only StyleGAN2 has noise"),
        ("sg2-32", ["--rotate", "5"], "only StyleGAN3 can turn"),
        ("sg2-32", ["--cutoff", "9"], "0 to 8"),
        ("sg2-32", ["--crossover", "9"], "0 to 8"),
        ("sg2-32", ["--mix", "3", "--styles", "4-8"], "rows of ws, 0 to 7 with this generator, such as 4-7 or 0,2,5-6; got"),
        ("sg2-32", ["--mix", "3", "--styles", "x"], "got 'x'"),
        ("sg2-32", ["--styles", "0"], "name the other seeds with --mix"),
        ("sg2-32", ["--grid"], "name the other seeds with --mix"),
        ("sg2-32", ["--mix", "0-127", "--grid"], "at most 256 pictures"),
        ("sg2-32", ["--seeds", "0-999", "--mix", "0-999"], "at most 100000 pictures"),
        ("sg2-32", ["--label", "0"], "leave --label away"),
    ],
)
def test_what_a_generator_cannot_is_refused(
    pickles: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, arguments: list[str], complaint: str
) -> None:
    assert main(["--generator", pickles[name], "--seeds", "1", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "a", "1-", "-3", "1,,2", "4294967296", "0-4294967295", "1-2-3", "5-3", "7" * 5_000])
def test_what_names_no_seeds_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        seeds_of(text)


def test_ranges_and_single_seeds() -> None:
    assert seeds_of("0-2, 42,7-7") == [0, 1, 2, 42, 7]
