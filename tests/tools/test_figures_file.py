"""Places for figures are tried before there are any."""

from pathlib import Path

import pytest

from models.errors import UserError
from tools import evaluate_expression, evaluate_profile, evaluate_prosody, evaluate_robustness, evaluate_strength, train_emotion
from tools.figures_file import check_json, write_json

ARGUMENTS = [
    (evaluate_expression.main, ["--networks", "none"]),
    (evaluate_strength.main, ["--networks", "none"]),
    (evaluate_profile.main, ["--manifest", "none"]),
    (evaluate_prosody.main, ["--manifest", "none"]),
    (evaluate_robustness.main, ["--data", "none", "--work", "{folder}/work"]),
    (train_emotion.main, ["--data", "none", "--work", "{folder}/work", "--folds"]),
]


@pytest.mark.parametrize(("main", "arguments"), ARGUMENTS, ids=lambda value: getattr(value, "__module__", ""))
def test_a_folder_in_place_of_the_file_is_one_line_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], main: object, arguments: list[str]
) -> None:
    if main is evaluate_prosody.main:
        pytest.importorskip("librosa", reason="pyin, the reference for pitch, needs librosa")
    words = [argument.format(folder=tmp_path) for argument in arguments]
    assert callable(main) and main([*words, "--json", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "it is a folder" in error


def test_folders_are_made_and_figures_written(tmp_path: Path) -> None:
    file = tmp_path / "new" / "out.json"
    check_json(file)
    write_json(file, {"uar": 0.5})
    assert file.read_text() == '{\n "uar": 0.5\n}'
    check_json(None)
    write_json(None, {})
    with pytest.raises(UserError, match="can't be written"):
        check_json(file / "sub" / "a.json")
