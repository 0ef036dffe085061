"""A form as its page shows it: what was typed and what is wrong with it, field by field. Pure.

Names of fields are those of the HTTP API, groups in brackets: `settings[phonegateway_enabled]`. After a
refusal the page is shown again with every value as it was typed, except passwords.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """`values` may be nested like posted fields; `errors` has a sentence by full name; `message` is about
    all.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    message: str | None = None

    def value(self, name: str) -> str:
        """What stands in the field."""
        found: Any = self.values
        for part in name.replace("]", "").split("["):
            found = found.get(part) if isinstance(found, Mapping) else None
        return "" if found is None or isinstance(found, Mapping) else str(found)

    def is_on(self, name: str) -> bool:
        """Whether the switch is on."""
        return self.value(name).lower() in ("1", "true", "on", "yes")

    def error(self, name: str) -> str | None:
        """What is wrong with the field; None when nothing is."""
        return self.errors.get(name)


def text_of(fields: Mapping[str, Any], name: str, *, maximum: int = 1_000) -> str:
    """A posted field as trimmed text; empty when it is missing, a group, or longer than `maximum`."""
    value = fields.get(name)
    return value.strip() if isinstance(value, str) and len(value) <= maximum else ""


def field_id(name: str) -> str:
    """The `id` of the field with this name."""
    return "f-" + name.replace("[", "-").replace("]", "")
