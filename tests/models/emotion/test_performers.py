"""Who speaks: a profile is used as far as its voice is heard, again after another's, and never for ever."""

import numpy as np
import pytest

from models.emotion.embedding import N_EMBEDDING
from models.emotion.network import N_HIDDEN
from models.emotion.performers import Performers
from models.emotion.voice_identity import N_TOLD, VoiceIdentity
from models.emotion.voice_mean import FRAMES_PER_SECOND
from models.emotion.voice_profile import VoiceProfile
from models.labels import EMOTIONS, NEUTRAL

WINDOW = 300  # frames
VERDICT = np.eye(len(EMOTIONS), dtype=np.float32)[NEUTRAL]


class Voices:
    """Made-up ones, told by the first three numbers of an embedding, where each scatters by 1 and voices by 4."""

    def __init__(self) -> None:
        self.identity = VoiceIdentity()
        for i in range(3):
            self.identity.directions[i, i] = 1.0
        self.identity.spread[:3] = 16.0
        self._rng = np.random.default_rng(0)

    def embedding(self, place: float) -> np.ndarray:
        vector = np.zeros(N_EMBEDDING, np.float32)
        vector[:3] = place + self._rng.standard_normal(3)
        return vector

    def profile(self, name: str, place: float, bias: float = 0.0) -> VoiceProfile:
        """Of eight windows; its correction adds `bias` to every logit."""
        total = WINDOW * np.sum([self.embedding(place) for _ in range(8)], axis=0)
        offset, weight = np.zeros(N_HIDDEN, np.float32), np.zeros((len(EMOTIONS), N_HIDDEN), np.float32)
        return VoiceProfile("", total, 8.0 * WINDOW, offset, weight, np.full(len(EMOTIONS), bias, np.float32), {}, 24.0, name)

    def performers(self, *profiles: VoiceProfile, identity: VoiceIdentity | None = None) -> Performers:
        everyone, shifts = np.zeros(N_EMBEDDING, np.float32), np.zeros((len(EMOTIONS), N_EMBEDDING), np.float32)
        return Performers(profiles, identity or self.identity, everyone, shifts, WINDOW)


@pytest.fixture
def voices() -> Voices:
    return Voices()


def speak(performers: Performers, voices: Voices, place: float, seconds: float) -> np.ndarray:
    for _ in range(round(10 * seconds)):
        vector, frames = voices.embedding(place), round(FRAMES_PER_SECOND / 10)
        performers.recognise(vector, frames)
        performers.add(vector, frames, VERDICT)
    return performers.shares


def test_one_starts_likely_and_follows_who_speaks(voices: Voices) -> None:
    ada = voices.performers(voices.profile("ada", 3.0))
    (start,) = ada.shares
    assert 0.5 < start < 0.95 and ada.name == "ada"
    assert speak(ada, voices, 3.0, 4.0) > 0.95
    assert speak(ada, voices, -3.0, 10.0) < 0.1, "another performer at the same microphone"
    assert ada.name == ""
    assert speak(ada, voices, 3.0, 60.0) > 0.9, "and back"
    ada.reset()
    assert ada.shares == start


def test_of_two_the_one_who_speaks_is_used(voices: Voices) -> None:
    both = voices.performers(voices.profile("ada", 3.0, bias=1.0), voices.profile("ben", -3.0, bias=-1.0))
    hidden = np.zeros((1, N_HIDDEN), np.float32)
    assert both.shares[0] == both.shares[1] < 0.5 and both.name == ""
    for place, name, sign in ((3.0, "ada", 1.0), (-3.0, "ben", -1.0), (3.0, "ada", 1.0)):
        assert speak(both, voices, place, 10.0).sum() <= 1.0
        assert both.name == name
        assert (both.correction(hidden, both.shares) * sign > 0.8).all()
        centre, known = both.centre(np.zeros(N_EMBEDDING, np.float32), 0.0, both.shares)
        assert np.sign(centre[:3]).tolist() == [sign] * 3 and known > 0.6


def test_of_two_neither_is_used_for_a_stranger(voices: Voices) -> None:
    both = voices.performers(voices.profile("ada", 6.0), voices.profile("ben", 4.0))
    assert speak(both, voices, -4.0, 10.0).sum() < 0.1
    assert both.name == ""


def test_what_another_says_hardly_moves_her_mean(voices: Voices) -> None:
    ada = voices.performers(voices.profile("ada", 3.0))
    stranger, wholly = np.zeros(N_EMBEDDING, np.float32), np.ones(1)
    before, _ = ada.centre(stranger, 0.0, wholly)
    speak(ada, voices, -3.0, 60.0)
    after, _ = ada.centre(stranger, 0.0, wholly)
    assert np.abs(after[:3] - before[:3]).max() < 0.5


def test_nobody_is_known_without_profiles(voices: Voices) -> None:
    nobody = voices.performers()
    assert speak(nobody, voices, 3.0, 1.0).size == 0 and nobody.name == ""
    centre, known = nobody.centre(np.ones(N_EMBEDDING, np.float32), 0.5, nobody.shares)
    assert (centre == 1.0).all() and known == 0.5
    assert not nobody.correction(np.ones((2, N_HIDDEN), np.float32), nobody.shares).any()


def test_nothing_new_says_nothing(voices: Voices) -> None:
    ada = voices.performers(voices.profile("ada", 3.0))
    before = ada.shares
    ada.recognise(voices.embedding(-3.0), 0)
    assert np.array_equal(ada.shares, before)


def test_untrained_directions_tell_nobody_apart(voices: Voices) -> None:
    ada = voices.performers(voices.profile("ada", 3.0), identity=VoiceIdentity())
    before = ada.shares
    assert speak(ada, voices, -3.0, 10.0) == pytest.approx(before)
    assert VoiceIdentity().directions.shape[0] == N_TOLD
