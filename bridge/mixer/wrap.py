"""All 16- and 32-bit wrap-around arithmetic of the media plane.

RTP sequence numbers live on a circle of 2^16, timestamps on one of 2^32 (RFC 3550 §5.1).  The only
meaningful question about two points of a circle is how far one lies ahead of the other, taken as the
shorter way round: a signed difference.  Everything else (extended counters, order, windows) is built on
that difference, so nothing else in the project does modulo arithmetic on its own.
"""

from typing import Any, overload

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@overload
def diff16(a: int, b: int) -> int: ...
@overload
def diff16(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Ints: ...
def diff16(a: Any, b: Any) -> Any:
    """`a - b` on the 16-bit circle, in [-32768, 32767]."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


@overload
def diff32(a: int, b: int) -> int: ...
@overload
def diff32(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Ints: ...
def diff32(a: Any, b: Any) -> Any:
    """`a - b` on the 32-bit circle, in [-2^31, 2^31 - 1]."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000
