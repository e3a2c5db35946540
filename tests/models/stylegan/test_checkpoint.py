"""Checkpoints as the official programs write them: read whole, in every container; what is not what it says is refused."""

import argparse
import io
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_generators import CONFIGS, OFFICIAL, REFERENCE, Network, conditional, official_pickle, weights

from models.errors import UserError
from models.stylegan.checkpoint import Checkpoint, build, mean_of_w, read_checkpoint
from models.stylegan.stylegan2 import StyleGan2Config


def read(folder: Path, content: bytes, label: int | None = None) -> Checkpoint:
    path = folder / "network"
    path.write_bytes(content)
    return read_checkpoint(path, label)


def refusal(folder: Path, content: bytes, label: int | None = None) -> str:
    with pytest.raises(UserError) as caught:
        read(folder, content, label)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    return message


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_snapshot_of_nvidias_holds_its_own_tensors_and_network(tmp_path: Path, name: str, protocol: int) -> None:
    checkpoint = read(tmp_path, official_pickle(name, protocol))
    assert checkpoint.config == CONFIGS[name]
    expected = weights(name)
    assert checkpoint.tensors.keys() == expected.keys()
    assert all(torch.equal(checkpoint.tensors[key], tensor) for key, tensor in expected.items())
    assert checkpoint.licence == "Copyright of the test\nTerms of the test"


def test_views_and_other_numbers_are_read_as_they_are(tmp_path: Path) -> None:
    """Neither offsets, strides nor float32 may be taken for granted."""
    wide = torch.randn(3, 64, dtype=torch.float64)

    def change(network: Network) -> None:
        buffers = network.child("mapping").state["_buffers"]
        buffers["w_avg"] = wide[1]
        parameters = network.child("mapping").child("fc0").state["_parameters"]
        parameters["weight"] = torch.nn.Parameter(parameters["weight"].T.contiguous().T.half())
        parameters["weight"].note = "an attribute of its own"

    tensors = read(tmp_path, official_pickle("sg2-32", change=change)).tensors
    assert torch.equal(tensors["mapping.w_avg"], wide[1].float())
    assert torch.equal(tensors["mapping.fc0.weight"], weights("sg2-32")["mapping.fc0.weight"].half().float())


def test_a_generator_alone_is_read_too(tmp_path: Path) -> None:
    from reference_generators import official_modules, official_network

    with official_modules():
        content = pickle.dumps(official_network("sg3r-32"))
    assert read(tmp_path, content).config == CONFIGS["sg3r-32"]


def rosinality() -> dict[str, Any]:
    state: dict[str, Any] = torch.load(REFERENCE / "rosinality-64.pt", weights_only=True)
    return state


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "stream"])
def test_both_containers_of_torch_hold_the_same(tmp_path: Path, zipped: bool) -> None:
    torch.save(rosinality(), tmp_path / "saved.pt", _use_new_zipfile_serialization=zipped)
    again, first = read_checkpoint(tmp_path / "saved.pt"), read_checkpoint(REFERENCE / "rosinality-64.pt")
    assert again.config == first.config
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in first.tensors.items())


def test_a_compressed_archive_is_read(tmp_path: Path) -> None:
    path = tmp_path / "compressed.pt"
    with zipfile.ZipFile(REFERENCE / "rosinality-64.pt") as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert read_checkpoint(path).config.resolution == 64


def test_a_checkpoint_saved_in_training_gets_its_mean_of_w_computed(tmp_path: Path) -> None:
    state = rosinality()
    optimiser = {"state": {0: {"step": 1, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.002, "betas": (0.0, 0.99)}]}
    arguments = argparse.Namespace(size=64, latent=64, path="x")
    torch.save({"g": state["g_ema"], "g_ema": state["g_ema"], "g_optim": optimiser, "args": arguments}, tmp_path / "training.pt")
    checkpoint = read_checkpoint(tmp_path / "training.pt")
    generator = build(checkpoint.config, checkpoint.tensors)
    assert torch.equal(checkpoint.tensors["mapping.w_avg"], mean_of_w(generator))
    w = generator.mapping(torch.randn(4000, 64, generator=torch.Generator().manual_seed(1)))
    assert (w.mean(dim=0) - generator.w_avg).norm() < 0.1 * (w - generator.w_avg).norm(dim=1).mean()


def test_a_conditional_generator_draws_the_class_that_is_chosen(tmp_path: Path) -> None:
    content = official_pickle("sg2-32", change=conditional)
    chosen = [read(tmp_path, content, label) for label in (1, 4)]
    generators = [build(checkpoint.config, checkpoint.tensors) for checkpoint in chosen]
    w = [generator.code_of_seed(1, psi=1.0) for generator in generators]
    assert not torch.allclose(*w, atol=0.1)
    assert generators[0].graph_hash != generators[1].graph_hash
    z = torch.from_numpy(np.random.RandomState(1).randn(1, 64)).float()
    assert torch.allclose(generators[0].mapping(z, torch.eye(5)[4:]), w[1])
    for label in (None, 5, -1):
        assert "add --label N, 0 to 4" in refusal(tmp_path, content, label)
    assert "leave --label away" in refusal(tmp_path, official_pickle("sg2-32"), 0)


