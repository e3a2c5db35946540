"""The video file: every frame, the sound in step, nothing half-written."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from models.errors import UserError
from realtime.outputs.video import LONGEST_WAIT, SOUND_RATE, VideoOutput
from realtime.sound.ring import Ring
from realtime.values import Controls, Frame

FPS = 25


def play(path: Path, ring: Ring, *, seconds: int = 3, times: list[float] | None = None) -> None:
    """White picture and a tone in the second second, black and silence in the others."""
    video = VideoOutput(path, 64, FPS, ring)
    times = times if times is not None else [k / FPS for k in range(seconds * FPS)]
    for k, t in enumerate(times):
        n = round(t * ring.rate) - ring.written
        on = 1.0 <= t < 2.0
        phase = 2 * np.pi * 440 * (ring.written + np.arange(n)) / ring.rate
        was_on = (ring.written + np.arange(n)) / ring.rate
        tone = (np.sin(phase) * ((was_on >= 1.0) & (was_on < 2.0))).astype(np.float32)
        ring.write(np.repeat(tone[:, None], ring.channels, 1), t)
        controls = Controls(t, np.eye(5, dtype=np.float32)[1], 1.0, {})
        video.step(Frame(k, controls, t, t, np.full((64, 64, 3), 255 * on, np.uint8)))
    video.close()
    video.close()


def white_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(f.pts * f.time_base) for f in container.decode(video=0) if f.to_ndarray(format="gray").mean() > 128]


def loud_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(f.pts * f.time_base) for f in container.decode(audio=0) if np.abs(f.to_ndarray()).max() > 0.2]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (11_000, 1)])
def test_picture_and_sound_are_in_step_within_a_frame(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    path = tmp_path / f"a{suffix}"
    play(path, Ring(rate, channels))
    white, loud = white_times(path), loud_times(path)
    aac_frame = 1024 / SOUND_RATE
    assert white[0] == pytest.approx(1.0, abs=1e-3)
    assert len(white) == FPS
    assert loud[0] - 1.0 == pytest.approx(0, abs=1 / FPS + aac_frame)
    assert loud[-1] + aac_frame - 2.0 == pytest.approx(0, abs=1 / FPS + aac_frame)


def test_frames_keep_their_own_times(tmp_path: Path) -> None:
    times = [0.0, 0.031, 0.1, 0.4, 1.0, 1.05]
    play(tmp_path / "a.mp4", Ring(48_000, 1), times=times)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stamps = [float(f.pts * f.time_base) for f in container.decode(video=0)]
    assert stamps == pytest.approx(times, abs=1e-3)


def test_a_gap_in_the_sound_is_filled_with_silence(tmp_path: Path) -> None:
    ring = Ring(16_000, 1)
    video = VideoOutput(tmp_path / "a.mp4", 64, FPS, ring)
    black = np.zeros((64, 64, 3), np.uint8)
    loud = np.full((3200, 1), 0.5, np.float32) * np.sign(np.sin(np.arange(3200) / 5))[:, None].astype(np.float32)
    for k, t in enumerate([0.2, 1.2]):
        ring.restart_time()
        ring.write(loud, t)
        video.step(Frame(k, Controls(t, np.eye(5, dtype=np.float32)[1], 1.0, {}), t, t, black))
    video.close()
    times = loud_times(tmp_path / "a.mp4")
    assert [t for t in times if 0.3 < t < 0.9] == []
    assert times[-1] == pytest.approx(1.2, abs=0.1)


def test_silence_of_a_long_outage_is_written_as_time_goes_and_in_small_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = Ring(16_000, 1)
    video = VideoOutput(tmp_path / "a.mp4", 64, FPS, ring)
    lengths: list[int] = []
    append = video._sound._append
    monkeypatch.setattr(video._sound, "_append", lambda samples: [lengths.append(len(samples)), append(samples)])

    def step(t: float) -> None:
        controls = Controls(t, np.eye(5, dtype=np.float32)[1], 1.0, {})
        video.step(Frame(0, controls, t, t, np.zeros((64, 64, 3), np.uint8)))

    for t in (1.0, LONGEST_WAIT, LONGEST_WAIT + 2.5):
        step(t)
    assert sum(lengths) == 2.5 * ring.rate
    step(2 * LONGEST_WAIT)
    assert sum(lengths) == LONGEST_WAIT * ring.rate
    ring.write(np.full((3200, 1), 0.5, np.float32), 20.0)
    step(20.0)
    assert sum(lengths) == 20 * ring.rate
    assert max(lengths) == ring.rate
    video.close()
    times = loud_times(tmp_path / "a.mp4")
    assert times[0] == pytest.approx(19.8, abs=0.1)


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="suffix"):
        VideoOutput(tmp_path / "a.gif", 64, FPS, Ring(16_000, 1))


def test_a_folder_that_does_not_exist_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        VideoOutput(tmp_path / "none" / "a.mp4", 64, FPS, Ring(16_000, 1))
    assert list(tmp_path.iterdir()) == []


def test_a_show_without_frames_leaves_no_file(tmp_path: Path) -> None:
    VideoOutput(tmp_path / "a.mp4", 64, FPS, Ring(16_000, 1)).close()
    assert list(tmp_path.iterdir()) == []


def test_until_it_is_finished_the_file_has_another_name(tmp_path: Path) -> None:
    video = VideoOutput(tmp_path / "a.mp4", 64, FPS, Ring(16_000, 1))
    assert not (tmp_path / "a.mp4").exists()
    video.step(Frame(0, Controls(0.0, np.eye(5, dtype=np.float32)[1], 1.0, {}), None, 0.0, np.zeros((64, 64, 3), np.uint8)))
    video.close()
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    play(Path("12:30.mp4"), Ring(16_000, 1), seconds=1)
    assert [file.name for file in tmp_path.iterdir()] == ["12:30.mp4"]


def test_a_discarded_video_leaves_no_file(tmp_path: Path) -> None:
    video = VideoOutput(tmp_path / "a.mp4", 64, FPS, Ring(16_000, 1))
    video.step(Frame(0, Controls(0.0, np.eye(5, dtype=np.float32)[1], 1.0, {}), None, 0.0, np.zeros((64, 64, 3), np.uint8)))
    video.discard()
    video.close()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def files_of_at_most(length: int) -> Iterator[None]:
    """Writing on fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("suffix", "length", "plays"), [(".mp4", 20_000, False), (".mkv", 300_000, True), (".mkv", 100, False)])
