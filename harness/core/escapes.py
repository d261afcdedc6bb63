"""Text that goes into another program's format, escaped for it: a name is the user's, and may hold anything.

HTML is escaped by jinja2, labels of metrics by prometheus-client; terminals (cli/console.py) and charts
(report/style.py) are told to take text as it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

# What a spreadsheet takes for the beginning of one, by OWASP; some do so with East Asian wide characters as well.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def is_plain(text: str) -> bool:
    """False for control characters and for bytes that are no UTF-8, which XML, JSON and terminals cannot hold."""
    return all(unicodedata.category(character) not in {"Cc", "Cs"} for character in text)


def java_properties(settings: Mapping[str, Any]) -> str:
    """A file of Java properties, which is Latin-1: whatever else there is in a value is written as UTF-16 escapes."""
    return "".join(f"{key}={_java_value(str(value))}\n" for key, value in settings.items())


def _java_value(text: str) -> str:
    units = text.replace("\\", "\\\\").encode("utf-16-be", "surrogatepass")
    escaped = "".join(
        chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}"
        for unit in (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    )
    return f"\\{escaped}" if escaped.startswith(" ") else escaped  # else the reader skips it


def spreadsheet_cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula begins with an apostrophe, as OWASP advises; else as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


class Rows(Protocol):
    """As csv.writer() has it."""

    def writerow(self, row: Iterable[Any], /) -> object: ...


class SpreadsheetRows:
    """Writes no cell that a spreadsheet would take for a formula."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def writerow(self, row: Iterable[Any], /) -> None:
        self._rows.writerow([spreadsheet_cell(cell) for cell in row])


def markdown_cell(text: str) -> str:
    """In a table of Markdown a bar would begin another column, and a line another row."""
    return " ".join(text.replace("|", "\\|").splitlines())
