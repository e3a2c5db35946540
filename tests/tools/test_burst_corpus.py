"""What bursts are learnt from: which clips are taken, and what of them says something."""

import csv
from pathlib import Path

import numpy as np
import pytest
from voices import turn, write_wav

from models.emotion.vocal_bursts import N_READ
from models.emotion.voice_activity import CHUNK, SileroNetwork
from models.errors import UserError
from tools.burst_corpus import VOICE, Example, bursts, listener, recordings, sound_of, sounds, speech, states_of, vectors_of

KIND_NUMBERS = {"laughter": 2, "angry": 3, VOICE: 11, "happy": 13, "fear": 15, "neutral": 18, "sad": 24}


def test_the_first_takes_of_some_people_are_taken(tmp_path: Path) -> None:
    for number in KIND_NUMBERS.values():
        for person in (1, 2):
            for take in (1, 2):
                (tmp_path / f"{person:06d}-{number:02d}-{take}.mp3").touch()
    for other in ("000002-30-1.mp3", "cover.mp3"):
        (tmp_path / other).touch()
    taken = {(example.kind, example.person, example.path.stem[-1]) for example in bursts(tmp_path, 1, 2)}
    assert taken == {(kind, "000002", "1") for kind in KIND_NUMBERS}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").touch()
    with pytest.raises(UserError, match="mp3 of EmoGator"):
        bursts(tmp_path, 1, 1)
    with pytest.raises(UserError, match="no recordings that could stand for voice"):
        recordings([tmp_path / "nothing"], VOICE, 1)


def test_sounds_are_made_up_and_recorded(tmp_path: Path) -> None:
    (tmp_path / "dogs").mkdir()
    for name in ("bark_1", "bark_2", "femalevoice_aa", "whine"):
        write_wav(tmp_path / "dogs" / f"{name}.wav", turn(0))
    found = sounds([tmp_path], 9)
    assert {example.kind for example in found} == {"no voice"}
    assert [example.person for example in found if example.path != Path()] == ["bark", "bark", "whine"], "no voices"
    assert "music" in {example.person for example in found} and "laughter" not in {example.person for example in found}
    assert len(sound_of(found[-1])) == len(turn(0))
    assert np.array_equal(sound_of(found[0]), sound_of(found[0]))
    assert [example.path.stem for example in recordings([tmp_path], VOICE, 2)] == ["bark_1", "femalevoice_aa"]


def test_people_are_kept_apart_whatever_of_them_is_heard() -> None:
    apart = {person: Example(Path(), "fear", person).apart for person in map(str, range(50))}
    assert 3 < sum(apart.values()) < 20
    assert all(Example(Path("b"), "sad", person).apart == is_so for person, is_so in apart.items())


def test_states_tell_what_is_loud_and_what_is_speech(tmp_path: Path) -> None:
    voice = turn(0)[: 3 * 16_000]
    path = write_wav(tmp_path / "a.wav", np.concatenate([voice, np.zeros(16_000, np.float32)]))
    states = states_of(SileroNetwork.load(), Example(path, "speech", "a"))
    n = -(-((len(voice) + 16_000) // CHUNK) // 2)  # every second
    assert states.values.shape == (n, N_READ) and len(states.speech) == len(states.loud) == n
    assert states.loud[: n // 2].mean() > 0.5 > 0.1 > states.loud[-12:].mean()
    assert states.speech[: n // 2].any() and not states.speech[-5:].any()


def test_vectors_are_of_what_is_voice(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", turn(0)[:24_000])
    heard = vectors_of(listener(), Example(path, "speech", "a"))
    assert len(heard) >= 6 and len(heard) % 2 == 0
    write_wav(path, np.zeros(16_000, np.float32))
    assert len(vectors_of(listener(), Example(path, "speech", "a"))) == 0


def test_every_so_many_clips_of_speech_are_taken(tmp_path: Path) -> None:
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "corpus", "speaker", "emotion"])
        for number in range(4):
            rows.writerow([write_wav(tmp_path / f"{number}.wav", turn(0)[:16_000]).name, "demo", f"s{number}", "sad"])
    assert [(e.path.name, e.kind, e.person) for e in speech([tmp_path], 2)] == [
        ("0.wav", "speech", "s0"),
        ("2.wav", "speech", "s2"),
    ]
