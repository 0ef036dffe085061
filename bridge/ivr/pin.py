"""A PIN that cannot be read by accident.

BILLING asks for no digit of a PIN in any log, record, event or trace. Digits therefore live only inside
objects whose `repr` and `str` hide them: `PinEntry` while they are typed, `Pin` on their way to the check,
`TypedAhead` for keys that come meanwhile. A dataclass that holds one, a log line and a traceback that
prints locals all show stars. Pickling is refused too: a PIN has no business on a disk or in another
process's crash report.
"""

from collections import deque
from typing import NoReturn

__all__ = ["Pin", "PinEntry", "TypedAhead"]


class Pin:
    """The digits of one try. Only `reveal()` shows them, so that a search for the word finds every reader."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def reveal(self) -> str:
        """The digits, for the comparison and for nothing else."""
        return self._digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pin) and other._digits == self._digits

    def __hash__(self) -> int:
        return hash((Pin, self._digits))

    def __repr__(self) -> str:
        return "Pin(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a PIN is not to be stored")


class PinEntry:
    """The digits typed so far: at most `length_max`, beyond which only the fact is kept.

    Memory is bounded whatever is typed. `length` counts no further than `length_max + 1`.
    """

    __slots__ = ("_digits", "_length_max")

    def __init__(self, *, length_max: int) -> None:
        self._digits: list[str] = []
        self._length_max = length_max

    def __repr__(self) -> str:
        return "PinEntry(***)"

    def __len__(self) -> int:
        return len(self._digits)

    @property
    def too_long(self) -> bool:
        """More digits were typed than any PIN has."""
        return len(self._digits) > self._length_max

    def add(self, digit: str) -> None:
        """Take one more digit."""
        if not self.too_long:
            self._digits.append(digit)

    def clear(self) -> None:
        """Forget what was typed."""
        self._digits.clear()

    def take(self) -> Pin:
        """The entry as a PIN; the entry is empty afterwards."""
        pin = Pin("".join(self._digits))
        self.clear()
        return pin


class TypedAhead:
    """Keys typed while a PIN is being checked, first in, first out, at most `keys_max`.

    A `#` that comes first only confirms what a pause has submitted already, and is not kept.
    """

    __slots__ = ("_keys", "_keys_max")

    def __init__(self, *, keys_max: int) -> None:
        self._keys: deque[str] = deque()
        self._keys_max = keys_max

    def __repr__(self) -> str:
        return "TypedAhead(***)"

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: str) -> bool:
        """Keep a key; False when there is no room for it."""
        if len(self._keys) >= self._keys_max:
            return False
        if self._keys or key != "#":
            self._keys.append(key)
        return True

    def next(self) -> str:
        """The key that came first; it is kept no longer. Raises IndexError when there is none."""
        return self._keys.popleft()

    def clear(self) -> None:
        """Forget them all."""
        self._keys.clear()
