"""What is done to voices, measured; and sounds that are no voice are taken for none."""

from pathlib import Path

import numpy as np
import pytest
from voices import turn, write_wav

from models.emotion.classifier import EmotionClassifier
from models.errors import UserError
from tools.emotion_conditions import CONDITIONS, NO_VOICE, gain, opus, telephone
from tools.evaluate_emotion import made_up, no_voice, recorded
from tools.skipped import Skipped

RATE = 16_000


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * frequency * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_keeps_the_length_and_full_scale(name: str) -> None:
    voice = turn(1)
    changed = CONDITIONS[name](voice, np.random.default_rng(0))
    assert changed.dtype == np.float32 and np.isfinite(changed).all()
    assert len(changed) == pytest.approx(len(voice), abs=RATE // 25)
    again = CONDITIONS[name](voice, np.random.default_rng(0))
    assert np.array_equal(changed, again)


def test_gain_is_in_decibels_and_clips() -> None:
    rng = np.random.default_rng(0)
    assert 20 * np.log10(rms(gain(-30)(tone(500), rng)) / rms(tone(500))) == pytest.approx(-30, abs=0.01)
    assert np.abs(gain(40)(tone(500), rng)).max() == 1.0


@pytest.mark.parametrize(("frequency", "passes"), [(100, False), (1_000, True), (3_000, True), (5_000, False)])
def test_a_telephone_passes_its_band_only(frequency: float, passes: bool) -> None:
    # The level is kept, so a tone that does not pass must be judged beside one that does.
    sound = tone(1_500) + tone(frequency)
    changed = telephone(sound, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(changed * np.hanning(len(changed))))
    ratio = spectrum[round(frequency)] / spectrum[1_500]
    assert ratio > 0.5 if passes else ratio < 0.1


def test_noise_is_ten_decibels_below() -> None:
    voice = tone(1_000)
    noise = CONDITIONS["noise, 10 dB"](voice, np.random.default_rng(0)) - voice
    assert 20 * np.log10(rms(voice) / rms(noise)) == pytest.approx(10, abs=1)


def test_opus_is_lossy_and_in_time() -> None:
    voice = turn(2)
    changed = opus(voice, np.random.default_rng(0))
    n = min(len(voice), len(changed))
    assert 0.5 < np.corrcoef(voice[:n], changed[:n])[0, 1] < 0.9999


@pytest.mark.parametrize("name", NO_VOICE)
def test_what_is_no_voice_is_loud_and_reproducible(name: str) -> None:
    sound = NO_VOICE[name](2.0, np.random.default_rng(0))
    assert len(sound) == 2 * RATE and 0.03 < rms(sound) < 0.2 and np.abs(sound).max() <= 1.0
    assert np.array_equal(sound, NO_VOICE[name](2.0, np.random.default_rng(0)))


def test_it_is_not_taken_for_an_emotion() -> None:
    found = no_voice(EmotionClassifier.load(), made_up(4.0))
    assert set(found) == set(NO_VOICE)
    # Laughter is a voice, in parts taken for speech, and a beep may for a moment be a scream; neither moves the face for long.
    doubtful = {"laughter": (0.6, 0.15), "beeps": (0.8, 0.15)}
    for name, row in found.items():
        neutral, confidence = doubtful.get(name, (0.9, 0.05))
        assert row["heard"]["neutral"] > neutral, name
        assert row["confidence"] < confidence, name


def test_recordings_of_what_is_no_speech_are_heard_folder_by_folder(tmp_path: Path) -> None:
    for name, second in (("hum/a.wav", 1), ("hum/deeper/b.wav", 2), ("voice/c.wav", 3)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(tmp_path / name, turn(0)[: 3 * RATE] if "voice" in name else 0.1 * np.sin(np.arange(second * RATE) / 40))
    write_wav(tmp_path / "of no kind.wav", np.zeros(RATE))
    found = no_voice(EmotionClassifier.load(), recorded(tmp_path, Skipped()))
    assert set(found) == {"hum", "voice"}
    assert found["hum"]["speaking"] < found["voice"]["speaking"]


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folders of recordings"):
        recorded(tmp_path, Skipped())
