"""Rows of a manifest, however the program that wrote it separates columns and writes their names."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from models.errors import UserError

Row = dict[str, str]
_DELIMITERS: Final = ",;\t"
_LONGEST_HEADER: Final = 1_000  # characters that the delimiter is told by


def read_rows(manifest: Path, columns: Sequence[str]) -> list[tuple[int, Row]]:
    """Every row, with the number of its last line: values by the names of their columns, both without spaces round them, the
    names in lower case; "" where a row is short.

    UTF-8, with or without a byte order mark; commas, semicolons or tabs. Raises UserError where the file can't be read, lacks
    one of `columns`, or has no rows.
    """
    expected = f"expected a CSV file with {', '.join(columns)}"
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            delimiter = _delimiter(file.readline(_LONGEST_HEADER))
            file.seek(0)
            reader = csv.DictReader(file, delimiter=delimiter)
            names = {name: name.strip().casefold() for name in reader.fieldnames or ()}
            rows = [(reader.line_num, {short: (row[name] or "").strip() for name, short in names.items()}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read the manifest {manifest} ({error}); {expected}") from error
    if missing := [name for name in columns if name not in names.values()]:
        raise UserError(f"{manifest} lacks the columns {', '.join(missing)}; {expected}")
    if not rows:
        raise UserError(f"{manifest} has no rows below its header; write one for each recording")
    return rows


def _delimiter(header: str) -> str:
    """Of the names' line alone: what is said in a recording may hold any of them."""
    try:
        return csv.Sniffer().sniff(header, _DELIMITERS).delimiter
    except csv.Error:  # one column, or nothing to tell by
        return ","
