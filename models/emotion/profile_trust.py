"""How far a voice profile is to be used: as far as who speaks sounds like whose profile it is.

Another's profile misleads more than none. Every window says something; what they say adds up, fades with the speech that
follows, and stays within bounds, so that the next performer at the same microphone is noticed within some seconds.
"""

import math
from typing import Final

import torch
from numpy import float32
from numpy.typing import NDArray

from models.emotion.voice_identity import VoiceIdentity

_PRIOR: Final = 2.0  # log-odds that a profile is the speaker's: somebody chose it
_WEIGHT: Final = 0.25  # of a second's log ratio: windows of one sentence err alike
_BOUND: Final = 6.0  # log-odds that speech can add or take away
_MEMORY_SECONDS: Final = 60.0  # of speech


class ProfileTrust:
    """Of one voice, given by the mean embedding of so many windows of it."""

    def __init__(self, identity: VoiceIdentity, voice: NDArray[float32], windows: float) -> None:
        self._identity, self._voice, self._windows = identity, torch.from_numpy(voice), windows
        self.reset()

    def reset(self) -> None:
        """Nothing was heard."""
        self._odds = 0.0

    @property
    def probability(self) -> float:
        """That it is this voice."""
        return 1.0 / (1.0 + math.exp(-_PRIOR - self._odds))

    @torch.no_grad()
    def step(self, embedding: NDArray[float32], seconds: float) -> None:
        """The newest window's, and how many seconds of speech are new in it."""
        if seconds > 0.0:
            ratio = self._identity.log_ratio(torch.from_numpy(embedding), self._voice, self._windows)
            kept = math.exp(-seconds / _MEMORY_SECONDS) * self._odds
            self._odds = min(_BOUND, max(-_BOUND, kept + _WEIGHT * seconds * ratio))
