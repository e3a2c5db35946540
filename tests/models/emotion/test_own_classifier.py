"""Somebody else's classifier: a tiny ONNX file that hears loudness, through the documented protocol."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loudness_classifier import LABELS, write
from onnx import TensorProto
from voices import turn

from models.emotion.own_classifier import HOP, OwnClassifier, meanings
from models.errors import UserError
from models.labels import EMOTIONS, NEUTRAL

QUIET, LOUD = 0.01, 0.2  # root mean square


def hear(classifier: OwnClassifier, level: float) -> list[int]:
    """What is heard at the end of a turn of the bundled voice, at that level, and after two seconds and a half of silence."""
    classifier.reset()
    voice = np.concatenate([turn(1) * np.float32(level / np.sqrt(np.mean(turn(1) ** 2))), np.zeros(25 * HOP, np.float32)])
    heard = [classifier.step(voice[i : i + HOP]) for i in range(0, len(voice) - HOP + 1, HOP)]
    assert all(h.probabilities.sum() == pytest.approx(1.0, abs=1e-5) for h in heard)
    last_spoken = heard[len(turn(1)) // HOP - 2]
    assert last_spoken.speaking and last_spoken.confidence > 0.5 and last_spoken.arousal > 0.5
    assert heard[-1].confidence == 0.0 and not heard[-1].speaking
    return [int(h.probabilities.argmax()) for h in (last_spoken, heard[-1])]


@pytest.mark.parametrize("samples", ["samples", 24_000, 8_000])
@pytest.mark.parametrize("beside", [None, {"labels": LABELS}, {"id2label": {str(i): label for i, label in enumerate(LABELS)}}])
def test_any_onnx_file_with_labels_hears(tmp_path: Path, beside: dict[str, Any] | None, samples: Any) -> None:
    classifier = OwnClassifier(write(tmp_path / "own.onnx", beside, (1, samples)))
    assert hear(classifier, LOUD) == [EMOTIONS.index("angry"), NEUTRAL]
    assert hear(classifier, QUIET) == [EMOTIONS.index("happy"), NEUTRAL]


def test_what_means_none_of_the_five_counts_as_neutral() -> None:
    found = meanings({"labels": LABELS, "meaning": {"surprise": "fear"}}, Path("own.onnx"))
    assert [EMOTIONS[i] for i in found] == ["fear", "angry", "happy", "neutral"]
    found = meanings({"labels": ["Disgust", "ANGER", "sad"]}, Path("own.onnx"))
    assert [EMOTIONS[i] for i in found] == ["neutral", "angry", "sad"]


@pytest.mark.parametrize(
    ("beside", "complaint"),
    [
        ({}, "should be a list of names"),
        ({"labels": ["one", "two", "three", "four"]}, "mean fewer than two of"),
        ({"labels": LABELS[:3]}, r"answers with the shape \[1, 4\], expected \[1, 3\]"),
        ({"labels": LABELS, "meaning": {"ang": "furious"}}, "one of angry, neutral"),
        ({"labels": LABELS, "output": "votes"}, "expected one of logits, probabilities"),
        ({"labels": LABELS, "normalise": "false"}, "expected true or false"),
    ],
)
def test_labels_that_do_not_fit_are_one_clear_error(tmp_path: Path, beside: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        OwnClassifier(write(tmp_path / "own.onnx", beside))


@pytest.mark.parametrize("shape", [(1, 80, "frames"), (1, 7_999), (2, 16_000)])
def test_inputs_that_are_no_sound_are_one_clear_error(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    with pytest.raises(UserError, match=r"expected (one float32 \(1, samples\)|8000 to 160000)"):
        OwnClassifier(write(tmp_path / "own.onnx", shape=shape))
    with pytest.raises(UserError, match="i16"):
        OwnClassifier(write(tmp_path / "own.onnx", kind=TensorProto.INT16))


def test_missing_and_damaged_files_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no classifier at"):
        OwnClassifier(tmp_path / "nothing.onnx")
    damaged = write(tmp_path / "own.onnx")
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(UserError, match="no ONNX file"):
        OwnClassifier(damaged)
    whole = write(tmp_path / "own.onnx", {})
    for text in ("{labels", 3000 * "["):
        whole.with_suffix(".json").write_text(text)
        with pytest.raises(UserError, match="is no JSON"):
            OwnClassifier(whole)
    whole.with_suffix(".json").unlink()
    with pytest.raises(UserError, match="nothing says what the outputs"):
        OwnClassifier(whole)


@pytest.mark.parametrize("content", [b"\x80" * 500, b"this is a text\n" * 20, b"\x08\x07", b""])
def test_what_is_no_onnx_takes_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes) -> None:
    """OpenVINO's own parser would write to stderr beside the error."""
    path = tmp_path / "own.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no ONNX file"):
        OwnClassifier(path)
    assert capfd.readouterr().err == ""


def test_labels_that_are_no_utf8_are_one_clear_error(tmp_path: Path) -> None:
    file = write(tmp_path / "own.onnx")
    file.write_bytes(file.read_bytes().replace(b"surprise", b"surpris\xe9"))
    with pytest.raises(UserError, match="is no UTF-8 text"):
        OwnClassifier(file)
