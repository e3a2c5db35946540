"""What stages hand to each other. Every value carries `t`, the time it speaks of: seconds on the show's one clock."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prosody:
    """How it sounds, every 20 ms; `t` is the capture time of the newest sample in it."""

    t: float
    level_db: float
    """dBFS, -100...0."""
    f0_hz: float
    """50...600, 0 when unvoiced."""
    voiced: float
    """Probability of voicing, 0...1."""
    rate: float = 0.0
    """Syllables per second over the last 3 s."""
    arousal: float = 0.0
    """-1 calm ... 1 excited, gliding to what the newest verdict says."""
    valence: float = 0.0
    """-1 unpleasant ... 1 pleasant, likewise."""


@dataclass(frozen=True)
class Heard:
    """Which emotion, every 100 ms; `t` is the capture time of the newest sample in the window."""

    t: float
    probabilities: NDArray[np.float32]
    """(5,) in the order of `models.labels.EMOTIONS`, sums to 1."""
    confidence: float
    """0...1; 0 when nobody speaks."""
    speaking: bool
    arousal: float
    """-1 calm ... 1 excited."""
    valence: float
    """-1 unpleasant ... 1 pleasant."""
    intensity: float = 0.5
    """How strongly the emotion is expressed, 0...1; 0.5 where that can't be told."""
    voice: str = ""
    """Whose it is more likely than not, of those whose profiles are known, or empty."""


@dataclass(frozen=True)
class Controls:
    """What the face is told at time `t`."""

    t: float
    emotion: NDArray[np.float32]
    """(5,), sums to 1; the part of neutral is rest."""
    strength: float
    rig: dict[str, float]
    """Values of the face's rig controls (`mouth_open`, `blink`, ...)."""
    heard: Heard | None = None
    prosody: Prosody | None = None
    onset: bool = False
    """True once at each start of speech."""


@dataclass(frozen=True)
class Frame:
    """A finished picture and what made it."""

    number: int
    controls: Controls
    t_audio: float | None
    """Capture time of the newest sound in it; None before any sound."""
    t_ready: float
    """When its pixels were finished."""
    pixels: NDArray[np.uint8] = field(repr=False)
    """(H, W, 3) RGB."""

    def age_of_sound(self, t: float) -> float | None:
        """Seconds from the newest sound in it to time `t`; None where nothing is heard, or not any more."""
        return None if self.t_audio is None or self.controls.prosody is None else t - self.t_audio