def without(path: str, kind: str, name: str) -> Any:
    def change(network: Network) -> None:
        for part in path.split("."):
            network = network.child(part)
        del network.state[kind][name]

    return change


def setting(path: str, **attributes: object) -> Any:
    def change(network: Network) -> None:
        for part in filter(None, path.split(".")):
            network = network.child(part)
        network.state.update(attributes)

    return change


def replacing(path: str, kind: str, name: str, value: object) -> Any:
    def change(network: Network) -> None:
        for part in path.split("."):
            network = network.child(part)
        network.state[kind][name] = value

    return change


NAN = torch.full((64,), float("nan"))


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("sg2-32", without("synthesis.b8.conv1", "_parameters", "bias"), "synthesis.b8.conv1.bias is missing"),
        ("sg2-32", without("synthesis.b16", "_modules", "conv0"), "synthesis.b16.conv0"),
        ("sg2-32", without("synthesis", "_modules", "b16"), "synthesis.b16.conv1.weight is missing"),
        ("sg2-32", without("synthesis.b8.conv1", "_parameters", "weight"), "synthesis.b8.conv1.weight is missing"),
        ("sg2-32", replacing("mapping", "_buffers", "w_avg", torch.zeros(63)), r"mapping.w_avg should have the shape \(64,\)"),
        ("sg2-32", replacing("mapping", "_buffers", "w_avg", NAN), "mapping.w_avg holds something else than finite numbers"),
        ("sg2-32", replacing("mapping", "_buffers", "w_avg", torch.zeros(64, dtype=torch.int64)), "mapping.w_avg holds"),
        (
            "sg2-32",
            replacing("mapping", "_buffers", "w_avg", torch.full((64,), 1e300, dtype=torch.float64)),
            "mapping.w_avg holds",
        ),
        ("sg2-32", replacing("mapping", "_buffers", "extra", torch.zeros(1)), "mapping.extra has no place"),
        ("sg2-32", setting("", img_channels=1), "3 colours"),
        ("sg2-32", setting("", img_resolution=48), "its network"),
        ("sg2-32", setting("", img_resolution="32"), "its resolution"),
        ("sg2-32", setting("", z_dim=10**30), "its z_dim"),
        ("sg2-32", setting("", w_dim=[]), "its w_dim"),
        ("sg2-32", setting("mapping", num_layers=10**9), "its mapping_layers"),
        ("sg2-32", setting("mapping.fc0", weight_gain="much"), "mapping network"),
        ("sg2-32", setting("mapping.fc1", activation="linear"), "mapping.fc1 has another activation"),
        ("sg2-32", setting("mapping.fc1", weight_gain=5.0), "mapping.fc1 learnt at another rate"),
        ("sg2-32", setting("mapping.fc1", bias_gain=0.5), "mapping.fc1 learnt at another rate"),
        ("sg3t-32", setting("mapping.fc0", activation="relu"), "mapping.fc0 has another activation"),
        ("sg2-32", setting("synthesis.b8", architecture="resnet"), "'skip'"),
        ("sg2-32", setting("synthesis.b8.conv0", conv_clamp=256), "clamped to different values"),
        ("sg2-32", setting("synthesis.b8.conv0", activation="relu"), "another activation"),
        ("sg2-32", setting("synthesis.b8.conv0", use_noise=False), "no noise"),
        ("sg2-32", setting("synthesis", _modules={}), "neither that of StyleGAN2 nor that of StyleGAN3"),
        ("sg2-32", setting("synthesis", _modules=None), "SynthesisNetwork is described"),
        ("sg3t-32", setting("synthesis", _init_kwargs={}), "its layers are not those"),
        ("sg3t-32", setting("synthesis", _init_kwargs={"channel_max": 10**9}), "its channel_max"),
        ("sg3t-32", setting("synthesis", num_critical=14), "its network"),
        ("sg3t-32", setting("synthesis", output_scale=99.0), "its output_scale is not that of its arguments"),
        ("sg3t-32", setting("synthesis", layer_names=None), "its layers are not those"),
        ("sg3t-32", without("synthesis", "_modules", "L3_36_16"), "synthesis.L3_36_16"),
    ],
)
def test_what_does_not_make_a_generator_is_refused_by_name(tmp_path: Path, name: str, change: Any, complaint: str) -> None:
    assert re.search(complaint, refusal(tmp_path, official_pickle(name, change=change)))


def test_modules_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    def change(network: Network) -> None:
        inner = network.child("mapping").child("fc1")
        inner.state["_modules"] = {f"way{i}": inner for i in range(30)}  # 30 ways at every depth

    assert "nested deeper" in refusal(tmp_path, official_pickle("sg2-32", change=change))
    deep = Network("FullyConnectedLayer", "")
    for _ in range(20):
        outer = Network("FullyConnectedLayer", "")
        outer.state["_modules"]["inner"] = deep
        deep = outer
    assert "nested deeper" in refusal(tmp_path, official_pickle("sg2-32", change=replacing("mapping", "_modules", "fc9", deep)))


