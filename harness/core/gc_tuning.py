"""When Python's cyclic garbage collector may run, in processes whose pauses would be measured."""

from __future__ import annotations

import gc

# What a message leaves behind is freed without it. A full collection walks all that a process holds, 0.3 s for the
# history of 40,000 messages, and by default there is one each time a quarter has been added.
COLLECT_AFTER = 50_000
FULL_COLLECTION_AFTER = (50, 1_000)  # how many of the ones before


def collect_seldom() -> None:
    """Collect now, leave what is alive now alone from now on, and look at the rest rarely."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *FULL_COLLECTION_AFTER)
