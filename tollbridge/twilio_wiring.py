"""The parts of the second way in, put together from the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker
from starlette.routing import Router

from bridge.calls.switchboard import Switchboard
from bridge.mixer.client import MixerClient
from bridge.numbers import NumberBook
from bridge.twilio.answers import Answers
from bridge.twilio.api import TwilioApi
from bridge.twilio.bills import Bills
from bridge.twilio.lines import TwilioLines
from bridge.twilio.routes import TwilioDoor
from bridge.twilio.signature import Signatures
from bridge.twilio.stats import TwilioStats
from database.types import now_utc
from tollbridge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioParts:
    """`router` is to be mounted at `bridge.twilio.routes.MOUNT`."""

    lines: TwilioLines
    router: Router


def twilio_api(settings: Settings) -> TwilioApi:
    """The REST API of the account in the settings, which must have one."""
    assert settings.twilio_account_sid is not None
    assert settings.twilio_auth_token is not None
    return TwilioApi(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        base_url=settings.twilio_api_url,
    )


@contextlib.asynccontextmanager
async def twilio_parts(
    settings: Settings,
    *,
    switchboard: Switchboard,
    mixer: MixerClient,
    book: NumberBook,
    sessions: sessionmaker[Session],
) -> AsyncIterator[TwilioParts | None]:
    """All of it, started; None without an account."""
    if settings.twilio_account_sid is None or settings.twilio_auth_token is None:
        yield None
        return
    api = twilio_api(settings)
    bills = Bills(sessions, api=api, now=now_utc)
    bills.start()
    signatures = Signatures(
        auth_token=settings.twilio_auth_token.get_secret_value(), public_url=settings.web_address
    )
    lines = TwilioLines(
        switchboard=switchboard,
        mixer=mixer,
        book=book,
        api=api,
        replies=Answers(public_url=settings.web_address, socket_url=signatures.socket_url),
        bills=bills,
        account_sid=settings.twilio_account_sid,
        family="v4" if any("." in ip for ip in settings.media_binds) else "v6",
        now=now_utc,
        stats=TwilioStats(),
    )
    door = TwilioDoor(lines, signatures, max_calls=settings.max_calls)
    try:
        yield TwilioParts(lines=lines, router=door.router)
    finally:
        await bills.stop()
        api.close()
