"""The form fields of a web hook: names may repeat, values are text as it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

FIELDS_MAX = 200


class Fields:
    """Iterates names; `getlist` is what the signature needs, `get` what everybody else does."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    @classmethod
    def parse(cls, body: bytes) -> Fields:
        """Fields of an urlencoded body. Raises ValueError when it is not text or has too many."""
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
        return cls(pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getlist(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def get(self, name: str) -> str:
        """The value of a field, "" without one; of several the last."""
        return self._values.get(name, [""])[-1]
