"""Arrow arrays made from buffers: given a list or a NumPy array, pyarrow imports pandas, a third of a second of CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def numbers(values: npt.NDArray[np.integer], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """An array of these integers, with null where one is missing."""
    known = None if missing is None or not missing.any() else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [known, data])


def numbers_or_none(values: Sequence[int | None], dtype: type[np.integer]) -> pa.Array:
    missing = np.array([value is None for value in values], dtype=bool)
    return numbers(np.array([value or 0 for value in values], dtype=dtype), missing)


def texts(values: Sequence[str]) -> pa.Array:
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def chosen(places: npt.NDArray[np.int64], values: Sequence[str]) -> pa.DictionaryArray:
    """An array of texts that repeat: each is one of `values`, by its place there."""
    return pa.DictionaryArray.from_arrays(numbers(places.astype(np.int32)), texts(values))
