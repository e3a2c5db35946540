"""The settings page says what the program does."""

from tools.write_settings_doc import DOC, page


def test_the_page_in_the_repository_is_current() -> None:
    assert DOC.read_text(encoding="utf-8") == page(), "run: python -m tools.write_settings_doc"
