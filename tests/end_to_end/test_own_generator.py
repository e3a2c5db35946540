"""A show with a StyleGAN2 of one's own: from a .pkl and a voice to a video that the voice moves."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from reference_generators import official_pickle, reference_generator

from models.stylegan import converted
from run_live import main


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(converted, "cache_folder", lambda name: folder / name)


def test_a_pkl_and_a_voice_make_a_video(tmp_path: Path) -> None:
    source, video, report = tmp_path / "own.pkl", tmp_path / "own.mp4", tmp_path / "own.json"
    source.write_bytes(official_pickle("sg2-32"))
    arguments = ["--generator", str(source), "--face", "seed:3", "--audio", "demo", "--offline", "--seconds", "8"]
    still = ["--set", "expression.life=0", "--set", "expression.mouth=0"]
    assert (
        main([*arguments, *still, "--video", str(video), "--stats", str(report), "--video-fps", "5", "--backend", "torch"]) == 0
    )
    assert json.loads(report.read_text())["size"] == 32
    with av.open(str(video)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(float)
    assert frames.shape[1:] == (32, 32, 3)
    assert len(frames) == 40
    moved = np.abs(frames - frames[0]).mean(axis=(1, 2, 3))
    assert moved.max() > 5
    generator = reference_generator("sg2-32")
    likeness = []
    for seed in (3, 4):
        rest = generator.synthesis(generator.broadcast(generator.code_of_seed(seed)))[0].clamp(-1, 1).mean(dim=0)
        likeness.append(np.corrcoef(frames[0].mean(axis=2).ravel(), rest.numpy().ravel())[0, 1])
    assert likeness[0] > 0.9  # it begins with the seed at rest, in a codec that keeps brightness better than colour
    assert likeness[1] < 0.5


def test_a_generator_that_is_none_ends_the_start_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    arguments = ["--generator", str(tmp_path / "own.pkl"), "--audio", "demo", "--offline", "--video", str(tmp_path / "own.mp4")]
    assert main(arguments) == 2
    assert "asks for 'os.system'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["own.pkl"]
