"""The messages of a Media Stream: JSON texts on a WebSocket.

Theory.  Twilio's "Media Streams: WebSocket messages" names six that it sends (connected, start, media, dtmf,
mark, stop) and three that it takes (media, mark, clear).  All numbers come as strings.  Sound is µ-law at
8 kHz, base64, without any header; 20 ms a message is usual, not promised.  Messages of other names may be
added at any time and are passed over.

A media message is read 50 times a second per call, so it is decoded straight into a struct, base64
included, by msgspec; what we send is put together from bytes.
"""

from __future__ import annotations

import base64
import json

import msgspec

from bridge.twilio.errors import BadMessageError

PAYLOAD_BYTES_MAX = 8000
"""A second of sound in one message is far beyond anything that is sent."""


class MediaFormat(msgspec.Struct, frozen=True, rename="camel"):
    encoding: str = ""
    sample_rate: int = 0
    channels: int = 0


class StartFacts(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    stream_sid: str
    account_sid: str
    call_sid: str
    media_format: MediaFormat = MediaFormat()
    custom_parameters: dict[str, str] = {}


class Sound(msgspec.Struct, frozen=True):
    """chunk counts media messages of a track from 1; timestamp: ms since the stream began."""

    payload: bytes
    track: str = "inbound"
    chunk: int | None = None
    timestamp: int | None = None


class Press(msgspec.Struct, frozen=True):
    digit: str

    def __repr__(self) -> str:
        return "Press()"  # it may be a digit of a PIN


class MarkName(msgspec.Struct, frozen=True):
    name: str


class Connected(msgspec.Struct, frozen=True, tag="connected", tag_field="event"):
    protocol: str = ""
    version: str = ""


class Start(msgspec.Struct, frozen=True, tag="start", tag_field="event"):
    start: StartFacts


class Media(msgspec.Struct, frozen=True, tag="media", tag_field="event"):
    media: Sound


class Dtmf(msgspec.Struct, frozen=True, tag="dtmf", tag_field="event"):
    dtmf: Press


class Mark(msgspec.Struct, frozen=True, tag="mark", tag_field="event"):
    mark: MarkName


class Stop(msgspec.Struct, frozen=True, tag="stop", tag_field="event"):
    pass


Message = Connected | Start | Media | Dtmf | Mark | Stop

_KNOWN = frozenset(("connected", "start", "media", "dtmf", "mark", "stop"))
_KEYS = frozenset("0123456789*#ABCD")


class _Named(msgspec.Struct, frozen=True):
    event: str


_decoder = msgspec.json.Decoder(Message, strict=False)
_name_decoder = msgspec.json.Decoder(_Named)


def read(text: str | bytes) -> Message | None:
    """One message; None for a name that we do not know. Raises BadMessageError."""
    try:
        message: Message = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        _judge(text, exc)
        return None
    if isinstance(message, Media) and len(message.media.payload) > PAYLOAD_BYTES_MAX:
        raise BadMessageError("more than a second of sound in one message")
    if isinstance(message, Dtmf) and message.dtmf.digit not in _KEYS:
        raise BadMessageError("not a key of a telephone")
    return message


def _judge(text: str | bytes, exc: Exception) -> None:
    """Nothing when the message is merely new to us. Raises BadMessageError."""
    try:
        name = _name_decoder.decode(text).event
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadMessageError("not a JSON object with an event") from exc
    if name in _KNOWN:
        # The decoder's own words could hold a key.
        raise BadMessageError(f"a {name} message without its fields") from None


class Writer:
    """What we send on one stream."""

    def __init__(self, stream_sid: str) -> None:
        sid = json.dumps(stream_sid).encode()
        self._media = b'{"event":"media","streamSid":' + sid + b',"media":{"payload":"'
        self._mark = b'{"event":"mark","streamSid":' + sid + b',"mark":{"name":"'
        self.clear = (b'{"event":"clear","streamSid":' + sid + b"}").decode()
        """Throw away what is not played yet; marks in it come back at once."""

    def media(self, payload: bytes) -> str:
        """Sound to play after all that was sent before: µ-law, 8 bytes a millisecond."""
        return (self._media + base64.b64encode(payload) + b'"}}').decode()

    def mark(self, number: int) -> str:
        """Comes back when all sound before it was played."""
        return (self._mark + b"%d" % number + b'"}}').decode()
