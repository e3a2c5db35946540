"""Sound files: any format, block by block, and one clear line for what is none."""

import itertools
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import UserError
from realtime.clock import MonotonicClock
from realtime.sound import file as module
from realtime.sound.file import PlayingFile, SoundFile


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return path


def noise(n: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.9, 0.9, (n, channels))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (44100, 2), (48000, 2)])
def test_a_wav_comes_back_sample_by_sample(tmp_path: Path, rate: int, channels: int) -> None:
    samples = noise(12_345, channels)
    sound = SoundFile(write_wav(tmp_path / "a.wav", samples, rate))
    blocks = list(sound.blocks())
    assert (sound.rate, sound.channels) == (rate, channels)
    assert {len(block) for block in blocks[:-1]} == {rate // 50}
    np.testing.assert_allclose(np.concatenate(blocks), samples, atol=1e-4)


def test_a_loop_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    sound = SoundFile(write_wav(tmp_path / "a.wav", noise(700), 16_000))
    once = np.concatenate(list(sound.blocks()))
    thrice = np.concatenate(list(itertools.islice(sound.looped(), 9)))
    np.testing.assert_array_equal(thrice, np.tile(once, (3, 1)))


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "take12:30.wav", noise(1600), 16_000)
    monkeypatch.chdir(tmp_path)
    assert len(np.concatenate(list(SoundFile(Path("take12:30.wav")).blocks()))) == 1600


def test_six_channels_become_two(tmp_path: Path) -> None:
    sound = SoundFile(write_wav(tmp_path / "a.wav", noise(4800, 6), 48_000))
    assert np.concatenate(list(sound.blocks())).shape == (4800, 2)


@pytest.mark.parametrize("channels", [9, 18, 32, 64])
def test_more_channels_than_can_be_mixed_are_counted_in_one_line(tmp_path: Path, channels: int) -> None:
    with pytest.raises(UserError, match=f"holds {channels} channels, which can't be mixed"):
        SoundFile(write_wav(tmp_path / "a.wav", noise(4800, channels), 48_000))


def test_six_channels_without_samples_are_no_matter_of_mixing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without samples"):
        SoundFile(write_wav(tmp_path / "a.wav", noise(0, 6), 48_000))


