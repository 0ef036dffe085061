"""Twilio's REST API, as much of it as we use.

`twilio.rest.Client` waits for its answers, so everything here is called in a thread of a small pool; a call
that has to wait for all of them is late by seconds, not lost.  Errors of the library and of the network
become ApiError.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from bridge.twilio.errors import ApiError

OFFICIAL = "https://api.twilio.com"
TIMEOUT_S = 8.0
THREADS = 8
LIVE = frozenset(("queued", "initiated", "ringing", "in-progress"))

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """A call as Twilio's books have it. price_u: what Twilio charges, in millionths; None: not known yet."""

    status: str
    duration_s: int | None
    price_u: int | None
    currency: str | None

    @property
    def alive(self) -> bool:
        return self.status in LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class RentedNumber:
    """A telephone number of the account, and where its calls go."""

    sid: str
    number: str
    voice_url: str
    voice_method: str
    status_callback: str
    status_callback_method: str
    elsewhere: str
    """SID of the trunk or application that takes its calls instead of a web hook; "" for none."""


class _Rerouted(TwilioHttpClient):  # type: ignore[misc]
    """Sends what is meant for api.twilio.com to another base address."""

    def __init__(self, base: str, *, timeout: float) -> None:
        super().__init__(timeout=timeout, logger=logging.Logger("twilio", logging.WARNING))
        self._base = base

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        if url.startswith(OFFICIAL):
            url = self._base + url.removeprefix(OFFICIAL)
        return super().request(method, url, *args, **options)


class TwilioApi:
    def __init__(self, *, account_sid: str, auth_token: str, base_url: str = OFFICIAL) -> None:
        """base_url: where the API is; another one for a proxy or a test. Connects to nothing yet."""
        http = _Rerouted(base_url.rstrip("/"), timeout=TIMEOUT_S)
        self._client = Client(account_sid, auth_token, http_client=http)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="twilio")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hang_up(self, call_sid: str) -> None:
        """End a call, answered or not. One that is over already is fine. Raises ApiError."""

        def complete() -> None:
            try:
                self._client.calls(call_sid).update(status="completed")
            except TwilioRestException as exc:
                if exc.status not in (400, 404):  # "not in-progress": it ended meanwhile
                    raise

        await self._in_thread(complete)

    async def call(self, call_sid: str) -> CallState:
        """What Twilio knows of a call. Raises ApiError; `status` 404 when it knows none."""
        found = await self._in_thread(lambda: self._client.calls(call_sid).fetch())
        return CallState(
            status=str(found.status or ""),
            duration_s=_whole(found.duration),
            price_u=price_in_millionths(found.price),
            currency=found.price_unit or None,
        )

    def numbers(self) -> list[RentedNumber]:
        """All numbers of the account. Waits. Raises ApiError."""
        found = _translated(lambda: self._client.incoming_phone_numbers.list(page_size=200))
        return [
            RentedNumber(
                sid=str(each.sid),
                number=str(each.phone_number),
                voice_url=each.voice_url or "",
                voice_method=each.voice_method or "",
                status_callback=each.status_callback or "",
                status_callback_method=each.status_callback_method or "",
                elsewhere=each.trunk_sid or each.voice_application_sid or "",
            )
            for each in found
        ]

    def set_hooks(self, number_sid: str, *, voice_url: str, status_url: str) -> None:
        """Let a number's calls and their ends be told to these addresses. Waits. Raises ApiError."""
        _translated(
            lambda: self._client.incoming_phone_numbers(number_sid).update(
                voice_url=voice_url,
                voice_method="POST",
                status_callback=status_url,
                status_callback_method="POST",
            )
        )

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: _translated(work))


def _translated(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except TwilioRestException as exc:
        raise ApiError(f"Twilio answered {exc.status}: {exc.msg}", status=exc.status) from exc
    except TwilioException as exc:  # a list that cannot be read has the response among its arguments
        status = next((each.status_code for each in exc.args if hasattr(each, "status_code")), None)
        raise ApiError(f"Twilio answered {status}", status=status) from exc
    except (requests.RequestException, ValueError) as exc:
        raise ApiError(f"Twilio cannot be reached: {type(exc).__name__}", status=None) from exc


def price_in_millionths(text: str | None) -> int | None:
    """Twilio's price, such as "-0.00850" for what it takes from the account: 8500. None without one."""
    if text is None or text == "":
        return None
    try:
        price = Decimal(text)
    except InvalidOperation:
        return None
    return int((-price * 1_000_000).to_integral_value()) if price.is_finite() else None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None
