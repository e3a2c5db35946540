"""Converted generators: written whole or not at all, loaded bit for bit, refused when damaged."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from reference_generators import CONFIGS, OFFICIAL, REFERENCE, Network, conditional, official_pickle, reference_generator, weights
from safetensors.torch import load_file, save_file

from models.errors import UserError
from models.files import sha256_of
from models.stylegan import converted
from models.stylegan.checkpoint import check_draws
from models.stylegan.converted import MANIFEST, WEIGHTS, convert, load_folder, load_generator
from models.stylegan.foreign_pickle import Refused
from models.stylegan.stylegan3 import StyleGan3Config


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "network.pkl"
    path.write_bytes(official_pickle("sg3r-32"))
    return path


@pytest.mark.parametrize("name", OFFICIAL)
def test_manifest_and_weights_say_what_the_source_holds(tmp_path: Path, name: str) -> None:
    source, folder = tmp_path / "network.pkl", tmp_path / "out" / "here"
    source.write_bytes(official_pickle(name))
    convert(source, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    generator = reference_generator(name)
    assert manifest["architecture"] == {"sg2-32": "stylegan2", "sg3t-32": "stylegan3-t", "sg3r-32": "stylegan3-r"}[name]
    sizes = [manifest[key] for key in ("resolution", "z_dim", "c_dim", "w_dim", "num_ws")]
    assert sizes == [32, 64, 0, 64, generator.num_ws]
    assert torch.equal(torch.tensor(manifest["w_avg"]), generator.w_avg)
    assert manifest["source"] == {"name": "network.pkl", "sha256": sha256_of(source)}
    assert manifest["licence"] == "Copyright of the test\nTerms of the test"
    assert manifest["graph_hash"] == generator.graph_hash
    kept = load_file(folder / WEIGHTS)
    assert kept.keys() == weights(name).keys()
    assert {path.name for path in folder.iterdir()} == {MANIFEST, WEIGHTS}
    assert {path.name for path in folder.parent.iterdir()} == {"here"}
    again = load_folder(folder)
    assert again.graph_hash == generator.graph_hash
    assert torch.equal(again.w_avg, generator.w_avg)


def test_a_checkpoint_is_converted_once_into_the_cache(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "cache_folder", lambda name: tmp_path / name)
    first = load_generator(snapshot)
    monkeypatch.setattr(converted, "convert", lambda *_: pytest.fail("converted twice"))
    (folder,) = (tmp_path / "generators").iterdir()
    os.utime(folder, (0, 0))
    assert load_generator(snapshot).graph_hash == first.graph_hash
    assert folder.stat().st_mtime > 0, "its use is noted"


def test_a_folder_draws_another_class_than_it_was_converted_for_when_asked(tmp_path: Path) -> None:
    source, folder = tmp_path / "network.pkl", tmp_path / "out"
    source.write_bytes(official_pickle("sg2-32", change=conditional))
    convert(source, folder, label=1)
    convert(source, tmp_path / "other", label=4)
    assert load_generator(folder).graph_hash == load_generator(folder, 1).graph_hash == load_folder(folder).graph_hash
    other = load_generator(folder, 4)
    assert other.graph_hash == load_folder(tmp_path / "other").graph_hash
    assert torch.equal(other.code_of_seed(1), load_folder(tmp_path / "other").code_of_seed(1))
    with pytest.raises(UserError, match=r"add --label N, 0 to 4"):
        load_generator(folder, 5)


def test_a_class_of_a_folder_without_classes_is_refused(snapshot: Path, tmp_path: Path) -> None:
    convert(snapshot, tmp_path / "out")
    with pytest.raises(UserError, match=r"leave --label away"):
        load_generator(tmp_path / "out", 0)


def test_a_damaged_cache_is_converted_anew(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "cache_folder", lambda name: tmp_path / name)
    first = load_generator(snapshot)
    (folder,) = (tmp_path / "generators").iterdir()
    (folder / WEIGHTS).write_bytes(b"cut")
    assert load_generator(snapshot).graph_hash == first.graph_hash


def test_a_folder_that_holds_something_is_left_alone(snapshot: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "poem.txt").write_text("kept")
    with pytest.raises(UserError, match=r"mine is there already"):
        convert(snapshot, folder)
    assert (folder / "poem.txt").read_text() == "kept"
    (folder / "poem.txt").unlink()
    convert(snapshot, folder)  # an empty one is filled


@pytest.mark.parametrize("fault", ["not a checkpoint", "full disk", "interrupted"])
def test_a_conversion_that_fails_leaves_nothing_behind(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise KeyboardInterrupt if fault == "interrupted" else OSError(28, "No space left on device")

    if fault == "not a checkpoint":
        snapshot.write_bytes(snapshot.read_bytes()[:5000])
    else:
        monkeypatch.setattr(converted, "save_file", full)
    with pytest.raises(KeyboardInterrupt if fault == "interrupted" else UserError):
        convert(snapshot, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["network.pkl"]


def test_an_endless_licence_is_cut(tmp_path: Path) -> None:
    def change(network: Network) -> None:
        network.meta["module_src"] = "\n# Terms\n" + "# more of them\n" * 200_000

    (tmp_path / "network.pkl").write_bytes(official_pickle("sg2-32", change=change))
    licence = convert(tmp_path / "network.pkl", tmp_path / "out")["licence"]
    assert licence.startswith("Terms\nmore of them\n")
    assert licence.endswith(" …")
    load_folder(tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [{"num_layers": 1, "num_critical": 0}, {"first_cutoff": 4000.0, "first_stopband": 4000.0}],
    ids=["a picture of nothing", "layers of no channels"],
)
def test_a_network_that_draws_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((Refused, ValidationError)):
        check_draws(StyleGan3Config.model_validate(CONFIGS["sg3t-32"].model_dump() | change))


def damaged_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def test_damaged_folders_are_refused_in_one_line(snapshot: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    convert(snapshot, folder)
    config = json.loads((folder / MANIFEST).read_text())["config"]
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = bytearray(whole[WEIGHTS])
    changed[-5] ^= 0x10
    tensors = load_file(folder / WEIGHTS)
    faults = {
        "manifest gone": lambda: (folder / MANIFEST).unlink(),
        "weights gone": lambda: (folder / WEIGHTS).unlink(),
        "manifest cut": lambda: (folder / MANIFEST).write_bytes(whole[MANIFEST][:200]),
        "manifest nested": lambda: (folder / MANIFEST).write_bytes(b"[" * 100_000),
        "manifest of bytes": lambda: (folder / MANIFEST).write_bytes(bytes(range(256))),
        "another format": lambda: damaged_manifest(folder, format="poem"),
        "no config": lambda: damaged_manifest(folder, config=None),
        "huge config": lambda: damaged_manifest(folder, config={**config, "channel_base": 2**24, "channel_max": 8192}),
        "another config": lambda: damaged_manifest(folder, config={**config, "conv_clamp": 100.0}),
        "another hash": lambda: damaged_manifest(folder, graph_hash="0" * 64),
        "weights cut": lambda: (folder / WEIGHTS).write_bytes(whole[WEIGHTS][:1000]),
        "weights changed": lambda: (folder / WEIGHTS).write_bytes(changed),
        "a tensor gone": lambda: save_file({k: v for k, v in tensors.items() if k != "mapping.w_avg"}, folder / WEIGHTS),
        "half precision": lambda: save_file({k: v.half() for k, v in tensors.items()}, folder / WEIGHTS),
    }
    for damage, do in faults.items():
        do()
        with pytest.raises(UserError, match=r"convert_checkpoint") as caught:
            load_folder(folder)
        assert "\n" not in str(caught.value), damage
        for name, content in whole.items():
            (folder / name).write_bytes(content)
    assert load_folder(folder).resolution == 32


def test_a_folder_whose_files_are_endless_is_refused_unread(snapshot: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    convert(snapshot, folder)
    for name in (WEIGHTS, MANIFEST):
        with (folder / name).open("r+b") as file:
            file.truncate(2**42)  # no memory holds it; the file itself is a hole
        with pytest.raises(UserError, match=f"{name} is larger than"):
            load_folder(folder)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(UserError, match=f"no file {name}"):
            load_folder(folder)


def test_rosinalitys_file_has_no_licence_text(tmp_path: Path) -> None:
    assert convert(REFERENCE / "rosinality-64.pt", tmp_path / "out")["licence"] is None


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("nothing", "pipe"):
        with pytest.raises(UserError, match="neither a file nor a folder"):
            load_generator(tmp_path / name)
        with pytest.raises(UserError, match="it is no file"):
            convert(tmp_path / name, tmp_path / "out")