@pytest.mark.parametrize(("suffix", "codec"), [(".mp3", "libmp3lame"), (".opus", "libopus"), (".flac", "flac"), (".m4a", "aac")])
def test_compressed_formats_are_read(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        for k in range(50):
            wave_ = 0.5 * np.sin(2 * np.pi * 440 * (k * 960 + np.arange(960)) / 48_000)
            frame = av.AudioFrame.from_ndarray((wave_ * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, k * 960
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples = np.concatenate(list(SoundFile(path).blocks()))
    assert len(samples) == pytest.approx(48_000, abs=3000)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / 2**0.5, rel=0.1)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read as sound"):
        SoundFile(tmp_path / "none.wav")


def test_a_folder_is_no_sound(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        SoundFile(tmp_path)


def picture(path: Path) -> Path:
    """A video without sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    return path


def test_a_picture_holds_no_sound(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no sound"):
        SoundFile(picture(tmp_path / "a.mp4"))


def test_a_sound_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        SoundFile(write_wav(tmp_path / "a.wav", noise(0), 16_000))


def test_a_file_that_breaks_off_plays_to_there(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", noise(16_000), 16_000)
    path.write_bytes(path.read_bytes()[:20_000])
    assert 0 < len(np.concatenate(list(SoundFile(path).blocks()))) < 16_000


def write_float_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    """32-bit floats, which `wave` does not write; samples (n, channels)."""
    content, channels = samples.astype("<f4").tobytes(), samples.shape[1]
    fmt = struct.pack("<IHHIIHH", 16, 3, channels, rate, rate * 4 * channels, 4 * channels, 32)
    head = b"WAVEfmt " + fmt + b"data" + struct.pack("<I", len(content))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(head) + len(content)) + head + content)
    return path


def test_what_is_no_number_in_a_file_of_floats_is_silence(tmp_path: Path) -> None:
    samples = noise(4800)
    samples[1000:1100], samples[2000], samples[3000] = np.nan, np.inf, 1e30
    read = np.concatenate(list(SoundFile(write_float_wav(tmp_path / "a.wav", samples, 48_000)).blocks()))
    assert np.isfinite(read).all()
    assert not read[1000:1100].any()
    np.testing.assert_allclose(read[:1000], samples[:1000], atol=1e-6)


def test_a_title_in_any_encoding_is_no_matter(tmp_path: Path) -> None:
    title = "Käse".encode("latin-1") + b"\0"
    information = b"INFOINAM" + struct.pack("<I", len(title)) + title + b"\0"
    path = write_wav(tmp_path / "a.wav", noise(1600), 16_000)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", len(information)) + information)
    assert len(np.concatenate(list(SoundFile(path).blocks()))) == 1600


def aac(path: Path, layout: str, rate: int) -> bytes:
    """Half a second of a tone as AAC frames that may be strung together."""
    with av.open(str(path), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=rate, layout=layout)
        frames = np.tile(np.sin(np.arange(rate // 2)).astype(np.float32) / 2, (1 if layout == "mono" else 2, 1))
        frame = av.AudioFrame.from_ndarray(frames, format="fltp", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler("fltp", layout, rate, frame_size=1024)
        for part in resampler.resample(frame) + resampler.resample(None):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_broadcast_that_changes_rate_and_channels_on_the_way_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.aac"
    path.write_bytes(aac(tmp_path / "1.aac", "mono", 48_000) + aac(tmp_path / "2.aac", "stereo", 44_100))
    sound = SoundFile(path)
    assert (sound.rate, sound.channels) == (48_000, 1)
    assert len(np.concatenate(list(sound.blocks()))) == pytest.approx(48_000, abs=8000)


@pytest.mark.parametrize("rate", [1, 100_000_000])
def test_a_rate_that_no_sound_has_is_refused(tmp_path: Path, rate: int) -> None:
    with pytest.raises(UserError, match="1000 to 768000 Hz"):
        SoundFile(write_float_wav(tmp_path / "a.wav", noise(100), rate))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.binary(max_size=2000),
    header=st.sampled_from([b"", b"RIFF\0\0\0\0WAVEfmt ", b"OggS", b"fLaC", b"ID3\4", b"\0\0\0\x18ftypmp42"]),
)
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes, header: bytes) -> None:
    path = tmp_path / "fuzz.wav"
    path.write_bytes(header + data)
    try:
        for block in SoundFile(path).blocks():
            assert block.dtype == np.float32
    except UserError:
        pass


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(["wav", "aac"]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=20),
    cut=st.integers(0, 10_000),
)
def test_a_sound_with_changed_bytes_is_read_or_refused(
    tmp_path: Path, kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path / f"whole.{kind}"
    if not path.exists():
        write_float_wav(path, noise(2000), 16_000) if kind == "wav" else aac(path, "mono", 16_000)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    changed = tmp_path / "changed"
    changed.write_bytes(content[: len(content) - cut % len(content)])
    try:
        for block in SoundFile(changed).blocks():
            assert np.isfinite(block).all()
    except UserError:
        pass


def test_a_playing_file_reaches_the_ring_at_its_times(tmp_path: Path) -> None:
    sound = SoundFile(write_wav(tmp_path / "a.wav", noise(4000), 16_000))
    clock = MonotonicClock()
    source = PlayingFile(sound, clock, aloud=False)
    began = clock.now()
    source.start()
    while not source.finished:
        assert clock.now() - began < 60
    source.close()
    source.close()
    assert source.ring.written == 4000
    assert clock.now() - began >= 0.25
    assert source.ring.time_of(4000) - source.ring.time_of(0) == pytest.approx(0.25)


@pytest.mark.parametrize("fault", ["vanishes", "is cut off behind its header", "holds no sound any more", "is no sound"])
def test_a_looped_file_that_cannot_be_read_is_named_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY", 0.01)
    path = write_wav(tmp_path / "a.wav", noise(1600), 16_000)
    whole = path.read_bytes()
    source = PlayingFile(SoundFile(path), MonotonicClock(), loop=True, aloud=False)
    if fault == "vanishes":
        path.unlink()
    elif fault == "holds no sound any more":
        path.write_bytes(picture(tmp_path / "a.mp4").read_bytes())
    else:
        path.write_bytes(whole[:44] if fault == "is cut off behind its header" else b"none")
    source.start()
    clock = MonotonicClock()
    while not source.health:
        assert clock.now() < 60
    assert "a.wav" in source.health
    assert not source.finished
    written = source.ring.written
    path.write_bytes(whole)
    while source.health or source.ring.written < written + 3200:
        assert clock.now() < 60
    source.close()


def test_a_file_that_plays_once_and_vanished_ends(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", noise(1600), 16_000)
    source = PlayingFile(SoundFile(path), MonotonicClock(), aloud=False)
    path.unlink()
    source._play()
    assert source.finished
    assert "cannot be read" in source.health
