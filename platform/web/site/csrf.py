"""Forms that only our own pages can post (OWASP, "signed double submit", bound to the session).

The token in a form is an HMAC over the visitor's session cookie or, for a stranger, over a random cookie that
the first page sets. Another site can make a browser send the cookies but can read neither them nor a page of
ours, so it cannot know the token. Signing in changes the cookie and with it every token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

SESSION_COOKIE = "tb_session"
STRANGER_COOKIE = "tb_visitor"
FIELD = "csrf_token"
_STRANGER = re.compile(r"[\w-]{32,64}", re.ASCII)


def token_for(request: Request, *, secret: bytes) -> str:
    """The token for forms on the page that answers this request."""
    return _token(_binding(request) or _new_stranger(request), secret=secret)


def is_good(request: Request, token: object, *, secret: bytes) -> bool:
    """Whether a posted token belongs to the visitor who sends it."""
    binding = _binding(request)
    if binding is None or not isinstance(token, str):
        return False
    return hmac.compare_digest(token.encode("utf-8", "replace"), _token(binding, secret=secret).encode())


def remember(request: Request, response: Response, *, secure: bool) -> None:
    """Give a stranger whose page held a token the cookie that the token belongs to."""
    stranger = getattr(request.state, "new_stranger", None)
    if stranger is not None:
        response.set_cookie(STRANGER_COOKIE, stranger, httponly=True, samesite="lax", secure=secure, path="/")


def _binding(request: Request) -> str | None:
    session = request.cookies.get(SESSION_COOKIE)
    if session:
        return f"session:{session}"
    stranger = request.cookies.get(STRANGER_COOKIE, "")
    return f"visitor:{stranger}" if _STRANGER.fullmatch(stranger) else None


def _new_stranger(request: Request) -> str:
    if getattr(request.state, "new_stranger", None) is None:
        request.state.new_stranger = secrets.token_urlsafe(32)
    return f"visitor:{request.state.new_stranger}"


def _token(binding: str, *, secret: bytes) -> str:
    made = hmac.digest(secret, b"tollbridge-csrf\x00" + binding.encode("utf-8", "replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
