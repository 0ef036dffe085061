"""Form fields with brackets, as PHP made them common, into nested values. Pure.

`settings[phonegateway_enabled]=1` is {"settings": {"phonegateway_enabled": "1"}}; `tags[]=a&tags[]=b` is
{"tags": {"0": "a", "1": "b"}}. Of a name given twice the last value counts. A name whose brackets do not
match is an ordinary name. A name that is used both as a value and as a group is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

DEPTH_MAX = 4
FIELDS_MAX = 500
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_KEY = re.compile(r"\[([^\[\]]*)\]")


class BadFormError(ValueError):
    """The fields contradict each other, or there are too many."""


def nest(fields: Iterable[tuple[str, str]], fields_max: int = FIELDS_MAX) -> dict[str, Any]:
    """Nested values of the (name, value) pairs. Raises BadFormError."""
    root: dict[str, Any] = {}
    for number, (name, value) in enumerate(fields):
        if number >= fields_max:
            raise BadFormError(f"more than {fields_max} fields")
        *path, last = _path(name)
        group = root
        for key in path:
            group = group.setdefault(_key(group, key), {})
            if not isinstance(group, dict):
                raise BadFormError(f"{key[:40]!r} is both a value and a group")
        key = _key(group, last)
        if isinstance(group.get(key), dict):
            raise BadFormError(f"{key[:40]!r} is both a value and a group")
        group[key] = value
    return root


def _path(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        return [name]
    path = [match[1], *_KEY.findall(match[2])]
    if len(path) > DEPTH_MAX:
        raise BadFormError(f"more than {DEPTH_MAX} levels of brackets")
    return path


def _key(group: dict[str, Any], key: str) -> str:
    return key if key != "" else str(len(group))
