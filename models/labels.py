"""The five emotions, in the one order that every array, file and message of the project uses, and what else they are called."""

from typing import Final

EMOTIONS: Final = ("angry", "neutral", "fear", "happy", "sad")
NEUTRAL: Final = EMOTIONS.index("neutral")

SYNONYMS: Final = {
    "angry": ("anger", "ang", "angriness"),
    "neutral": ("neutrality", "neu", "calm"),
    "fear": ("fearful", "fea", "afraid", "scared"),
    "happy": ("happiness", "hap", "joy", "joyful"),
    "sad": ("sadness",),
}
"""Other words for each of them, as corpora and classifiers of other people write them."""

_NUMBERS: Final = {word: EMOTIONS.index(name) for name, others in SYNONYMS.items() for word in (name, *others)}


def emotion_called(word: str) -> int | None:
    """The number of the emotion that is called so, in any case and with spaces round it; None where it is none of the five."""
    return _NUMBERS.get(word.strip().casefold())
