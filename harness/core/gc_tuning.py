"""Settings of Python's cyclic garbage collector for processes whose pauses would affect the measurement."""

from __future__ import annotations

import gc

# Reference counting already frees what a message leaves behind. A full collection visits every object of the process,
# which takes 0.3 s for the history of 40,000 messages; by default it runs whenever their number has grown by a quarter.
COLLECT_AFTER = 50_000
FULL_COLLECTION_AFTER = (50, 1_000)  # each in collections of the younger generation


def collect_seldom() -> None:
    """Collect now, exclude the objects that survive from later collections, and collect rarely from now on."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *FULL_COLLECTION_AFTER)
