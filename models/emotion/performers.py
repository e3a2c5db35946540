"""Those whose profiles are known: who of them speaks, if any, and what is known of her.

Another's profile misleads more than none, so each counts as far as who speaks sounds like whose it is. Every window says
something; what they say adds up, fades with the speech that follows, and stays within bounds, so that the next performer at
the same microphone is noticed within some seconds.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.emotion.voice_identity import VoiceIdentity
from models.emotion.voice_mean import FRAMES_PER_SECOND, VoiceMean
from models.emotion.voice_profile import VoiceProfile
from models.labels import EMOTIONS

Floats = NDArray[np.float32]

_PRIOR: Final = 1.0  # log-odds that it is one of them, all alike: somebody chose them
_WEIGHT: Final = 0.5  # of a second's log ratio: windows of one sentence err alike
_BOUND: Final = 6.0  # log-odds that speech can add or take away
_MEMORY_SECONDS: Final = 60.0  # of speech


class Performers:
    """`shares` (n,): how likely it is that each of them speaks; what is left up to 1 is a stranger's."""

    def __init__(
        self,
        profiles: Sequence[VoiceProfile],
        voices: VoiceIdentity,
        everyone: Floats,
        shifts: Floats,
        frames_a_window: int,
    ) -> None:
        """`everyone` (N_EMBEDDING,) and `shifts` (5, N_EMBEDDING) as `VoiceMean` takes them."""
        self._profiles, self._voices = profiles, voices
        self._means = [VoiceMean(everyone, shifts) for _ in profiles]
        self._heard_before = [(torch.from_numpy(p.total / max(p.count, 1.0)), p.count / frames_a_window) for p in profiles]
        self.reset()

    def reset(self) -> None:
        """Nothing was heard but what the profiles are made of."""
        self._odds = np.zeros(len(self._profiles))
        for mean, profile in zip(self._means, self._profiles, strict=True):
            mean.reset(profile.total, profile.count)

    @property
    def shares(self) -> NDArray[np.float64]:
        if not self._profiles:
            return self._odds
        weights = np.exp(_PRIOR + self._odds) / len(self._odds)
        shares: NDArray[np.float64] = weights / (1.0 + weights.sum())
        return shares

    @property
    def name(self) -> str:
        """Whose profile it is that fits more likely than not; empty for a stranger."""
        return next((p.name for p, share in zip(self._profiles, self.shares, strict=True) if share > 0.5), "")

    @torch.no_grad()
    def recognise(self, embedding: Floats, frames: int) -> None:
        """The newest window's embedding, and how many frames of speech are new in it."""
        if frames == 0:
            return
        seconds = frames / FRAMES_PER_SECOND
        window = torch.from_numpy(embedding)
        ratios = np.array([self._voices.log_ratio(window, mean, windows) for mean, windows in self._heard_before])
        kept = math.exp(-seconds / _MEMORY_SECONDS) * self._odds
        self._odds = np.clip(kept + _WEIGHT * seconds * ratios, -_BOUND, _BOUND)

    def add(self, embedding: Floats, frames: int, verdict: Floats) -> None:
        """As `VoiceMean.add`, to each as far as it is she who speaks."""
        for mean, share in zip(self._means, self.shares, strict=True):
            mean.add(embedding, float(share) * frames, verdict)

    def centre(self, stranger: Floats, known: float, shares: NDArray[np.float64]) -> tuple[Floats, float]:
        """Between what is known of a voice that was never heard before, as `VoiceMean.centre` gives it, and of these."""
        centre, sure = stranger, known
        for mean, share in zip(self._means, shares, strict=True):
            hers, she = mean.centre()
            centre, sure = centre + np.float32(share) * (hers - stranger), sure + float(share) * (she - known)
        return centre, sure

    def correction(self, hidden: Floats, shares: NDArray[np.float64]) -> Floats:
        """What to add to the network's logits (n, 5), from its hidden layer (n, N_HIDDEN)."""
        added = np.zeros((len(hidden), len(EMOTIONS)), np.float32)
        for profile, share in zip(self._profiles, shares, strict=True):
            added += np.float32(share) * profile.correction(hidden)
        return added
