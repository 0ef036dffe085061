"""What we answer Twilio about a call: TwiML.

`<Connect><Stream>` holds the call as long as the stream lasts; what stands behind it is done only when the
stream ends and the call does not.  That is a lost socket, so a `<Redirect>` there asks us again, and the
caller finds his place in the room instead of a dead line (docs/decisions/twilio.md).
"""

from __future__ import annotations

from twilio.twiml.voice_response import VoiceResponse

MEDIA_PATH = "/twilio/media"
VOICE_PATH = "/twilio/voice"
AGAIN_PATH = "/twilio/again"
STATUS_PATH = "/twilio/status"
TOKEN = "token"


class Answers:
    def __init__(self, *, public_url: str, socket_url: str) -> None:
        """Both without a final slash."""
        self._again = public_url + AGAIN_PATH
        self._media = socket_url + MEDIA_PATH

    def connect(self, token: str) -> str:
        """Let the call in: open a stream, and show this token there."""
        response = VoiceResponse()
        stream = response.connect().stream(url=self._media)
        stream.parameter(name=TOKEN, value=token)
        response.redirect(self._again, method="POST")
        return str(response)


def reject(*, busy: bool) -> str:
    """Turn the call away unanswered, so that it costs nothing."""
    response = VoiceResponse()
    response.reject(reason="busy" if busy else "rejected")
    return str(response)


def hang_up() -> str:
    response = VoiceResponse()
    response.hangup()
    return str(response)
