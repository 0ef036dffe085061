"""Which numbers of a Twilio account should call us, and what has to change for it. No I/O.

The list of dial-in numbers says which numbers are ours; the account says which are rented there.  A number in
both is to have our web hooks.  A number that the account sends to a SIP trunk or to an application is left
alone: somebody meant that, and a web hook would have no effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.numbers import DialInNumber
from bridge.twilio.answers import STATUS_PATH, VOICE_PATH
from bridge.twilio.api import RentedNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A number whose web hooks must be set. before, after: (voice, status) addresses."""

    rented: RentedNumber
    number: DialInNumber
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    changes: tuple[Change, ...]
    right: tuple[DialInNumber, ...]
    """Numbers whose web hooks are as they should be."""
    elsewhere: tuple[tuple[DialInNumber, str], ...]
    """Numbers whose calls go to a trunk or an application, and its SID."""
    only_here: tuple[DialInNumber, ...]
    """In the list, not in the account: rented somewhere else, or not at all."""
    only_there: tuple[str, ...]
    """In the account, not in the list: paid for, and nobody is told of it."""

    def lines(self) -> Iterator[str]:
        """For people."""
        for change in self.changes:
            yield f"change  {change.number.number}  {change.number.city_en}"
            for name, before, after in zip(("voice", "status"), change.before, change.after, strict=True):
                if before != after:
                    yield f"          {name:<6} {before or '(none)'} -> {after}"
        for number in self.right:
            yield f"right   {number.number}  {number.city_en}"
        for number, sid in self.elsewhere:
            yield f"skipped {number.number}  {number.city_en}: its calls go to {sid}"
        for number in self.only_here:
            yield f"missing {number.number}  {number.city_en}: in the list, not at Twilio"
        for text in self.only_there:
            yield f"unused  {text}: at Twilio, not in the list"


def plan(rented: Sequence[RentedNumber], listed: Sequence[DialInNumber], *, public_url: str) -> Plan:
    """What has to change so that the account's numbers call `public_url` (without a final slash)."""
    after = (public_url + VOICE_PATH, public_url + STATUS_PATH)
    by_number = {number.number.value: number for number in listed}
    changes: list[Change] = []
    right: list[DialInNumber] = []
    elsewhere: list[tuple[DialInNumber, str]] = []
    for each in sorted(rented, key=lambda each: each.number):
        number = by_number.get(each.number)
        if number is None:
            continue
        before = (each.voice_url, each.status_callback)
        if each.elsewhere:
            elsewhere.append((number, each.elsewhere))
        elif before == after and each.voice_method == each.status_callback_method == "POST":
            right.append(number)
        else:
            changes.append(Change(rented=each, number=number, before=before, after=after))
    there = {each.number for each in rented}
    return Plan(
        changes=tuple(changes),
        right=tuple(right),
        elsewhere=tuple(elsewhere),
        only_here=tuple(number for number in listed if number.number.value not in there),
        only_there=tuple(sorted(there - set(by_number))),
    )
