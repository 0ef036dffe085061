"""A small SIP phone on a raw socket, for tests and benches; signalling only.

    with SipPhone(("127.0.0.1", 5060)) as phone:
        call = phone.dial("+33975129519", sdp=audio_sdp(port=40000))
        answer = call.final()                 # 200, acknowledged by itself
        call.info("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")
        call.bye()

One socket and one reader thread carry any number of calls. Requests inside a call are answered 200 by
themselves (`respond` changes that). A phone over UDP repeats nothing: tests run on loopback.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType

from tests.phones import sip_message
from tests.phones.sip_message import Message, authorization, tag_of

_WAIT_S = 5.0


class PhoneError(AssertionError):
    """What a test waited for did not come."""


class PhoneCall:
    """One call of a phone, made by `SipPhone.dial`."""

    def __init__(self, phone: SipPhone, uri: str, *, sender: str, to: str, headers: dict[str, str]) -> None:
        self.phone = phone
        self.uri = uri
        self.call_id = f"{secrets.token_hex(10)}@{phone.host.strip('[]')}"
        self.sender = f"{sender};tag={secrets.token_hex(5)}"
        self.to = to
        self.headers = headers
        self.cseq = 0
        self.target = uri
        self.sent_at_s = 0.0
        self.auto_ack = True
        self.late_answer: str | None = None
        self.credentials: tuple[str, str] | None = None
        self.algorithm = "SHA-256"
        self.on_final: Callable[[PhoneCall, Message], None] | None = None
        self.on_request: Callable[[PhoneCall, Message], None] | None = None
        self.respond: Callable[[Message], int] = lambda _request: 200
        self.responses: list[Message] = []
        self.requests: list[Message] = []
        self.answered_at_s = 0.0
        self.ended = threading.Event()
        self._changed = threading.Condition()
        self._invite: Message | None = None
        self._sdp = ""

    # -- sending --

    def invite(self, sdp: str | None) -> Message:
        """The first INVITE, or a re-INVITE; without `sdp` the offer is left to the other side."""
        self._sdp = sdp or ""
        request = self._request("INVITE", dict(self.headers), "application/sdp" if sdp else "", sdp or "")
        self._invite = request
        self.sent_at_s = time.monotonic()
        self.phone.send(request)
        return request

    def ack(self, sdp: str = "") -> None:
        """ACK for a 2xx; other answers are acknowledged by themselves."""
        assert self._invite is not None
        request = self._request("ACK", {}, "application/sdp" if sdp else "", sdp, cseq=self._invite.cseq[0])
        self.phone.send(request)

    def request(
        self, method: str, *, headers: dict[str, str] | None = None, kind: str = "", body: str = ""
    ) -> int:
        """Any request inside the call; its CSeq, for `wait`."""
        message = self._request(method, headers or {}, kind, body)
        self.phone.send(message)
        return message.cseq[0]

    def bye(self, headers: dict[str, str] | None = None) -> Message:
        """Hang up and wait for the answer."""
        return self.wait(self.request("BYE", headers=headers))

    def cancel(self, headers: dict[str, str] | None = None) -> None:
        """Give up a call that is not answered (RFC 3261 section 9.1: same branch, same CSeq number)."""
        assert self._invite is not None
        request = Message(f"CANCEL {self.uri} SIP/2.0")
        request.headers = [
            (name, value)
            for name, value in self._invite.headers
            if name in ("Via", "From", "To", "Call-ID", "Max-Forwards")
        ]
        request.headers.append(("CSeq", f"{self._invite.cseq[0]} CANCEL"))
        request.headers += list((headers or {}).items())
        self.phone.send(request)

    def reinvite(self, sdp: str | None) -> Message:
        """Change the session; the final answer."""
        number = self.invite(sdp).cseq[0]
        return self.wait(number)

    def update(self, sdp: str = "") -> Message:
        """UPDATE (RFC 3311); the final answer."""
        return self.wait(self.request("UPDATE", kind="application/sdp" if sdp else "", body=sdp))

    def info(self, kind: str, body: str) -> Message:
        """INFO; the final answer."""
        return self.wait(self.request("INFO", kind=kind, body=body))

    # -- waiting --

    def wait(self, cseq: int, *, least: int = 200, timeout_s: float = _WAIT_S) -> Message:
        """The response to a request with this CSeq whose status is at least `least`."""
        return self._wait_for(
            lambda: next(
                (
                    r
                    for r in self.responses
                    if r.cseq[0] == cseq and r.cseq[1] != "CANCEL" and r.status >= least
                ),
                None,
            ),
            f"an answer to request {cseq}",
            timeout_s,
        )

    def final(self, *, timeout_s: float = _WAIT_S) -> Message:
        """The final answer to the latest INVITE."""
        assert self._invite is not None
        return self.wait(self._invite.cseq[0], timeout_s=timeout_s)

    def ringing(self, *, timeout_s: float = _WAIT_S) -> Message:
        """The 180."""
        return self._wait_for(
            lambda: next((r for r in self.responses if r.status == 180), None), "180", timeout_s
        )

    def wait_request(self, method: str, *, timeout_s: float = _WAIT_S) -> Message:
        """A request that the other side sent inside the call."""
        return self._wait_for(
            lambda: next((r for r in self.requests if r.method == method), None), method, timeout_s
        )

    def _wait_for(self, find: Callable[[], Message | None], what: str, timeout_s: float) -> Message:
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while (found := find()) is None:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise PhoneError(f"no {what} in {timeout_s} s; got {[r.start for r in self.responses]}")
                self._changed.wait(left_s)
            return found

    # -- receiving, on the phone's thread --

    def _received(self, message: Message) -> None:
        if message.status:
            self._response(message)
        elif message.method != "ACK":
            status = self.respond(message)
            if status:
                self.phone.reply(message, status)
            if message.method == "BYE":
                self.ended.set()
        with self._changed:
            (self.responses if message.status else self.requests).append(message)
            self._changed.notify_all()
        if message.status >= 200 and message.cseq[1] == "INVITE" and self.on_final is not None:
            self.on_final(self, message)
        if message.method and self.on_request is not None:
            self.on_request(self, message)

    def _response(self, message: Message) -> None:
        number, method = message.cseq
        if method != "INVITE" or message.status < 101 or self._invite is None:
            return
        if tag_of(message.get("To")) and message.status < 300:
            self.to = message.get("To")
            contact = message.get("Contact")
            if "<" in contact:
                self.target = contact.partition("<")[2].partition(">")[0]
        if message.status < 200:
            return
        if message.status < 300:
            self.answered_at_s = self.answered_at_s or time.monotonic()
            if self.auto_ack:
                self.ack(self.late_answer or "")
            return
        self._ack_refusal(message, number)
        if message.status == 401 and self.credentials is not None:
            credentials, self.credentials = self.credentials, None
            challenge = next(c for c in message.all("WWW-Authenticate") if f"algorithm={self.algorithm}" in c)
            user, password = credentials
            self.headers["Authorization"] = authorization(
                challenge, user=user, password=password, method="INVITE", uri=self.uri
            )
            self.invite(self._sdp or None)

    def _ack_refusal(self, message: Message, number: int) -> None:
        assert self._invite is not None
        request = Message(f"ACK {self.uri} SIP/2.0")
        request.headers = [
            ("Via", self._invite.get("Via")),
            ("From", self.sender),
            ("To", message.get("To")),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} ACK"),
            ("Max-Forwards", "70"),
        ]
        self.phone.send(request)

    def _request(
        self, method: str, headers: dict[str, str], kind: str, body: str, *, cseq: int | None = None
    ) -> Message:
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        target = self.target if tag_of(self.to) else self.uri
        message = Message(f"{method} {target} SIP/2.0", body=body)
        message.headers = [
            ("Via", self.phone.via()),
            ("Max-Forwards", "70"),
            ("From", self.sender),
            ("To", self.to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<{self.phone.contact}>"),
            *headers.items(),
        ]
        if kind:
            message.headers.append(("Content-Type", kind))
        return message


class SipPhone:
    """A phone: one socket to one server.

    Args:
        server: host and port of the bridge.
        transport: udp, tcp or tls.
        host: our own address; IPv6 without brackets.
        user: our number, shown as the caller.
    """

    def __init__(
        self,
        server: tuple[str, int],
        *,
        transport: str = "udp",
        host: str | None = None,
        user: str = "+12025550123",
        display_name: str = "",
    ) -> None:
        self.server = server
        self.transport = transport
        self.user = user
        self.display_name = display_name
        address = host or ("::1" if ":" in server[0] else "127.0.0.1")
        self.host = f"[{address}]" if ":" in address else address
        self._address = address
        self.port = 0
        self.calls: dict[str, PhoneCall] = {}
        self.stray: list[Message] = []
        self._branch = itertools.count(1)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._sending = threading.Lock()

    def __enter__(self) -> SipPhone:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        plain = socket.socket(family, kind)
        plain.bind((self._address, 0))
        if self.transport == "udp":
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        plain.connect(self.server)
        if self.transport == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            plain = context.wrap_socket(plain)
        self._socket = plain
        self.port = plain.getsockname()[1]
        self._thread = threading.Thread(target=self._read, name="phone", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        assert self._socket is not None
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread is not None:
            self._thread.join(2.0)

    @property
    def contact(self) -> str:
        """Our Contact URI."""
        parameter = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{self.user}@{self.host}:{self.port}{parameter}"

    def via(self) -> str:
        """A Via with a fresh branch."""
        branch = f"z9hG4bK{secrets.token_hex(4)}{next(self._branch)}"
        return f"SIP/2.0/{self.transport.upper()} {self.host}:{self.port};branch={branch};rport"

    def dial(
        self,
        number: str,
        *,
        sdp: str | None,
        headers: dict[str, str] | None = None,
        uri: str | None = None,
        to: str | None = None,
        sender: str | None = None,
        auto_ack: bool = True,
        late_answer: str | None = None,
        credentials: tuple[str, str] | None = None,
        algorithm: str = "SHA-256",
        on_final: Callable[[PhoneCall, Message], None] | None = None,
    ) -> PhoneCall:
        """Call a number. `late_answer` goes into the ACK when `sdp` is None."""
        host = f"[{self.server[0]}]" if ":" in self.server[0] else self.server[0]
        target = uri or f"sip:{number}@{host}:{self.server[1]}"
        name = f'"{self.display_name}" ' if self.display_name else ""
        call = PhoneCall(
            self,
            target,
            sender=sender or f"{name}<sip:{self.user}@{self.host}>",
            to=to or f"<sip:{number}@{host}>",
            headers=dict(headers or {}),
        )
        call.auto_ack = auto_ack
        call.late_answer = late_answer
        call.credentials = credentials
        call.algorithm = algorithm
        call.on_final = on_final
        self.calls[call.call_id] = call
        call.invite(sdp)
        return call

    def options(self) -> PhoneCall:
        """OPTIONS outside any call; `wait(1)` gives the answer."""
        host = f"[{self.server[0]}]" if ":" in self.server[0] else self.server[0]
        uri = f"sip:{host}:{self.server[1]}"
        call = PhoneCall(self, uri, sender=f"<sip:{self.user}@{self.host}>", to=f"<{uri}>", headers={})
        self.calls[call.call_id] = call
        call.request("OPTIONS")
        return call

    def send(self, message: Message) -> None:
        """Put a message on the wire."""
        self.send_raw(message.encode())

    def send_raw(self, data: bytes) -> None:
        """Put bytes on the wire."""
        assert self._socket is not None
        with self._sending:
            self._socket.sendall(data)

    def reply(self, request: Message, status: int) -> None:
        """Answer a request."""
        message = Message(f"SIP/2.0 {status} Test")
        message.headers = [
            (n, v) for n, v in request.headers if n in ("Via", "From", "To", "Call-ID", "CSeq")
        ]
        if status < 300 and request.method in ("INVITE", "UPDATE"):
            message.headers.append(("Contact", f"<{self.contact}>"))
        self.send(message)

    def _read(self) -> None:
        assert self._socket is not None
        buffer = b""
        while not self._closing:
            try:
                data = self._socket.recv(65536)
            except OSError:
                return
            if self.transport == "udp":
                self._dispatch(data)
                continue
            if not data:
                return
            buffer += data
            while (end := buffer.find(b"\r\n\r\n")) >= 0:
                head = buffer[:end].lower()
                length = 0
                for line in head.split(b"\r\n"):
                    if line.startswith((b"content-length:", b"l:")):
                        length = int(line.partition(b":")[2])
                if len(buffer) < end + 4 + length:
                    break
                self._dispatch(buffer[: end + 4 + length])
                buffer = buffer[end + 4 + length :]

    def _dispatch(self, data: bytes) -> None:
        if not data.strip():
            return
        message = sip_message.parse(data)
        call = self.calls.get(message.get("Call-ID"))
        if call is None:
            self.stray.append(message)
            return
        try:
            call._received(message)
        except OSError:
            if not self._closing:  # a late answer may meet a socket that is being closed
                raise
