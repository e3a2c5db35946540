"""Trust in a profile: up with its voice, down with another, back again, and never for ever."""

import numpy as np
import pytest

from models.emotion.embedding import N_EMBEDDING
from models.emotion.profile_trust import ProfileTrust
from models.emotion.voice_identity import N_TOLD, VoiceIdentity


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


@pytest.fixture
def voices() -> Voices:
    return Voices()


def heard(trust: ProfileTrust, voices: Voices, place: float, seconds: float) -> float:
    for _ in range(round(10 * seconds)):
        trust.step(voices.embedding(place), 0.1)
    return trust.probability


@pytest.fixture
def trust(voices: Voices) -> ProfileTrust:
    mean = np.mean([voices.embedding(3.0) for _ in range(8)], axis=0)
    return ProfileTrust(voices.identity, mean, 8.0)


def test_it_starts_likely_and_follows_who_speaks(trust: ProfileTrust, voices: Voices) -> None:
    start = trust.probability
    assert 0.5 < start < 0.95
    assert heard(trust, voices, 3.0, 4.0) > 0.95
    assert heard(trust, voices, -3.0, 10.0) < 0.1, "another performer at the same microphone"
    assert heard(trust, voices, 3.0, 60.0) > 0.9, "and back"
    trust.reset()
    assert trust.probability == start


def test_nothing_new_says_nothing(trust: ProfileTrust, voices: Voices) -> None:
    before = trust.probability
    trust.step(voices.embedding(-3.0), 0.0)
    assert trust.probability == before


def test_untrained_directions_tell_nobody_apart(voices: Voices) -> None:
    trust = ProfileTrust(VoiceIdentity(), voices.embedding(3.0), 8.0)
    before = trust.probability
    assert heard(trust, voices, -3.0, 10.0) == pytest.approx(before)
    assert VoiceIdentity().directions.shape[0] == N_TOLD
