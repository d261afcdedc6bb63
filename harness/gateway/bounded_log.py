"""A rate-limited log, so that members cannot fill a gateway's disk by causing warnings."""

from __future__ import annotations

import logging
import sys

from harness.core.library_logs import FORMAT
from harness.gateway.token_bucket import TokenBucket

RECORDS_PER_S = 2.0  # in the long run
RECORDS_BURST = 50
RECORD_MAX_CHARS = 8 * 1024  # longer than a usual traceback


class BoundedHandler(logging.StreamHandler):  # type: ignore[type-arg]  # generic only for the type checker
    """Writes to standard error. After it has left out records, the next one says how many."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter(FORMAT))
        self._bucket = TokenBucket(RECORDS_PER_S, RECORDS_BURST)
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        if not self._bucket.take_if_there():
            self._left_out += 1
            return
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if len(text) > RECORD_MAX_CHARS:
            text = f"{text[:RECORD_MAX_CHARS]} ... ({len(text)} characters)"
        if self._left_out:
            text = f"({self._left_out} records left out: more than {RECORDS_PER_S:g} a second)\n{text}"
            self._left_out = 0
        return text


def log_to_stderr() -> None:
    """Send warnings and errors of all libraries to standard error only, from now on."""
    logging.basicConfig(level=logging.WARNING, handlers=[BoundedHandler()], force=True)
