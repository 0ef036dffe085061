"""What the media plane knows of each leg, as columns of arrays.

A leg's row number is its handle everywhere inside the worker.  Rows are handed out once per call and
cleared on return; a column holds one fact for all legs, so a tick touches a few columns of all legs
instead of all facts of one.

Addresses: `expected` is where the caller's SDP says his sound comes from.  A leg is heard from its key
(socket, source address) only.  It starts with the expected address; while it still waits for its first
packet, a packet from elsewhere may latch it (see `latch`), after which nothing else is heard.

L16 legs are ends within this node (the sound of browsers): their addresses are known exactly, so they neither
wait nor latch, and they have no keys.
"""

import socket
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.mixer.sockets import NAME_BYTES, address_keys, pack_address, unpack_address

PCMU, PCMA, G722, L16 = 0, 1, 2, 3
CODEC_NAMES = ("PCMU", "PCMA", "G722", "L16")
FINE = 6
"""RTP clock of L16 (48 kHz) over that of the telephone codecs (8 kHz)."""
NO_ROOM = -1
_STRAGGLER_TICKS = 100

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaParameters:
    """The negotiated media of one leg.

    dtmf_pt None: keys come in-band (except in L16, where there are none); remote_rtcp_port 0: no RTCP.
    """

    sock: int
    codec: int
    pt: int
    dtmf_pt: int | None
    remote_ip: str
    remote_port: int
    remote_rtcp_port: int
    nat: bool
    send: bool
    receive: bool


class Legs:
    def __init__(self, capacity: int) -> None:
        n = self.capacity = capacity
        self.active = np.zeros(n, np.bool_)
        self.codec = np.zeros(n, np.int64)
        self.pt = np.full(n, -1, np.int64)
        self.dtmf_pt = np.full(n, -1, np.int64)
        self.sock = np.zeros(n, np.int64)
        self.names = np.zeros((n, NAME_BYTES), np.uint8)
        self._announced = np.zeros((n, NAME_BYTES), np.uint8)
        self._left = np.zeros((n, NAME_BYTES), np.uint8)  # where a leg was before it moved
        self._left_until = np.zeros(n, np.int64)  # tick until which packets from there are the past
        self.send = np.zeros(n, np.bool_)
        self.receive = np.zeros(n, np.bool_)
        self.waiting = np.zeros(n, np.bool_)
        self.nat = np.zeros(n, np.bool_)
        self.inband = np.zeros(n, np.bool_)
        self.clock = np.ones(n, np.int64)
        """RTP clock of each leg in units of 8 kHz: 1, or FINE."""
        self.any_fine = False
        """Whether any leg has the fine clock, which is L16's."""
        self.rtcp: list[tuple[str, int] | None] = [None] * n
        self._keys = np.zeros(0, np.uint64)
        self._key_rows = np.zeros(0, np.int64)

    def add(self, row: int, media: MediaParameters) -> None:
        assert not self.active[row]
        self.active[row] = True
        self.update(row, media, tick=0)
        self.waiting[row] = media.codec != L16
        self._left_until[row] = 0

    def update(self, row: int, media: MediaParameters, *, tick: int) -> None:
        """Take new media parameters; a new remote address makes the leg wait for it again."""
        name = np.frombuffer(pack_address(media.remote_ip, media.remote_port), np.uint8)
        moved = not np.array_equal(name, self.names[row])
        if moved:
            self._left[row], self._left_until[row] = self.names[row], tick + _STRAGGLER_TICKS
            self.names[row] = self._announced[row] = name
            self.waiting[row] = media.codec != L16
        self.sock[row] = media.sock
        self.codec[row] = media.codec
        self.pt[row] = media.pt
        self.dtmf_pt[row] = -1 if media.dtmf_pt is None else media.dtmf_pt
        self.inband[row] = media.dtmf_pt is None and media.codec != L16
        self.clock[row] = FINE if media.codec == L16 else 1
        self.send[row] = media.send
        self.receive[row] = media.receive
        self.nat[row] = media.nat
        self.rtcp[row] = (media.remote_ip, media.remote_rtcp_port) if media.remote_rtcp_port else None
        self._index()

    def remove(self, row: int) -> None:
        self.active[row] = False
        self.waiting[row] = False
        self.names[row] = self._announced[row] = 0
        self.rtcp[row] = None
        self._index()

    def remote(self, row: int) -> tuple[str, int]:
        return unpack_address(self.names[row].tobytes())

    def _index(self) -> None:
        rows = np.flatnonzero(self.active)
        self.any_fine = bool((self.clock[rows] != 1).any())
        keys = address_keys(self.names[rows], self.sock[rows])
        order = np.argsort(keys)
        self._keys = keys[order]
        self._key_rows = rows[order]

    def find(self, names: npt.NDArray[np.uint8], sock: Rows) -> Rows:
        """Row of the leg that owns each source address, or -1.  (n, 28), (n,) → (n,)."""
        if len(self._keys) == 0:
            return np.full(len(sock), -1, np.int64)
        keys = address_keys(names, sock)
        place = np.searchsorted(self._keys, keys)
        place[place == len(self._keys)] = 0
        return np.where(self._keys[place] == keys, self._key_rows[place], -1)

    def latch(self, name: bytes, sock: int, pt: int, *, tick: int) -> int:
        """Give a packet from an unknown source to the leg that waits for it, or -1.

        Of the legs on this socket that negotiated this payload type:
        - The one whose phone announced exactly this address, although it was latched elsewhere: whoever got
          there first (the remains of an earlier call, say) does not keep the phone itself out.
        - Of those that wait, the one whose phone named the packet's host.
        - Where NAT is allowed, the only one that waits.  Two behind NAT on one port cannot be told apart, so
          neither is latched: guessing would let a caller hear a stranger.

        What still comes from where a leg has just moved away does not bring it back there.
        """
        raw = np.frombuffer(name, np.uint8)
        fits = self.active & (self.sock == sock) & ((self.pt == pt) | (self.dtmf_pt == pt))
        own = np.flatnonzero(fits & (self._announced == raw).all(axis=1))
        if len(own) == 1:
            return self._settle(int(own[0]), raw)
        rows = np.flatnonzero(fits & self.waiting)
        rows = rows[~((self._left[rows] == raw).all(axis=1) & (self._left_until[rows] > tick))]
        host = slice(8, 24) if raw[0] == socket.AF_INET6 else slice(4, 8)
        near = rows[(self.names[rows, host] == raw[host]).all(axis=1) & (self.names[rows, 0] == raw[0])]
        if len(near) == 1:
            return self._settle(int(near[0]), raw)
        if len(near) == 0 and len(rows) == 1 and self.nat[rows[0]]:
            return self._settle(int(rows[0]), raw)
        return -1

    def _settle(self, row: int, name: npt.NDArray[np.uint8]) -> int:
        self.names[row] = name
        self.waiting[row] = False
        self._index()
        return row
