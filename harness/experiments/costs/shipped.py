"""The measured runs that `chatbench advise` uses by default. They are part of every installation.

`python -m tools.reference` writes them when it has measured the reference again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pandas as pd

FOLDER = Path(__file__).with_name("shipped")
FITTED, HELD_OUT, READABLE = "fitted.parquet", "held_out.parquet", "readable.json"


def read_fitted() -> pd.DataFrame:
    """The points that unit costs are fitted to, in the form of read_points."""
    return pd.read_parquet(FOLDER / FITTED)


def read_held_out() -> pd.DataFrame:
    """The points that predictions are validated with."""
    return pd.read_parquet(FOLDER / HELD_OUT)


def read_readable() -> dict[str, bool]:
    """Whether every acked message could be read after a restart, by architecture."""
    return msgspec.json.decode((FOLDER / READABLE).read_bytes(), type=dict[str, bool])


def write(fitted: pd.DataFrame, held_out: pd.DataFrame, readable: Mapping[str, bool]) -> None:
    """Replace the shipped data."""
    FOLDER.mkdir(exist_ok=True)
    fitted.to_parquet(FOLDER / FITTED, index=False)
    held_out.to_parquet(FOLDER / HELD_OUT, index=False)
    (FOLDER / READABLE).write_bytes(msgspec.json.format(msgspec.json.encode(readable)) + b"\n")
