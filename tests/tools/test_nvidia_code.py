"""NVIDIA's code as a peer, played by a stand-in of its shape: told the right network, given our weights, drawn as it draws."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_generators import REFERENCE, reference_generator

from models.errors import UserError
from models.stylegan.converted import convert
from models.stylegan.default import load_default_generator
from models.stylegan.pixels import Pixels
from models.stylegan.stylegan2 import StyleGan2, StyleGan2Config
from tools.bench_engine import codes, main
from tools.nvidia_code import open_nvidia

IN_STYLEGAN2_ADA = """
import torch_utils.ops.bias_act
from models.stylegan.stylegan2 import StyleGan2, StyleGan2Config, Synthesis

class Drawing(Synthesis):
    def forward(self, ws, noise_mode, force_fp32):
        assert force_fp32
        return super().forward(ws, noise_mode)

class Generator(StyleGan2):
    def __init__(self, z_dim, c_dim, w_dim, img_resolution, img_channels, mapping_kwargs, synthesis_kwargs):
        assert (c_dim, img_channels, synthesis_kwargs["num_fp16_res"]) == (0, 3, 0)
        base, widest = synthesis_kwargs["channel_base"], synthesis_kwargs["channel_max"]
        channels = [min(base // (4 << b), widest) for b in range(img_resolution.bit_length() - 2)]
        super().__init__(StyleGan2Config(
            resolution=img_resolution, z_dim=z_dim, w_dim=w_dim, mapping_layers=mapping_kwargs["num_layers"], channels=channels,
            conv_clamp=synthesis_kwargs["conv_clamp"],
        ))
        self.synthesis = Drawing(self.config)
"""
IN_STYLEGAN3 = """
import torch_utils.ops.bias_act
from models.stylegan.stylegan3 import StyleGan3, StyleGan3Config, Synthesis

class Drawing(Synthesis):
    def forward(self, ws, noise_mode, force_fp32):
        assert noise_mode == "const" and force_fp32
        return super().forward(ws)

class Generator(StyleGan3):
    def __init__(self, z_dim, c_dim, w_dim, img_resolution, img_channels, mapping_kwargs, num_fp16_res, **synthesis_kwargs):
        assert (c_dim, img_channels, num_fp16_res) == (0, 3, 4)
        super().__init__(StyleGan3Config(
            resolution=img_resolution, z_dim=z_dim, w_dim=w_dim, mapping_layers=mapping_kwargs["num_layers"], **synthesis_kwargs
        ))
        self.synthesis = Drawing(self.config)
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like NVIDIA's, for both architectures, on a machine without a GPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for name, text in {
        "training/networks.py": IN_STYLEGAN2_ADA,
        "training/networks_stylegan3.py": IN_STYLEGAN3,
        "torch_utils/ops/bias_act.py": "_plugin = None\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = list(sys.path)
    yield tmp_path
    assert sys.path == path
    for name in [name for name in sys.modules if name.split(".")[0] in ("training", "torch_utils")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["sg2-32", "sg3t-32", "sg3r-32"])
def test_it_is_told_the_network_and_given_the_weights(checkout: Path, name: str) -> None:
    generator = reference_generator(name)
    draw, description = open_nvidia(checkout, generator)
    (ws,) = codes(generator, 1)
    expected = Pixels(generator, 32)(torch.from_numpy(ws)).numpy()
    assert len(np.unique(expected)) > 40
    assert np.abs(draw(ws).astype(int) - expected).max() <= 1
    assert "plain kernels" in description
    assert description.endswith("f32")


def test_lines_have_the_peer_and_how_like_it_a_picture_is(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = checkout / "own"
    convert(REFERENCE / "rosinality-64.pt", own)
    assert main(["--generator", str(own), "--nvidia", str(checkout), "--backend", "torch", "--json", "--frames", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["backend"], line["size"]) for line in lines] == [("peer", 32), ("torch", 32), ("peer", 64), ("torch", 64)]
    for peer, ours in (lines[:2], lines[2:]):
        assert peer["times_peer"] == 1
        assert "db_to_peer" not in peer
        assert peer["first_frame_s"] > peer["median_ms"] / 1000
        assert ours["times_peer"] == pytest.approx(peer["median_ms"] / ours["median_ms"], abs=0.02)
    assert lines[3]["db_to_peer"] > 45
    assert 20 < lines[1]["db_to_peer"] < 45  # the peer clips to bytes before its picture is shrunk, this tiny network needs it


def test_another_folder_another_generator_and_other_channels_are_refused(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"training holds no code of NVIDIA's .*stylegan2-ada-pytorch or stylegan3"):
        open_nvidia(tmp_path / "training", reference_generator("sg2-32"))
    with pytest.raises(UserError, match="draws StyleGAN2 and StyleGAN3"):
        open_nvidia(checkout, load_default_generator())
    config = StyleGan2Config(resolution=16, z_dim=4, w_dim=4, mapping_layers=1, channels=[4, 8, 4])
    with pytest.raises(UserError, match=r"blocks of \[4, 8, 4\] channels"):
        open_nvidia(checkout, StyleGan2(config))


def test_code_that_asks_for_what_is_not_there_is_refused(checkout: Path) -> None:
    (checkout / "training" / "networks.py").write_text("import no_such_module\n")
    with pytest.raises(UserError, match=r"can't be imported \(No module named 'no_such_module'\)"):
        open_nvidia(checkout, reference_generator("sg2-32"))
