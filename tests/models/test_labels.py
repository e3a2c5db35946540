"""Words for the five emotions."""

import pytest

from models.labels import EMOTIONS, SYNONYMS, emotion_called


@pytest.mark.parametrize("name", EMOTIONS)
def test_every_emotion_is_known_by_its_name_and_by_others_in_any_case(name: str) -> None:
    for word in (name, *SYNONYMS[name]):
        assert emotion_called(f"  {word.upper()}\t") == EMOTIONS.index(name)


@pytest.mark.parametrize("word", ["", "bored", "disgust", "surprise", "angry happy"])
def test_other_words_are_none_of_them(word: str) -> None:
    assert emotion_called(word) is None
