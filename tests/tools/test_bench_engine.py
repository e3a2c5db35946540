"""The benchmark compares what it says: the peer draws the same face, and each line can be read by a machine."""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_generators import REFERENCE

from engine.nvidia import Gpu
from models.errors import UserError
from models.judge.fidelity import psnr
from models.stylegan.converted import convert
from models.stylegan.default import load_default_generator
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels
from models.stylegan.stylegan2 import StyleGan2Config
from tools import bench_engine, chosen_generator, first_frame
from tools.bench_engine import codes, main
from tools.peer import at_size, open_peer


def test_the_peer_draws_the_same_face() -> None:
    generator = load_default_generator()
    (ws,) = codes(generator, 1)
    ours = Pixels(generator, 512, "full")(torch.from_numpy(ws)).numpy()
    assert psnr(at_size(open_peer(), 512, 1024)(ws), ours) > 40


def test_codes_move_from_frame_to_frame() -> None:
    first, *_, last = codes(load_default_generator(), 5)
    assert first.shape == (1, 23, 512)
    assert np.abs(first - last).max() > 0.1


def test_lines_are_json_with_peer_and_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "256", "--quality", "fine", "--backend", "openvino", "--frames", "2", "--json"]) == 0
    peer, ours = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (peer["backend"], peer["times_peer"]) == ("peer", 1.0)
    assert (ours["backend"], ours["size"], ours["frames"]) == ("openvino", 256, 2)
    assert ours["frames_per_second"] == pytest.approx(1000 / ours["median_ms"], rel=0.05)
    assert ours["p99_ms"] >= ours["median_ms"]
    assert ours["p99_over_median"] == pytest.approx(ours["p99_ms"] / ours["median_ms"], abs=0.02)
    for way in (peer, ours):
        assert way["first_frame_s"] > way["median_ms"] / 1000
        assert 100 < way["peak_memory_mib"] < 8000


def test_every_quality_is_measured_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, str, str]] = []

    def refusing(generator: MobileStyleGAN, size: int, name: str, quality: str) -> None:
        tried.append((size, quality, name))
        raise UserError("not to be had here")

    monkeypatch.setattr(bench_engine, "open_peer_of", lambda *_: (None, ""))
    monkeypatch.setattr(bench_engine, "open_backend", refusing)
    assert main(["--frames", "1", "--size", "256", "512", "--backend", "torch"]) == 0
    assert tried == [(*way, "torch") for way in ((256, "fast"), (256, "fine"), (256, "full"), (512, "fine"), (512, "full"))]


def test_the_first_gpu_is_part_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_engine, "gpus_at_start", list)
    without = bench_engine.machine()
    gpus = [Gpu(name, "580.95", "9.0", None, None, None) for name in ("NVIDIA H200", "NVIDIA T4")]
    monkeypatch.setattr(bench_engine, "gpus_at_start", lambda: gpus)
    assert bench_engine.machine() == f"{without}, NVIDIA H200"


def test_a_generator_of_random_weights_is_measured_beside_nothing_and_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[tuple[str, ...]] = []
    small = StyleGan2Config(resolution=64, z_dim=8, w_dim=8, mapping_layers=1, channels=[4] * 5)
    monkeypatch.setattr(chosen_generator, "CONFIGS", {"config-f": small})
    monkeypatch.setattr(first_frame, "measured", lambda *command: started.append(command) or {})
    assert main(["--random", "config-f", "--size", "64", "--backend", "torch", "--json", "--frames", "2"]) == 0
    (line,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (line["backend"], line["size"], line["quality"], line["times_peer"]) == ("torch", 64, "full", None)
    assert started == [
        ("tools.first_frame", *["--size", "64", "--backend", "torch", "--quality", "full", "--random", "config-f"])
    ]


def test_two_generators_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--random", "config-f", "--generator", "ffhq.pkl"]) == 2
    assert "name two generators" in capsys.readouterr().err


def test_nvidia_s_code_is_started_with_the_same_generator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(first_frame, "measured", lambda *command: started.append(command) or {})
    options = Namespace(nvidia=tmp_path, generator=Path("ffhq.pkl"), label=3, random=None)
    bench_engine.first_frame_of("peer", 1024, "full", options)
    bench_engine.first_frame_of("peer", 1024, "full", Namespace(nvidia=None))
    own = f"--size 1024 --nvidia {tmp_path} --generator ffhq.pkl --label 3".split()
    assert started == [("tools.first_frame", *own), ("tools.peer", "--size", "1024")]


def test_where_a_gpu_says_so_its_power_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, drawn = load_default_generator(), []

    def draw(ws: np.ndarray) -> np.ndarray:
        drawn.append(ws.shape)
        return np.zeros((256, 256, 3), np.uint8)

    def busy(work: Callable[[], object]) -> Gpu:
        work()
        return Gpu("NVIDIA H100", "580.95", "9.0", 81559, 1200, 123456)

    monkeypatch.setattr(bench_engine, "first_gpu_while", busy)
    assert bench_engine.on_gpu(draw, generator) == {"milliwatts": 123456}
    assert drawn == [(1, 23, 512)]
    monkeypatch.setattr(bench_engine, "first_gpu_while", lambda work: None)
    assert bench_engine.on_gpu(draw, generator) == {}


def test_peak_memory_is_the_process_s_own_and_not_that_of_the_one_that_started_it() -> None:
    held = np.ones(50 * 2**20)  # 400 MiB
    code = "from tools.first_frame import peak_memory_mib; print(peak_memory_mib())"
    alone = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert 5 < alone < 200 < held.nbytes / 2**20 < (first_frame.peak_memory_mib() or 0)


def test_the_gpu_s_memory_is_what_the_new_process_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([300, 1500])
    monkeypatch.setattr(first_frame, "gpus", lambda: [Gpu("NVIDIA H100", "580.95", "9.0", 81559, next(used), None)])
    program = "import sys; print('{\"peak_memory_mib\": 7}', flush=True); sys.stdin.read()"
    assert first_frame.said_by([sys.executable, "-c", program])["gpu_memory_held_mib"] == 1200


def test_a_first_frame_that_fails_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert first_frame.measured("tools.first_frame", "--size", "300") == {}
    assert "300" in capfd.readouterr().err


def test_no_frames_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "0"]) == 2
    assert "--frames takes a whole number from 1" in capsys.readouterr().err


def test_an_own_generator_is_measured_in_its_own_sizes_and_without_a_peer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    convert(REFERENCE / "rosinality-64.pt", tmp_path / "own")
    assert main(["--generator", str(tmp_path / "own"), "--backend", "torch", "--json", "--frames", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["backend"], line["size"], line["times_peer"]) for line in lines] == [("torch", 32, None), ("torch", 64, None)]
