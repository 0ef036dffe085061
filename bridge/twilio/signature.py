"""Whether a request comes from Twilio: the header X-Twilio-Signature.

Theory ("Secure webhooks" in Twilio's documentation).  The signature is the base64 of HMAC-SHA1, under the
account's auth token, of the whole address as Twilio called it, query included, followed by every form field
as name and value without anything between, sorted by name.  The address is the public one; what a proxy in
front of us makes of it must not matter, so it is put together from the setting `public_url`.

Requests that open a media socket are signed, too, over the `wss` address and no fields.  Some of Twilio's
edges sign it with a slash at the end, so both are taken; either proves the same.
"""

from __future__ import annotations

from twilio.request_validator import RequestValidator

from bridge.twilio.fields import Fields

HEADER = "x-twilio-signature"


class Signatures:
    def __init__(self, *, auth_token: str, public_url: str) -> None:
        """public_url: without a final slash."""
        self._validator = RequestValidator(auth_token)
        self._base = public_url
        self.socket_url = (
            f"{'wss' if public_url.startswith('https:') else 'ws'}{public_url[public_url.index(':') :]}"
        )

    def good_hook(self, path: str, query: str, fields: Fields, signature: str) -> bool:
        """Whether a web hook is signed as it must be. path: with a leading slash."""
        url = self._base + path + (f"?{query}" if query else "")
        return self._valid(url, fields, signature)

    def good_socket(self, path: str, signature: str) -> bool:
        url = self.socket_url + path
        return self._valid(url, Fields([]), signature) or self._valid(f"{url}/", Fields([]), signature)

    def _valid(self, url: str, fields: Fields, signature: str) -> bool:
        return bool(signature) and bool(self._validator.validate(url, fields, signature))
