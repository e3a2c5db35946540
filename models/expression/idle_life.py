"""A face at rest is no still photo: blinks, breath and a slow sway of the head, as a pure function of time.

The same seed and the same second give the same values, at any frame rate and in any order. Blinks last 150 to 250 ms and close
faster than they open (Caffier, Erdmann and Ullsperger 2003); they come every two to six seconds.
"""

from typing import Final

import numpy as np

BLINK_EVERY: Final = 4.0  # s, on average
BLINK_JITTER: Final = 2.0  # s: a blink lies this far behind the start of its four seconds at most, so two are 2 to 6 s apart
BLINK_SHORTEST: Final = 0.15  # s
BLINK_LONGEST: Final = 0.25  # s
CLOSING: Final = 0.35  # of a blink's time; the rest is opening

# (period in s, share) of the sines that sum to a sway; the periods have no common multiple that a viewer could notice.
SWAY: Final = ((7.3, 0.5), (11.9, 0.35), (4.7, 0.15))
BREATH: Final = 4.1  # s
SWAY_YAW: Final = 0.27
SWAY_PITCH: Final = 0.15
BREATH_PITCH: Final = 0.05


def idle(t: float, seed: int) -> dict[str, float]:
    """Values of the rig's controls at `t` seconds: blink 0…1, yaw and pitch −1…1."""
    return {
        "blink": blink(t, seed),
        "yaw": SWAY_YAW * _sway(t, seed, 1),
        "pitch": SWAY_PITCH * _sway(t, seed, 2) + BREATH_PITCH * float(np.sin(2 * np.pi * (t / BREATH + _chance(seed, 3, 0)))),
    }


def blink(t: float, seed: int) -> float:
    """How far the lids are closed at `t` seconds, 0…1."""
    cell = int(np.floor(t / BLINK_EVERY))
    since = t - cell * BLINK_EVERY - BLINK_JITTER * _chance(seed, 4, cell)
    lasts = BLINK_SHORTEST + (BLINK_LONGEST - BLINK_SHORTEST) * _chance(seed, 5, cell)
    part = since / lasts
    if not 0 < part < 1:
        return 0.0
    closed = part / CLOSING if part < CLOSING else (1 - part) / (1 - CLOSING)
    return closed * closed * (3 - 2 * closed)  # smoothstep: lids start and stop softly


def _sway(t: float, seed: int, channel: int) -> float:
    return float(
        sum(share * np.sin(2 * np.pi * (t / period + _chance(seed, channel, n))) for n, (period, share) in enumerate(SWAY))
    )


def _chance(seed: int, channel: int, cell: int) -> float:
    """A number in [0, 1) that looks random and depends on its arguments only (splitmix64)."""
    mask = (1 << 64) - 1
    x = (seed * 0x9E3779B97F4A7C15 + channel * 0xD1B54A32D192ED03 + cell * 0x8CB92BA72F3D8DD7) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return (x ^ (x >> 31)) / (1 << 64)
