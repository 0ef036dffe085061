"""The form with which people register: its fields, and what somebody filled in, checked. Pure.

First name, last name and mail address always come first, as fields 1, 2 and 3. The organiser arranges custom
fields after them; each has a number from 4 that stays its own when fields are moved, renamed or deleted, so
that answers go on meaning what they meant. The form lives in the event's `registration`, next to `enabled`
and `template`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contacts.fields import one_line, parse_email
from events.errors import BadEventError, FieldProblem

FIELDS_MAX = 30
OPTIONS_MAX = 50
LABEL_CHARS_MAX, OPTION_CHARS_MAX, ANSWER_CHARS_MAX, NAME_CHARS_MAX = 200, 200, 2_000, 100
FIRST_NAME, LAST_NAME, EMAIL = 1, 2, 3
_FIRST_CUSTOM = 4


class FieldKind(StrEnum):
    """How a custom field is filled in."""

    TEXT = "text"
    CHOICE = "choice"
    CHECKBOX = "checkbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A field of the organiser's. `options` belongs to a choice."""

    id: int
    kind: FieldKind
    label: str
    required: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationForm:
    """`approval`: the organiser decides about each. `next_id`: the number of the next custom field."""

    enabled: bool = False
    approval: bool = False
    fields: tuple[CustomField, ...] = ()
    next_id: int = _FIRST_CUSTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A form that was filled in. `answers`: number of a custom field, as text → text, or True for a box."""

    first_name: str
    last_name: str
    email: str
    answers: Mapping[str, str | bool] = field(default_factory=dict)


def form_of(registration: Mapping[str, Any]) -> RegistrationForm:
    """The form kept with an event. What older versions kept is a form without custom fields."""
    return RegistrationForm(
        enabled=bool(registration.get("enabled")),
        approval=bool(registration.get("approval")),
        fields=tuple(
            CustomField(
                id=one["id"],
                kind=FieldKind(one["kind"]),
                label=one["label"],
                required=one["required"],
                options=tuple(one["options"]),
            )
            for one in registration.get("fields", ())
        ),
        next_id=registration.get("next_id", _FIRST_CUSTOM),
    )


def as_json(form: RegistrationForm) -> dict[str, Any]:
    """What is kept with the event."""
    return {
        "enabled": form.enabled,
        "approval": form.approval,
        "fields": [
            {
                "id": one.id,
                "kind": one.kind.value,
                "label": one.label,
                "required": one.required,
                "options": list(one.options),
            }
            for one in form.fields
        ],
        "next_id": form.next_id,
    }


def arrange(
    old: RegistrationForm, rows: Sequence[Mapping[str, Any]], *, enabled: bool, approval: bool
) -> RegistrationForm:
    """The form with these custom fields, in this order. A row has `kind`, `label`, `required`, `options` (one
    a line), and `id` when it is a field that was there. Raises BadEventError, names like `fields[2][label]`.
    """
    problems: list[FieldProblem] = []
    known = {one.id for one in old.fields}
    next_id, fields = old.next_id, []
    if len(rows) > FIELDS_MAX:
        problems.append(FieldProblem(field="fields", message=f"at most {FIELDS_MAX} fields"))
    for at, row in enumerate(rows[:FIELDS_MAX]):
        label = one_line(_text(row, "label"))
        if not 1 <= len(label) <= LABEL_CHARS_MAX:
            message = f"must be 1 to {LABEL_CHARS_MAX} printable characters"
            problems.append(FieldProblem(field=f"fields[{at}][label]", message=message))
        kind = _text(row, "kind")
        if kind not in list(FieldKind):
            message = "must be one of: " + ", ".join(FieldKind)
            problems.append(FieldProblem(field=f"fields[{at}][kind]", message=message))
            continue
        options = list(dict.fromkeys(filter(None, map(one_line, _text(row, "options").splitlines()))))
        if kind == FieldKind.CHOICE and not (
            2 <= len(options) <= OPTIONS_MAX and all(len(one) <= OPTION_CHARS_MAX for one in options)
        ):
            message = f"must be 2 to {OPTIONS_MAX} different lines"
            problems.append(FieldProblem(field=f"fields[{at}][options]", message=message))
        number = _text(row, "id")
        if number.isascii() and number.isdigit() and len(number) < 6 and int(number) in known:
            own = int(number)
            known.discard(own)
        else:
            own, next_id = next_id, next_id + 1
        fields.append(
            CustomField(
                id=own,
                kind=FieldKind(kind),
                label=label,
                required=row.get("required") in (True, "1", "on"),
                options=tuple(options) if kind == FieldKind.CHOICE else (),
            )
        )
    if problems:
        raise BadEventError(problems)
    return RegistrationForm(enabled=enabled, approval=approval, fields=tuple(fields), next_id=next_id)


def check(form: RegistrationForm, given: Mapping[str, Any]) -> Entry:
    """What somebody filled in: number of a field, as text → value. Raises BadEventError, names are
    `registration[4]`.
    """
    problems: list[FieldProblem] = []

    def bad(number: int, message: str) -> None:
        problems.append(FieldProblem(field=f"registration[{number}]", message=message))

    names = {}
    for number in (FIRST_NAME, LAST_NAME):
        name = one_line(_text(given, str(number)))
        if not 1 <= len(name) <= NAME_CHARS_MAX:
            bad(number, f"must be 1 to {NAME_CHARS_MAX} printable characters")
        elif "://" in name or "www." in name.lower():  # a name goes into a mail to any address
            bad(number, "must not be a web address")
        names[number] = name
    email = parse_email(given.get(str(EMAIL)))
    if email is None:
        bad(EMAIL, "must be a mail address")
    answers: dict[str, str | bool] = {}
    for one in form.fields:
        value = given.get(str(one.id))
        if one.kind is FieldKind.CHECKBOX:
            ticked = value is True or (isinstance(value, str | int) and str(value) in ("1", "on", "true"))
            if one.required and not ticked:
                bad(one.id, "is required")
            answers[str(one.id)] = ticked
            continue
        text = _text(given, str(one.id)).replace("\r\n", "\n").strip()
        if one.required and not text:
            bad(one.id, "is required")
        elif len(text) > ANSWER_CHARS_MAX:
            bad(one.id, f"must not be longer than {ANSWER_CHARS_MAX} characters")
        elif any(char != "\n" and not char.isprintable() for char in text):
            bad(one.id, "contains characters that are not text")
        elif one.kind is FieldKind.CHOICE and text and text not in one.options:
            bad(one.id, "must be one of the choices")
        if text:
            answers[str(one.id)] = text
    if problems:
        raise BadEventError(problems)
    assert email is not None
    return Entry(first_name=names[FIRST_NAME], last_name=names[LAST_NAME], email=email, answers=answers)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""