@pytest.mark.parametrize("missing", ["style.3.weight", "convs.2.conv.weight", "noises.noise_4"])
def test_a_part_missing_in_rosinalitys_file_is_named(tmp_path: Path, missing: str) -> None:
    state = rosinality()
    del state["g_ema"][missing]
    torch.save(state, tmp_path / "cut.pt")
    with pytest.raises(UserError, match=missing.split(".")[0]):
        read_checkpoint(tmp_path / "cut.pt")


def test_rosinalitys_weights_are_read_without_filters_and_from_several_gpus(tmp_path: Path) -> None:
    state = rosinality()
    whole = state["g_ema"]
    state["g_ema"] = {f"module.{name}": tensor for name, tensor in whole.items() if not name.endswith("kernel")}
    torch.save(state, tmp_path / "bare.pt")
    bare, expected = read_checkpoint(tmp_path / "bare.pt"), read_checkpoint(REFERENCE / "rosinality-64.pt")
    assert bare.config == expected.config
    for name, tensor in expected.tensors.items():
        assert torch.allclose(bare.tensors[name], tensor, atol=1e-7), name


def test_rosinalitys_generator_without_its_average_is_named(tmp_path: Path) -> None:
    torch.save({"g": rosinality()["g_ema"]}, tmp_path / "g.pt")
    assert "not g_ema, its average" in refusal(tmp_path, (tmp_path / "g.pt").read_bytes())


def test_a_storage_that_many_tensors_share_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = rosinality()
    together = torch.zeros(1 << 20)
    for number in range(20):
        state["g_ema"][f"noises.noise_{number % 9}"] = together.as_strided(
            state["g_ema"][f"noises.noise_{number % 9}"].shape, [0, 0, 64, 1]
        )
    torch.save(state, tmp_path / "shared.pt")
    opened: list[str] = []
    plain = zipfile.ZipFile.open

    def counted(self: zipfile.ZipFile, member: zipfile.ZipInfo, *arguments: Any) -> Any:
        opened.append(member.filename)
        return plain(self, member, *arguments)

    monkeypatch.setattr(zipfile.ZipFile, "open", counted)
    read_checkpoint(tmp_path / "shared.pt")
    assert len(opened) == len(set(opened))


def test_filters_of_rosinalitys_file_are_each_taken_for_what_they_filter(tmp_path: Path) -> None:
    state = rosinality()
    before = read_checkpoint(REFERENCE / "rosinality-64.pt").tensors
    for name in ("convs.2.conv.blur.kernel", "to_rgbs.0.upsample.kernel"):
        state["g_ema"][name] = state["g_ema"][name] * 2
    torch.save(state, tmp_path / "other.pt")
    after = read_checkpoint(tmp_path / "other.pt").tensors
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == [
        "synthesis.b8.resample_filter",
        "synthesis.b16.conv0.resample_filter",
        "synthesis.b16.conv1.resample_filter",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PERSID"),
        (b"GIF89a" + bytes(100), "damaged"),
        (b"<!DOCTYPE html><html>sign in</html>", "download it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "download it again"),
        (b"PK\x03\x04 and nothing else", "the archive is damaged"),
        (pickle.dumps({"weights": [1, 2, 3]}), "no generator is in it"),
        (pickle.dumps([1, 2]), "no generator is in it"),
        (pickle.dumps({"G_ema": {"synthesis": 1}}), "no generator is in it"),
        (pickle.dumps({"g_ema": OrderedDict(a=1)}), "no generator is in it"),
        (b"cdnnlib.tflib.network\nNetwork\n.", "legacy.py"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    assert complaint in refusal(tmp_path, content)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pkl", tmp_path):
        with pytest.raises(UserError, match="can't be read"):
            read_checkpoint(path)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.pkl"
    with path.open("wb") as file:
        file.write(b"\x80\x04\x8e\x00\x00\x00\x00\x01\x00\x00\x00")
        file.truncate(5 * 2**30)  # takes no room: nothing is written
    with pytest.raises(UserError, match="larger than 4 GiB"):
        read_checkpoint(path)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        archive.writestr("b/data.pkl", pickle.dumps({}))
    assert "one data.pkl" in refusal(tmp_path, file.getvalue())
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    assert "__torch__" in refusal(tmp_path, (tmp_path / "script.pt").read_bytes())


@pytest.mark.parametrize(
    "config", [{"channels": [4, 4, 4]}, {"resolution": 20}, {"label": 3}, {"c_dim": 4}, {"channels": [4, 0]}]
)
def test_configurations_that_contradict_themselves_are_refused(config: dict[str, Any]) -> None:
    sound = {"resolution": 8, "z_dim": 4, "w_dim": 4, "mapping_layers": 1, "channels": [4, 4]}
    StyleGan2Config(**sound)
    with pytest.raises(ValueError, match=r"expected|belongs|end at"):
        StyleGan2Config(**{**sound, **config})
