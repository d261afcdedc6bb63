"""Escaping of text for other programs' formats: names come from the user and may contain anything.

jinja2 escapes HTML, and prometheus-client escapes labels of metrics. Terminals (cli/console.py) and charts
(report/style.py) are set to show text as it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

# The characters that begin a formula in a spreadsheet, according to OWASP; in some spreadsheets full-width ones do too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def is_plain(text: str) -> bool:
    """False for control characters and for bytes that are not UTF-8, which XML, JSON and terminals cannot hold."""
    return all(unicodedata.category(character) not in {"Cc", "Cs"} for character in text)


def java_properties(settings: Mapping[str, Any]) -> str:
    """Return a Java properties file. Such files are Latin-1, so other characters are written as UTF-16 escapes."""
    return "".join(f"{key}={_java_value(str(value))}\n" for key, value in settings.items())


def _java_value(text: str) -> str:
    code_units = text.replace("\\", "\\\\").encode("utf-16-be", "surrogatepass")
    escaped = "".join(
        chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}"
        for unit in (int.from_bytes(code_units[at : at + 2]) for at in range(0, len(code_units), 2))
    )
    return f"\\{escaped}" if escaped.startswith(" ") else escaped  # Java skips unescaped leading spaces


def spreadsheet_cell(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would take for a formula, as OWASP advises."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


class Rows(Protocol):
    """The part of csv.writer() that is needed here."""

    def writerow(self, row: Iterable[Any], /) -> object: ...


class SpreadsheetRows:
    """Writes rows in which no cell is taken for a formula by a spreadsheet."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def writerow(self, row: Iterable[Any], /) -> None:
        self._rows.writerow([spreadsheet_cell(cell) for cell in row])


def markdown_cell(text: str) -> str:
    """Escape text for a Markdown table, in which a bar would begin a new column and a line break a new row."""
    return " ".join(text.replace("|", "\\|").splitlines())
