"""Digest authentication of incoming calls (RFC 7616, and RFC 2617 for older devices): an engine without I/O.

    HA1 = H(user:realm:password)    HA2 = H(method:uri)    response = H(HA1:nonce:nc:cnonce:qop:HA2)

Nonces carry their own birth time and a keyed hash, so none are stored until one has been used: a flood of
challenges costs no memory. A used nonce is remembered with its highest count (`nc`) until it expires, which
stops replay; the table is bounded, and when it is full new nonces are refused rather than old ones
forgotten. SHA-256 is offered first, then MD5, as RFC 7616 section 3.7 asks. Requests without qop (RFC 2069)
are refused: they cannot be told from replays.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bridge.sip.config import Trunk

_PARAMETER = re.compile(r'([a-zA-Z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)')
_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
_NONCE_LIFE_S = 60.0
_USED_MAX = 10_000


class Verdict(Enum):
    """What to do with a request."""

    ACCEPTED = "accepted"
    CHALLENGE = "challenge"
    """No credentials, or none that we understand: 401 with a fresh nonce."""
    STALE = "stale"
    """Right password, old nonce: 401 with stale=true, and the device tries again by itself."""
    WRONG = "wrong"
    """Wrong user or password, or a replay: 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A verdict and, when accepted, whose credentials they were."""

    verdict: Verdict
    trunk: Trunk | None = None


class DigestGate:
    """Challenges and checks for one realm.

    `secret` keys the nonces; a new one per process makes old nonces stale.
    """

    def __init__(self, *, realm: str, secret: bytes, find: Callable[[str], Trunk | None]) -> None:
        self._realm = realm
        self._secret = secret
        self._find = find
        self._used: dict[str, tuple[float, int]] = {}
        self._serial = 0

    def challenges(self, *, stale: bool = False, now_s: float) -> list[str]:
        """Values of the WWW-Authenticate fields of a 401, strongest first."""
        self._serial += 1
        nonce = self._nonce(now_s, self._serial)
        tail = ', qop="auth"' + (", stale=true" if stale else "")
        return [
            f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={algorithm}{tail}'
            for algorithm in _HASHES
        ]

    def check(self, authorizations: tuple[str, ...], *, method: str, now_s: float) -> Checked:
        """Judge the Authorization fields of a request."""
        for value in authorizations:
            fields = _fields(value)
            if fields is not None and fields.get("realm") == self._realm:
                return self._check(fields, method, now_s)
        return Checked(verdict=Verdict.CHALLENGE)

    def _check(self, fields: dict[str, str], method: str, now_s: float) -> Checked:
        hashed = _HASHES.get(fields.get("algorithm", "MD5").upper())
        count = fields.get("nc", "")
        if hashed is None or fields.get("qop") != "auth" or not re.fullmatch(r"[0-9a-fA-F]{8}", count):
            return Checked(verdict=Verdict.CHALLENGE)
        nonce = fields.get("nonce", "")
        trunk = self._find(fields.get("username", ""))
        # An unknown user takes the same path and time as a wrong password.
        user, password = (trunk.user, trunk.password) if trunk else ("", None)
        ha1 = hashed(f"{user}:{self._realm}:{password}".encode())
        ha2 = hashed(f"{method}:{fields.get('uri', '')}".encode())
        expected = hashed(f"{ha1}:{nonce}:{count}:{fields.get('cnonce', '')}:auth:{ha2}".encode())
        right = hmac.compare_digest(expected.encode(), fields.get("response", "").lower().encode())
        if not right or trunk is None:
            return Checked(verdict=Verdict.WRONG)
        born_s = self._born_s(nonce)
        if born_s is None or not 0 <= now_s - born_s <= _NONCE_LIFE_S:
            return Checked(verdict=Verdict.STALE)
        return self._count(nonce, born_s, int(count, 16), trunk, now_s)

    def _count(self, nonce: str, born_s: float, count: int, trunk: Trunk, now_s: float) -> Checked:
        known = self._used.get(nonce)
        if known is not None and count <= known[1]:
            return Checked(verdict=Verdict.WRONG)
        if known is None and len(self._used) >= _USED_MAX:
            self._used = {
                used: entry for used, entry in self._used.items() if now_s - entry[0] <= _NONCE_LIFE_S
            }
            if len(self._used) >= _USED_MAX:
                return Checked(verdict=Verdict.STALE)
        self._used[nonce] = (born_s, count)
        return Checked(verdict=Verdict.ACCEPTED, trunk=trunk)

    def _nonce(self, now_s: float, serial: int) -> str:
        stamp = f"{int(now_s * 1000):x}-{serial:x}"
        return f"{stamp}-{self._seal(stamp)}"

    def _seal(self, stamp: str) -> str:
        return hmac.new(self._secret, stamp.encode(), hashlib.sha256).hexdigest()[:32]

    def _born_s(self, nonce: str) -> float | None:
        stamp, _, seal = nonce.rpartition("-")
        if not hmac.compare_digest(self._seal(stamp).encode(), seal.encode()):
            return None
        return int(stamp.partition("-")[0], 16) / 1000


def _fields(value: str) -> dict[str, str] | None:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest" or len(rest) > 4096:
        return None
    return {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted or not bare else bare
        for name, quoted, bare in _PARAMETER.findall(rest)
    }