def test_a_video_that_cannot_be_written_on_says_so_and_is_kept_if_it_plays(
    tmp_path: Path, suffix: str, length: int, plays: bool
) -> None:
    ring = Ring(16_000, 1)
    video = VideoOutput(tmp_path / f"a{suffix}", 64, FPS, ring)
    random = np.random.default_rng(0)

    def step(k: int) -> None:
        ring.write(np.zeros((640, 1), np.float32), (k + 1) / FPS)
        controls = Controls(k / FPS, np.eye(5, dtype=np.float32)[1], 1.0, {})
        video.step(Frame(k, controls, None, 0.0, random.integers(0, 255, (64, 64, 3), np.uint8)))

    left = [f"a{suffix}"] if plays else []
    message = "cannot be written on .* and ends there" if plays else "cannot be written on .* and is given up"
    with files_of_at_most(length), pytest.raises(UserError, match=message):
        for k in range(1000):
            step(k)
    assert [file.name for file in tmp_path.iterdir()] == left
    with pytest.raises(UserError, match="cannot be written on"):
        step(1001)
    video.close()
    assert [file.name for file in tmp_path.iterdir()] == left
    if plays:
        with av.open(str(tmp_path / f"a{suffix}")) as container:
            assert sum(1 for _ in container.decode(video=0)) > FPS


def test_a_video_that_cannot_be_finished_is_given_up_and_says_so(tmp_path: Path) -> None:
    video = VideoOutput(tmp_path / "a.mp4", 64, FPS, Ring(16_000, 1))
    video.step(Frame(0, Controls(0.0, np.eye(5, dtype=np.float32)[1], 1.0, {}), None, 0.0, np.zeros((64, 64, 3), np.uint8)))
    with files_of_at_most(10), pytest.raises(UserError, match="cannot be written on"):
        video.close()
    assert list(tmp_path.iterdir()) == []
