"""The default generator's files: found, checked, converted once, and damaged ones refused or made anew."""

from pathlib import Path

import pytest
import torch

from models.errors import UserError
from models.stylegan import default
from models.stylegan.carrier import SHA256, carrier_folder, checked_file


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "cache" / "generator.safetensors"
    path.parent.mkdir()
    monkeypatch.setattr(default, "cache_file", lambda: path)
    return path


@pytest.fixture(scope="module")
def converted() -> dict[str, torch.Tensor]:
    return default.convert(carrier_folder())


def test_weights_are_converted_once_and_then_read(
    empty_cache: Path, converted: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default, "convert", lambda folder: converted)
    first = default.load_default_generator()
    assert [p.name for p in empty_cache.parent.iterdir()] == [empty_cache.name]  # nothing half-written beside it
    monkeypatch.setattr(default, "convert", lambda folder: pytest.fail("converted twice"))
    second = default.load_default_generator()
    assert first.graph_hash == second.graph_hash == default.GRAPH_HASH
    assert torch.equal(first.w_avg, second.w_avg)


@pytest.mark.parametrize("position", [0, 5_000, 20_000_000, -1])
def test_a_damaged_cache_is_converted_anew(
    empty_cache: Path, converted: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    monkeypatch.setattr(default, "convert", lambda folder: converted)
    default.load_default_generator()
    damaged = bytearray(empty_cache.read_bytes())
    damaged[position] ^= 0x10
    empty_cache.write_bytes(damaged)
    assert default.load_default_generator().graph_hash == default.GRAPH_HASH
    assert empty_cache.read_bytes() != bytes(damaged)


def test_a_cut_cache_is_converted_anew(
    empty_cache: Path, converted: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default, "convert", lambda folder: converted)
    default.load_default_generator()
    empty_cache.write_bytes(b"\x10\x00")
    assert default.load_default_generator().graph_hash == default.GRAPH_HASH


def test_files_that_are_not_the_published_ones_are_refused(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SHA256:
        (tmp_path / name).write_bytes((carrier_folder() / name).read_bytes())
    (tmp_path / "SynthesisNetwork.bin").write_bytes(b"not weights")
    monkeypatch.setenv("SPEECH2EXPRESSION_GENERATOR", str(tmp_path))
    with pytest.raises(UserError, match=r"SynthesisNetwork\.bin is not the published file"):
        default.load_default_generator()
    assert not empty_cache.exists()


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MappingNetwork\.xml can't be read .*pip install --no-deps random-face"):
        checked_file(tmp_path, "MappingNetwork.xml")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="random-face"):
        carrier_folder()
