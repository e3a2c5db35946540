"""The five emotions, in the one order that every array, file and message of the project uses."""

from typing import Final

EMOTIONS: Final = ("angry", "neutral", "fear", "happy", "sad")
NEUTRAL: Final = EMOTIONS.index("neutral")
