"""A caller at Twilio's end of the wire: the web hook, our TwiML, the media socket, and a telephone's ear.

`TwilioCall` is what Twilio does with one call.  Sound that we send is played from a buffer, 20 ms a tick, as
Twilio does: marks come back when they are reached, `clear` empties it.  `TwilioPhone` is the person's
telephone, with the same interface as `RtpPhone`, so that the studio plays it along with all others.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import threading
import time
import xml.etree.ElementTree as ET
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.phones.rtp_phone import Heard, RtpPhone
from tests.phones.twilio_cloud import PUBLIC, TwilioCloud, signature
from tests.support.sound import Says

FRAME = 160
_SILENCE = b"\xff" * FRAME
_PAUSE_TICKS = 5
_DRY_TICKS = 15


class TwilioCall:
    """One call, from the web hook to the status callback."""

    def __init__(
        self, cloud: TwilioCloud, product_url: str, number: str, *, caller: str, call_sid: str = ""
    ) -> None:
        self.cloud, self.product_url = cloud, product_url
        self.call_sid = call_sid or "CA" + secrets.token_hex(16)
        self.number, self.caller = number, caller
        self.status = "ringing"
        self.answered_at_s = 0.0
        self.ended = threading.Event()
        self.rejected: str | None = None
        """Reason of a <Reject>."""
        self.answers: list[tuple[int, str]] = []
        """Every answer to a web hook: status and TwiML."""
        self.tokens: list[str] = []
        self.received: list[dict[str, Any]] = []
        """Messages we were sent, media left out."""
        self.media_messages = 0
        self.refused_sockets: list[int] = []
        self.close_codes: list[int] = []
        self.calls_back = True
        """Whether the number has a status callback."""
        self.patient = False
        """Web hooks are sent again until somebody answers, as Twilio does when told to."""
        self.frozen = False
        """Nothing is played or answered, as when the network stalls."""
        self.queued_max = 0
        self._socket: ClientConnection | None = None
        self._buffer: deque[bytes | str] = deque()
        self._part = b""
        self._lock = threading.Lock()
        self._stream_sid = ""
        self._sequence = self._chunk = 0
        self._started_s = 0.0
        self._hung_up = False
        self._thread = threading.Thread(target=self._live, name="twilio call", daemon=True)
        cloud.status[self.call_sid] = "in-progress"
        cloud.hang_ups[self.call_sid] = self._end_by_rest

    # Web hooks.

    def fields(self, **more: str) -> dict[str, str]:
        """What a web hook about this call says."""
        return {
            "AccountSid": self.cloud.account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": self.call_sid,
            "CallStatus": self.status,
            "Called": self.number,
            "Caller": self.caller,
            "Direction": "inbound",
            "From": self.caller,
            "To": self.number,
            **more,
        }

    def hook(self, path: str, **more: str) -> httpx.Response:
        answer = self.cloud.hook(self.product_url, path, self.fields(**more))
        self.answers.append((answer.status_code, answer.text))
        return answer

    # The life of a call.

    def start(self) -> TwilioCall:
        self._thread.start()
        return self

    def _live(self) -> None:
        path: str | None = "/twilio/voice"
        while path is not None and not self._hung_up:
            try:
                answer = self.hook(path)
            except httpx.TransportError:
                if not self.patient:
                    break
                time.sleep(0.1)
                continue
            if answer.status_code != 200:
                break
            path = self._run(ET.fromstring(answer.text))
        self._finish()

    def _run(self, response: ET.Element) -> str | None:
        """Carry out TwiML; the path to ask next, None at the end of the call."""
        for verb in response:
            if verb.tag == "Reject":
                self.rejected = verb.get("reason", "rejected")
                return None
            if verb.tag == "Hangup":
                return None
            if verb.tag == "Connect":
                self.status = "in-progress"
                stream = verb.find("Stream")
                assert stream is not None
                parameters = {p.get("name", ""): p.get("value", "") for p in stream}
                self._stream(stream.get("url", ""), parameters)
                if self._hung_up:
                    return None
            if verb.tag == "Redirect":
                assert verb.text is not None
                assert verb.text.startswith(PUBLIC), verb.text
                return verb.text.removeprefix(PUBLIC)
        return None

    def _stream(self, url: str, parameters: dict[str, str]) -> None:
        """One media socket, until it ends."""
        assert url.startswith("wss://bridge.example.org/"), url
        self.tokens.append(parameters.get("token", ""))
        target = self.product_url.replace("http:", "ws:") + urlsplit(url).path
        signed = {"X-Twilio-Signature": signature(self.cloud.auth_token, url)}
        try:
            socket = connect(target, additional_headers=signed, compression=None, max_size=None, legacy=True)
        except InvalidStatus as exc:
            self.refused_sockets.append(exc.response.status_code)
            return
        self._stream_sid = "MZ" + secrets.token_hex(16)
        self._sequence = self._chunk = 0
        self._started_s = time.monotonic()
        with self._lock:
            self._buffer.clear()
        try:
            socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
            self._socket = socket
            self.say("start", start=self.start_facts(parameters))
            self.answered_at_s = self.answered_at_s or time.monotonic()
            for text in socket:
                self._take(json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self._socket = None
            if socket.close_code is not None:
                self.close_codes.append(socket.close_code)
            with contextlib.suppress(OSError):
                socket.close()

    def start_facts(self, parameters: dict[str, str]) -> dict[str, Any]:
        return {
            "streamSid": self._stream_sid,
            "accountSid": self.cloud.account_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }

    def say(self, event: str, **body: Any) -> None:
        """Send one message."""
        socket = self._socket
        if socket is None:
            return
        self._sequence += 1
        message = {
            "event": event,
            "sequenceNumber": str(self._sequence),
            **body,
            "streamSid": self._stream_sid,
        }
        with contextlib.suppress(ConnectionClosed, OSError):
            socket.send(json.dumps(message))

    def media(self, payload: bytes) -> dict[str, Any]:
        """The next piece of the caller's sound, ready to be sent."""
        self._chunk += 1
        return {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(5 + 20 * (self._chunk - 1)),
            "payload": base64.b64encode(payload).decode(),
        }

    @property
    def streaming(self) -> bool:
        return self._socket is not None

    def _take(self, message: dict[str, Any]) -> None:
        assert message["streamSid"] == self._stream_sid
        with self._lock:
            if message["event"] == "media":
                self.media_messages += 1
                payload = base64.b64decode(message["media"]["payload"], validate=True)
                self._buffer.append(payload)
                return
            self.received.append(message)
            if message["event"] == "mark":
                self._buffer.append(message["mark"]["name"])
                return
            assert message["event"] == "clear", message
            marks = [each for each in self._buffer if isinstance(each, str)]
            self._buffer.clear()
            self._part = b""
        for name in marks:
            self.say("mark", mark={"name": name})

    def play(self) -> bytes:
        """The next 20 ms that the caller hears; empty when nothing waits."""
        if self.frozen:
            return b""
        reached: list[str] = []
        with self._lock:
            self.queued_max = max(self.queued_max, sum(len(b) for b in self._buffer if isinstance(b, bytes)))
            while len(self._part) < FRAME and self._buffer:
                head = self._buffer.popleft()
                if isinstance(head, str):
                    reached.append(head)
                else:
                    self._part += head
            frame, self._part = self._part[:FRAME], self._part[FRAME:]
            while not self._part and self._buffer and isinstance(self._buffer[0], str):
                reached.append(str(self._buffer.popleft()))
        for name in reached:
            self.say("mark", mark={"name": name})
        return frame

    # The ends.

    def hang_up(self) -> None:
        """The caller puts the telephone down."""
        self._hung_up = True
        self.cloud.status[self.call_sid] = "completed"
        self.say("stop", stop={"accountSid": self.cloud.account_sid, "callSid": self.call_sid})
        socket = self._socket
        if socket is not None:
            socket.close()
        self.ended.wait(5.0)

    def _end_by_rest(self) -> None:
        self._hung_up = True
        self.say("stop", stop={"accountSid": self.cloud.account_sid, "callSid": self.call_sid})
        socket = self._socket
        if socket is not None:
            socket.close()

    def break_socket(self) -> None:
        """The TCP connection is gone without a word."""
        socket = self._socket
        assert socket is not None
        socket.socket.shutdown(2)

    def _finish(self) -> None:
        self.status = "completed" if self.answered_at_s else "no-answer"
        self.cloud.status[self.call_sid] = "completed"
        if self.calls_back:
            with contextlib.suppress(httpx.HTTPError):
                self.hook("/twilio/status", CallDuration="7")
        self.ended.set()


