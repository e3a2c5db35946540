"""The bundled voice through the real classifier and generator into a video, read back: frames, sound, the order of emotions."""

import hashlib
import json
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from parts import need

from models.labels import EMOTIONS, NEUTRAL
from realtime.sound.file import DEMO_VOICE, SoundFile

FPS = 10
STILL = ["--set", "expression.life=0", "--set", "expression.mouth=0"]


def frames(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished offline show: demo.mp4, demo.json."""
    from run_live import main

    folder = tmp_path_factory.mktemp("demo")
    arguments = ["--audio", "demo", "--offline", "--video", str(folder / "demo.mp4"), "--stats", str(folder / "demo.json")]
    assert main([*arguments, "--video-fps", str(FPS), *STILL]) == 0
    return folder


def test_the_video_holds_every_frame_and_the_whole_sound(demo: Path) -> None:
    need("ffprobe")
    seconds = sum(len(block) for block in SoundFile(DEMO_VOICE).blocks()) / SoundFile(DEMO_VOICE).rate
    probe = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type,width,height,duration,nb_frames", "-of", "json"]
    streams = json.loads(subprocess.run([*probe, str(demo / "demo.mp4")], check=True, capture_output=True).stdout)["streams"]
    video, sound = sorted(streams, key=lambda stream: stream["codec_type"], reverse=True)
    assert (video["width"], video["height"]) == (256, 256)
    assert int(video["nb_frames"]) == pytest.approx(seconds * FPS, abs=1)
    assert float(sound["duration"]) == pytest.approx(seconds, abs=1 / FPS + 0.05)
    report = json.loads((demo / "demo.json").read_text())
    assert report["frames"] == int(video["nb_frames"])
    assert report["lost samples"] == 0


def test_the_sound_in_the_video_is_the_voice_in_step(demo: Path) -> None:
    original = SoundFile(DEMO_VOICE)
    before = np.concatenate(list(original.blocks())).mean(axis=1)
    after = np.concatenate(list(SoundFile(demo / "demo.mp4").blocks())).mean(axis=1)
    n = min(len(before), len(after))
    step = original.rate // 200  # loudness every 5 ms
    loud = [np.abs(x[: n // step * step]).reshape(-1, step).mean(axis=1) for x in (before, after)]
    a, b = (x - x.mean() for x in loud)
    shifts = range(-40, 41)
    best = max(shifts, key=lambda shift: float(np.dot(a[50:-50], b[50 + shift : len(b) - 50 + shift])))
    assert abs(best * 0.005) <= 1 / FPS


def test_the_face_shows_the_emotions_in_the_order_they_were_heard(demo: Path, tmp_path: Path) -> None:
    """What was drawn is compared with this face's own five expressions, and with what the classifier says by itself."""
    from engine.choose import open_backend
    from models.emotion.classifier import EmotionClassifier
    from models.expression.bank import load_bank
    from models.stylegan.default import load_default_generator
    from realtime.express import SURE
    from realtime.listen import EMOTION_HOP
    from realtime.sound.resample import ToListeningRate

    sound = SoundFile(DEMO_VOICE)
    samples = ToListeningRate(sound.rate).step(np.concatenate(list(sound.blocks())))
    classifier = EmotionClassifier.load()
    hearings = [
        classifier.step(hop)
        for hop in np.split(samples[: len(samples) // EMOTION_HOP * EMOTION_HOP], len(samples) // EMOTION_HOP)
    ]

    generator = load_default_generator()
    face = next(iter(load_bank(generator.graph_hash).values()))
    with open_backend(generator, 256, "auto") as backend:
        expressions = np.stack([backend.render(face.blend(np.eye(5, dtype=np.float32)[i])) for i in range(5)]).astype(np.float32)
    offsets = (expressions - expressions[NEUTRAL]).reshape(5, -1)

    agreed, sure = 0, 0
    for k, frame in enumerate(frames(demo / "demo.mp4")):
        lately = hearings[max(0, k - 12) : k]  # the last 1.2 s: what the springs have settled on
        said = {int(h.probabilities.argmax()) for h in lately}
        if len(lately) < 12 or len(said) != 1 or NEUTRAL in said or min(h.confidence for h in lately) < SURE:
            continue
        moved = frame.astype(np.float32).ravel() - expressions[NEUTRAL].ravel()
        likeness = [float(moved @ o / (np.linalg.norm(moved) * np.linalg.norm(o) + 1e-6)) for o in offsets]
        likeness[NEUTRAL] = -1.0
        sure += 1
        agreed += int(np.argmax(likeness)) == said.pop()
    heard = {EMOTIONS[int(h.probabilities.argmax())] for h in hearings if h.confidence > SURE}
    assert len(heard - {"neutral"}) >= 2, heard
    assert sure >= 20
    assert agreed >= 0.9 * sure


def test_offline_gives_the_same_result_bit_by_bit(tmp_path: Path) -> None:
    from run_live import main

    digests = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.mkv"
        assert main(["--audio", "demo", "--offline", "--video", str(path), "--seconds", "4", "--video-fps", "5"]) == 0
        digests.append(hashlib.sha256(frames(path).tobytes()).hexdigest())
    assert digests[0] == digests[1]
