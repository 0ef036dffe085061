"""Twilio, played from the outside: its REST API on a local port, and calls that run our TwiML.

Written after Twilio's public documentation, not after our own code: signatures are computed here with hmac,
TwiML is read as XML, messages are built by hand.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

PUBLIC = "https://bridge.example.org"
"""Where Twilio thinks we are; a proxy there would pass everything on to the product."""


def signature(token: str, url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """X-Twilio-Signature: HMAC-SHA1 over the address and the sorted fields, in base64."""
    text = url + "".join(name + value for name, value in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class TwilioCloud:
    """An account at Twilio.

    with TwilioCloud() as cloud, Product(folder, **cloud.settings()) as product: …
    """

    def __init__(self) -> None:
        self.account_sid = "AC" + secrets.token_hex(16)
        self.auth_token = secrets.token_hex(16)
        self.completed: list[str] = []
        """Calls that were ended over REST, in order."""
        self.hang_ups: dict[str, Any] = {}
        """What to call when a call is ended over REST, by CallSid."""
        self.prices: dict[str, str | None] = {}
        self.status: dict[str, str] = {}
        self.numbers: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.failing = False
        """Answer 500 to everything."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def settings(self) -> dict[str, str]:
        """Settings for a product that rents numbers here."""
        return {
            "twilio_account_sid": self.account_sid,
            "twilio_auth_token": self.auth_token,
            "twilio_api_url": self.url,
            "public_url": PUBLIC,
        }

    def __enter__(self) -> TwilioCloud:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rent(self, number: str, **more: Any) -> dict[str, Any]:
        """Have a number in the account."""
        row = {
            "sid": "PN" + secrets.token_hex(16),
            "account_sid": self.account_sid,
            "phone_number": number,
            "voice_url": "",
            "voice_method": "POST",
            "status_callback": "",
            "status_callback_method": "POST",
            "trunk_sid": None,
            "voice_application_sid": None,
            **more,
        }
        self.numbers.append(row)
        return row

    # Web hooks.

    def hook(
        self, product_url: str, path: str, fields: dict[str, str], *, signed: str | None = None
    ) -> httpx.Response:
        """Send a web hook to the product. signed: another signature than the right one; "" for none."""
        good = signature(self.auth_token, PUBLIC + path, fields.items())
        used = good if signed is None else signed
        headers = {"X-Twilio-Signature": used} if used else {}
        return httpx.post(product_url + path, data=fields, headers=headers, timeout=10.0)

    # The REST API.

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                return

            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self._answer({name: values[-1] for name, values in parse_qs(body).items()})

            def _answer(self, fields: dict[str, str]) -> None:
                login = base64.b64encode(f"{cloud.account_sid}:{cloud.auth_token}".encode()).decode()
                if self.headers.get("Authorization") != f"Basic {login}":
                    status, body = 401, {"code": 20003, "message": "Authenticate", "status": 401}
                elif cloud.failing:
                    status, body = 500, {"code": 20500, "message": "broken", "status": 500}
                else:
                    status, body = cloud.rest(self.command, urlsplit(self.path).path, fields)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        return Handler

    def rest(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """One request to the API."""
        self.requests.append((method, path))
        what, _, sid = path.removeprefix(f"/2010-04-01/Accounts/{self.account_sid}/").partition("/")
        sid = sid.removesuffix(".json")
        if what == "Calls" and sid:
            return self._call(method, sid, fields)
        if what == "IncomingPhoneNumbers.json":
            page = {
                "incoming_phone_numbers": self.numbers,
                "next_page_uri": None,
                "page": 0,
                "page_size": 200,
            }
            return 200, page
        if what == "IncomingPhoneNumbers":
            row = next((row for row in self.numbers if row["sid"] == sid), None)
            if row is not None:
                names = {"VoiceUrl": "voice_url", "VoiceMethod": "voice_method",
                         "StatusCallback": "status_callback",
                         "StatusCallbackMethod": "status_callback_method"}  # fmt: skip
                row.update({names[name]: value for name, value in fields.items()})
                return 200, row
        return 404, {"code": 20404, "message": "not found", "status": 404}

    def _call(self, method: str, sid: str, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if sid not in self.status:
            return 404, {"code": 20404, "message": "not found", "status": 404}
        if method == "POST" and fields.get("Status") == "completed":
            if self.status[sid] == "completed":
                return 400, {"code": 21220, "message": "Call is not in-progress", "status": 400}
            self.completed.append(sid)
            self.status[sid] = "completed"
            threading.Thread(target=self.hang_ups.get(sid, lambda: None), daemon=True).start()
        price = self.prices.get(sid)
        return 200, {
            "sid": sid,
            "account_sid": self.account_sid,
            "status": self.status[sid],
            "duration": "7" if self.status[sid] == "completed" else None,
            "price": price,
            "price_unit": "USD",
        }


def form(fields: dict[str, str]) -> str:
    """Fields as a body, for tests that write their own request."""
    return urlencode(fields)


def wait_until(condition: Any, what: str, *, within_s: float = 10.0) -> Any:
    """The first true value of a condition."""
    until = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < until, f"{what} did not come"
        time.sleep(0.02)
    return value
