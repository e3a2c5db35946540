"""The benchmark compares what it says: the peer draws the same face, and each line can be read by a machine."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_generators import REFERENCE

from engine.nvidia import Gpu
from models.judge.fidelity import psnr
from models.stylegan.converted import convert
from models.stylegan.default import load_default_generator
from models.stylegan.pixels import Pixels
from tools import bench_engine, first_frame
from tools.bench_engine import codes, main, open_peer, shrunk


def test_the_peer_draws_the_same_face() -> None:
    generator = load_default_generator()
    (ws,) = codes(generator, 1)
    ours = Pixels(generator, 512, "full")(torch.from_numpy(ws)).numpy()
    assert psnr(shrunk(open_peer(), 512)(ws), ours) > 40


def test_codes_move_from_frame_to_frame() -> None:
    first, *_, last = codes(load_default_generator(), 5)
    assert first.shape == (1, 23, 512)
    assert np.abs(first - last).max() > 0.1


def test_lines_are_json_with_peer_and_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "256", "--backend", "openvino", "--frames", "2", "--json"]) == 0
    peer, ours = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (peer["backend"], peer["times_peer"]) == ("peer", 1.0)
    assert (ours["backend"], ours["size"], ours["frames"]) == ("openvino", 256, 2)
    assert ours["frames_per_second"] == pytest.approx(1000 / ours["median_ms"], rel=0.05)
    assert ours["p99_ms"] >= ours["median_ms"]
    assert ours["p99_over_median"] == pytest.approx(ours["p99_ms"] / ours["median_ms"], abs=0.02)
    assert ours["first_frame_s"] > ours["median_ms"] / 1000
    assert 100 < ours["peak_memory_mib"] < 8000
    assert "first_frame_s" not in peer


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
    assert first_frame.said_by([sys.executable, "-c", program])["gpu_memory_mib"] == 1200


def test_a_first_frame_that_fails_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert first_frame.measured(300, "fine", "openvino", None, None) == {}
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
