"""Call records as statistics see them: `reports.visits.VisitSource` over the table `cdr`.

Only legs that were in a room count (`join_at`), and only for as long as they were in it: welcome and PIN
are on the telephone bill, not in the attendance. A caller is where their number is from; without one they
are where the number that they dialled is, because people dial the nearest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import phonenumbers
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.cdr.billable import session_number
from bridge.cdr.masking import masked
from bridge.cdr.models import Cdr, CdrOpen
from bridge.cdr.record import Channel
from reports.visits import Visit, Way

_IN_MAX = 500
_COLUMNS = (
    Cdr.session_id, Cdr.participant_id, Cdr.channel, Cdr.caller_e164, Cdr.called_e164, Cdr.join_at,
    Cdr.leave_at, Cdr.end_at,
)


class CdrVisits:
    """A `VisitSource`. Holds no state."""

    def of_sessions(self, session: Session, session_ids: Collection[int]) -> Sequence[Visit]:
        """All visits of these sessions that are over, ordered by session and time of joining."""
        ids = sorted({str(number) for number in session_ids})
        found: list[Visit] = []
        for begin in range(0, len(ids), _IN_MAX):
            wanted = select(*_COLUMNS).where(
                Cdr.session_id.in_(ids[begin : begin + _IN_MAX]),
                Cdr.join_at.is_not(None),
                Cdr.participant_id.is_not(None),
            )
            found += [_visit(row) for row in session.execute(wanted)]
        return sorted(found, key=lambda visit: (visit.session_id, visit.join_at, visit.participant_id))

    def settled(self, session: Session, session_id: int) -> bool:
        """Whether no leg of the session is still up."""
        about = f'%"{session_id}"%'  # narrows the rows; what is asked is read from the facts themselves
        for facts in session.scalars(select(CdrOpen.facts).where(CdrOpen.facts.like(about))):
            if msgspec.json.decode(facts).get("session_id") == str(session_id):
                return False
        return True


def _visit(row: Any) -> Visit:
    number = session_number(row.session_id)
    assert number is not None, "asked for by number"
    telephone = row.channel != Channel.WEBRTC
    country = country_of_number(row.caller_e164) or country_of_number(row.called_e164)
    left = row.leave_at or row.end_at
    return Visit(
        session_id=number,
        participant_id=row.participant_id,
        way=Way.PHONE if telephone else Way.BROWSER,
        join_at=row.join_at,
        leave_at=max(left, row.join_at),
        country=country if telephone else None,
        number=masked(row.caller_e164),
    )


@lru_cache(maxsize=4096)
def country_of_number(number: str | None) -> str | None:
    """ISO 3166 of an E.164 number by its prefix; None without one, and for numbers of no country (+800,
    +882).
    """
    if number is None:
        return None
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:  # not in the numbering plan, as extensions behind a PBX are: the prefix still tells
        region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return region if region is not None and len(region) == 2 and region.isalpha() and region != "ZZ" else None
