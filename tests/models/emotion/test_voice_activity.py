"""silero-vad read as arrays: the same as the package's own model, whatever the block size, for hours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from voices import demo_voice, turn

from models import carrier
from models.emotion.voice_activity import CHUNK, SPEECH_PROBABILITY, SileroNetwork, VoiceActivity, speech_chunks, with_context
from models.errors import UserError


@pytest.fixture(scope="module")
def network() -> SileroNetwork:
    return SileroNetwork.load()


def voice_like(seconds: float) -> np.ndarray:
    """A buzz with syllables and two formants; not quite a voice, but the network has an opinion on it."""
    t = np.arange(int(16_000 * seconds)) / 16_000
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 1.3 * t)) / 16_000
    buzz = sum(np.sin(k * phase) * np.exp(-(((k * 140 - 700) / 500) ** 2)) for k in range(1, 15))
    return (0.2 * buzz * np.clip(np.sin(2 * np.pi * 3.5 * t), 0, 1)).astype(np.float32)


@pytest.mark.filterwarnings("ignore")
def test_same_as_the_packages_own_model(network: SileroNetwork) -> None:
    silero_vad = pytest.importorskip("silero_vad")
    sound = voice_like(2.0) + np.random.default_rng(0).normal(0, 0.01, 32_000).astype(np.float32)
    reference = silero_vad.load_silero_vad()
    expected = [reference(torch.from_numpy(sound[i : i + CHUNK]), 16_000).item() for i in range(0, len(sound) - CHUNK + 1, CHUNK)]
    state, mine = network.start(), []
    for embedded in network.embed(with_context(torch.from_numpy(sound))):
        probability, state = network.remember(embedded[None], state)
        mine.append(float(probability))
    assert mine == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("gain_db", [-50, -30, -15, 10])
def test_quiet_and_loud_voices_are_heard_alike(network: SileroNetwork, gain_db: int) -> None:
    voice = demo_voice()
    plain = speech_chunks(VoiceActivity(network).step(voice))
    other = speech_chunks(VoiceActivity(network).step((voice * 10 ** (gain_db / 20)).clip(-1, 1).astype(np.float32)))
    assert plain.mean() > 0.5 and np.mean(plain == other) > 0.9


def test_a_quiet_room_is_no_speech_because_somebody_stopped(network: SileroNetwork) -> None:
    room = np.random.default_rng(0).normal(0, 1e-4, 20 * 16_000).astype(np.float32)
    heard = VoiceActivity(network).step(np.concatenate([turn(1), room]))
    assert not any(p >= SPEECH_PROBABILITY for p in heard[len(turn(1)) // CHUNK + 8 :])


def test_block_size_does_not_matter(network: SileroNetwork) -> None:
    sound = voice_like(1.5)
    streamed = VoiceActivity(network)
    pieces = [p for part in np.split(sound, range(700, len(sound), 700)) for p in streamed.step(part)]
    assert pieces == pytest.approx(VoiceActivity(network).step(sound), abs=1e-5)


def test_silence_and_noise_are_no_speech(network: SileroNetwork) -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, 48_000).astype(np.float32)
    assert max(VoiceActivity(network).step(np.zeros(48_000, np.float32))) < 0.5
    assert np.mean(speech_chunks(VoiceActivity(network).step(noise))) < 0.05


@pytest.mark.parametrize(("probability", "seconds"), [(0.9, 61), (0.0, 5)])
def test_state_is_renewed_so_that_hours_work(
    network: SileroNetwork, monkeypatch: pytest.MonkeyPatch, probability: float, seconds: int
) -> None:
    """In endless speech every 20 s at the latest, in silence every second."""
    starts = []
    start = network.start
    monkeypatch.setattr(network, "start", lambda batch=1: starts.append(batch) or start(batch))
    monkeypatch.setattr(network, "remember", lambda embedded, state: (torch.tensor([probability]), state))
    VoiceActivity(network).step(np.zeros(seconds * 16_000, np.float32))
    assert len(starts) >= 4


def test_consonants_next_to_speech_count() -> None:
    assert speech_chunks([0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0]).tolist() == [False, True, True, True, True, True, False]
    assert speech_chunks([]).tolist() == []


def test_missing_package_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install silero-vad"):
        SileroNetwork.load()


@pytest.mark.parametrize("content", [b"", b"this is no network", b"\x08\x07" * 100])
def test_damaged_file_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "silero_vad_16k_op15.onnx").write_bytes(content)
    found = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(carrier.importlib.util, "find_spec", lambda name: found)
    with pytest.raises(UserError, match="cannot read the weights of silero-vad"):
        SileroNetwork.load()
