"""One message to one address over HTTP, and to no address that is our own.

Theory. An organiser names the address, we call it from inside our network: without care that is a way to
reach what only we can reach (server-side request forgery). So the name is resolved here, every address it
has must be a public one, and the connection goes to exactly the address that was looked at: a name that
answers differently the second time (DNS rebinding) gains nothing. Redirects are not followed; TLS is checked
against the name. An answer is read up to a few kilobytes and within one deadline, so a receiver that dribbles
holds nobody up.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 4_096


class DeliveryError(Exception):
    """Nobody took the message; the text says why, for the delivery log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSender:
    """Posts messages. `allow_private`: also to loopback and private networks, and without TLS."""

    allow_private: bool = False
    timeout_s: float = TIMEOUT_S

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The HTTP status of the answer. Raises DeliveryError."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https" and not self.allow_private:
            raise DeliveryError("only https is called")
        deadline = time.monotonic() + self.timeout_s
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection = http.client.HTTPConnection(host, port, timeout=self.timeout_s)
        alarm: tuple[threading.Timer, socket.socket] | None = None
        try:
            plain = socket.create_connection((self.resolve(host, port), port), timeout=self.timeout_s)
            connection.sock = plain
            line = plain.dup()
            alarm = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, args=(line,)), line
            alarm[0].start()
            if parts.scheme == "https":
                connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            left = ANSWER_BYTES_MAX
            while left > 0 and time.monotonic() < deadline and (piece := answer.read1(left)):
                left -= len(piece)
            return answer.status
        except (OSError, http.client.HTTPException, ValueError) as exc:
            late = time.monotonic() >= deadline
            raise DeliveryError("no answer in time" if late else _reason(exc)) from exc
        finally:
            if alarm is not None:
                alarm[0].cancel()
                alarm[1].close()
            connection.close()

    def resolve(self, host: str, port: int) -> str:
        """The address to connect to. Raises DeliveryError when any of the name's addresses is not public."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise DeliveryError("the name of the host is not known") from exc
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not self.allow_private and not is_public(address):
                raise DeliveryError("this address is not on the public internet")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, and not one that leads back to us."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


def _cut(line: socket.socket) -> None:
    """End the connection under whoever reads from it: a timeout per read is no bound for who dribbles."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""RFC 4291 section 2.4 and the IANA registry: what else there is leads nowhere public."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _reason(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLError):
        return "the certificate or TLS of the host is not in order"
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, ConnectionRefusedError):
        return "the host refuses connections"
    return f"the connection failed ({type(exc).__name__})"