class TwilioPhone(RtpPhone):
    """The caller's telephone. Its UDP socket is never used: sound goes through the call."""

    def __init__(self, *, says: Says | None = None) -> None:
        super().__init__("PCMU", says=says)
        self.call: TwilioCall | None = None
        self._presses: deque[str] = deque()
        self._rest_ticks = 0
        self._ticks = self._dry = 0

    @property
    def typed(self) -> bool:
        return not self._presses and self._rest_ticks == 0

    def press(self, keys: str) -> None:
        self._presses.extend(keys)

    def tick(self, now_s: float) -> None:
        call = self.call
        if call is None or not call.streaming:
            return
        self._ticks += 1
        frame = call.play()
        self._dry = 0 if frame else self._dry + 1
        # On a busy machine sound comes in bursts. As with RTP, what is late is no gap in what was heard.
        if frame or self._dry > _DRY_TICKS:
            frame = frame + _SILENCE[len(frame) :]
            self.heard.append(Heard(now_s, self._ticks, self._ticks * FRAME, False, frame))
        self._rest_ticks = max(0, self._rest_ticks - 1)
        if self._presses and self._rest_ticks == 0:
            call.say("dtmf", dtmf={"track": "inbound_track", "digit": self._presses.popleft()})
            self._rest_ticks = _PAUSE_TICKS
        if self.sending:
            self._tick += 1
            self.speak(self._payload(self._frame()))

    def speak(self, payload: bytes) -> None:
        """Send 20 ms of the caller's voice; tests of bad networks put something else here."""
        assert self.call is not None
        self.call.say("media", media=self.call.media(payload))
