"""What every leg is sent in a tick: a header of its own and the address of a payload it may share.

Payload addresses come from a table of groups, one per room and codec, and one each for music and silence;
`listen` says which group a leg belongs to.  Two kinds of legs are overridden after the look-up: those that
speak right now (they hear the room without themselves) and those to whom a prompt is played.

RTP headers stand ready in memory; per tick only sequence number and timestamp change.  The timestamp is the
tick itself, so that a leg that was on hold comes back at the right time (RFC 3550 §5.1); the marker bit is
set on the first packet after a pause (RFC 3551 §4.1).
"""

import G722
import numpy as np
import numpy.typing as npt

from bridge.mixer import l16
from bridge.mixer.clips import FRAME_BYTES, Clip, settled_coder, silence
from bridge.mixer.g711 import ENCODE_ALAW, ENCODE_ULAW
from bridge.mixer.legs import CODEC_NAMES, L16, PCMA, PCMU, Legs
from bridge.mixer.legs import G722 as G722_CODEC
from bridge.mixer.rooms_mix import RoomSums
from bridge.mixer.sockets import NAME_BYTES

F32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

HEADER_BYTES = 12
_CODECS = len(CODEC_NAMES)
_SILENCE, _MUSIC, _FIRST_ROOM = 0, _CODECS, 2 * _CODECS  # first groups; each has one per codec
_OWN_CODER_TICKS = 50
_MUSIC_READER = -1


class _Playing:
    __slots__ = ("clips", "play")

    def __init__(self, play: int, clips: list[Clip]) -> None:
        self.play, self.clips = play, clips


class Output:
    def __init__(self, capacity: int) -> None:
        n = capacity
        self.tick = 0
        self.played: list[tuple[int, int]] = []
        """(row, play) of what has ended; the reader clears it."""
        self.layout_changed = True
        self.order = np.zeros(0, np.int64)
        """Rows that are sent to, sorted by socket."""
        self.payloads: U64 = np.zeros(0, np.uint64)
        """Address of each one's payload, in `order`."""
        self.payload_bytes = np.zeros(0, np.int64)
        """Length of each one's payload, in `order`."""

        self._headers = np.zeros((n, HEADER_BYTES), np.uint8)
        self._header_base = np.uint64(self._headers.ctypes.data)
        self._header_seq = np.ndarray(n, ">u2", self._headers, 2, (HEADER_BYTES,))
        self._header_ts = np.ndarray(n, ">u4", self._headers, 4, (HEADER_BYTES,))
        self._seq_offset = np.zeros(n, np.int64)
        self._ts_offset = np.zeros(n, np.int64)
        self._next_seq = np.zeros(n, np.int64)  # of rows that are not sent to
        self._sends = 0  # ticks in which packets were sent
        self._since = np.zeros(n, np.int64)  # value of _sends when a row began to be sent to
        self._sent_before = np.zeros(n, np.int64)
        self._top = 0  # rows from here on are not sent to
        self._fresh = self._marked = np.zeros(0, np.int64)  # rows to be marked, rows marked last
        self._codec = np.zeros(n, np.int64)
        self._place = np.full(n, -1, np.int64)  # row → place in order
        self._group = np.zeros(n, np.int64)  # without the codec
        self._order_group = np.zeros(0, np.int64)

        self._silence = silence()
        self._fine_silence = np.zeros(l16.FRAME_BYTES, np.uint8)
        self._silence_address: U64 = np.array(
            [*self._silence.address, self._fine_silence.ctypes.data], np.uint64
        )
        self._groups: U64 = np.tile(self._silence_address, 2 + n)
        self._sounding = np.zeros(0, np.int64)  # groups to silence again
        self._frames = np.zeros((4 * n, FRAME_BYTES), np.uint8)
        self._frames_base = self._frames.ctypes.data
        self._fine_frames = np.zeros((3 * n + 1, l16.FRAME_BYTES), np.uint8)
        self._fine_base = self._fine_frames.ctypes.data
        self._used = self._fine_used = 0
        self._own: list[tuple[Ints, U64]] = []
        self._has_alaw = False
        self._listeners_wide: set[int] = set()
        self._fine_rows = np.zeros(0, np.int64)  # L16 legs that are sent to
        self._fine_music = False  # whether any of them hears music

        self._music: Clip | None = None
        self._play_address: U64 = np.zeros(n, np.uint64)
        self._play_left = np.zeros(n, np.int64)
        self._playing: dict[int, _Playing] = {}
        self._unfolded: dict[int, l16.Unfolded] = {}  # L16 legs to which clips are played; −1: the music
        self._ended: list[Clip] = []  # their last frames are still to be sent
        self._room_coders: dict[int, G722.G722] = {}
        self._own_coders: dict[int, G722.G722] = {}
        self._own_until = np.zeros(n, np.int64)

    # Legs and what they listen to.

    def add(self, row: int, *, ssrc: int, codec: int) -> None:
        rng = np.random.default_rng()
        self._headers[row] = 0
        self._headers[row, 0] = 0x80
        self._headers[row, 8:12] = np.frombuffer(ssrc.to_bytes(4, "big"), np.uint8)
        self._next_seq[row] = int(rng.integers(1 << 16))
        self._ts_offset[row] = int(rng.integers(1 << 32))
        self._codec[row] = codec
        self._sent_before[row] = 0
        self._group[row] = _SILENCE
        self._own_until[row] = 0

    def remove(self, row: int) -> None:
        self._play_left[row] = 0
        self._playing.pop(row, None)
        self._own_coders.pop(row, None)
        self._unfolded.pop(row, None)
        self.order = self.order[self.order != row]
        self._fresh = self._fresh[self._fresh != row]

    def reset_room(self, slot: int) -> None:
        self._room_coders.pop(slot, None)

    def set_music(self, clip: Clip) -> None:
        self._music = clip

    def listen(self, row: int, *, hear: str, slot: int) -> None:
        groups = {"silence": _SILENCE, "music": _MUSIC, "room": _FIRST_ROOM + _CODECS * slot}
        self._group[row] = groups[hear]

    def play(self, row: int, play: int, clips: list[Clip]) -> None:
        """Replace what is played to the leg.  An empty list ends at once."""
        self.stop_play(row)
        self._playing[row] = _Playing(play, list(clips))
        self._next_clip(row)

    def stop_play(self, row: int) -> None:
        self._play_left[row] = 0
        self._playing.pop(row, None)
        self._unfolded.pop(row, None)

    def _next_clip(self, row: int) -> None:
        playing = self._playing[row]
        if not playing.clips:
            del self._playing[row]
            self._unfolded.pop(row, None)
            self.played.append((row, playing.play))
            return
        clip = playing.clips[0]
        if self._codec[row] != L16:  # for those, each frame is made as it is sent
            self._play_address[row] = clip.address[int(self._codec[row])]
        self._play_left[row] = clip.count

    def arrange(self, legs: Legs) -> None:
        """Take over who is sent to, from which socket, with what codec."""
        rows = (legs.active & legs.send).nonzero()[0]
        rows = rows[np.argsort(legs.sock[rows], kind="stable")]
        fresh = np.setdiff1d(rows, self.order, assume_unique=True)
        # A sequence number is the number of sends plus an offset, so that none need be counted one by one.
        self._seq_offset[fresh] = self._next_seq[fresh] - self._sends - 1
        self._since[fresh] = self._sends
        self._stopped(np.setdiff1d(self.order, rows, assume_unique=True))
        self._fresh = np.concatenate([self._fresh, fresh])
        self._top = int(rows.max()) + 1 if len(rows) else 0
        self._place[:] = -1
        self._place[rows] = np.arange(len(rows))
        self.order = rows
        changed = ((self._codec != legs.codec) & (self._play_left > 0)).nonzero()[0]
        self._headers[rows, 1] = legs.pt[rows]
        self._codec[:] = legs.codec
        for row in changed.tolist():
            self._next_clip(row)  # begins the clip again in the new codec
        self._own_coders = {
            row: coder for row, coder in self._own_coders.items() if legs.codec[row] == G722_CODEC
        }
        self._has_alaw = bool((legs.codec[rows] == PCMA).any())
        self._order_group = self._group[rows] + self._codec[rows]
        wide = self._order_group[(self._codec[rows] == G722_CODEC) & (self._order_group >= _FIRST_ROOM)]
        self._listeners_wide = set(((np.unique(wide) - _FIRST_ROOM) // _CODECS).tolist())
        self._fine_rows = rows[self._codec[rows] == L16]
        self._fine_music = bool((self._group[self._fine_rows] == _MUSIC).any())
        if not self._fine_music:
            self._unfolded.pop(_MUSIC_READER, None)
        self.payload_bytes = np.where(self._codec[rows] == L16, l16.FRAME_BYTES, FRAME_BYTES)
        self.payloads = np.zeros(len(rows), np.uint64)
        self.layout_changed = True

    def _stopped(self, rows: Ints) -> None:
        """These rows are not sent to any more: note where they stand."""
        self._sent_before[rows] += self._sends - self._since[rows]
        self._next_seq[rows] = self._seq_offset[rows] + self._sends + 1

    # One tick: begin, rooms, speakers, finish.

    def begin(self, tick: int) -> None:
        self._used = self._fine_used = 0
        self._own = []
        self._ended.clear()
        for codec in (PCMU, PCMA, L16):
            self._groups[self._sounding + codec] = self._silence_address[codec]
        at = tick % self._silence.count * FRAME_BYTES
        self._groups[G722_CODEC::_CODECS] = self._silence_address[G722_CODEC] + np.uint64(at)
        self._sounding = self._sounding[:0]

    def _store(self, codes: npt.NDArray[np.uint8]) -> U64:
        """Keep frames (n, 160) until the next tick; their addresses (n,)."""
        first, self._used = self._used, self._used + len(codes)
        self._frames[first : self._used] = codes
        return (self._frames_base + np.arange(first, self._used) * FRAME_BYTES).astype(np.uint64)

    def _store_fine(self, codes: npt.NDArray[np.uint8]) -> U64:
        """As `_store`, for frames of L16 (n, 1920)."""
        first, self._fine_used = self._fine_used, self._fine_used + len(codes)
        self._fine_frames[first : self._fine_used] = codes
        return (self._fine_base + np.arange(first, self._fine_used) * l16.FRAME_BYTES).astype(np.uint64)

    def rooms(self, sums: RoomSums) -> None:
        """One frame per room with sound and codec that is listened to."""
        if len(sums.rooms) == 0:
            return
        groups = _FIRST_ROOM + _CODECS * sums.rooms
        self._sounding = groups
        pcm = _pcm16(sums.narrow).view(np.uint16)
        self._groups[groups + PCMU] = self._store(ENCODE_ULAW.take(pcm))
        if self._has_alaw:
            self._groups[groups + PCMA] = self._store(ENCODE_ALAW.take(pcm))
        if sums.wide is None:
            return
        for i, slot in enumerate(sums.rooms.tolist()):
            if slot in self._listeners_wide:
                coder = self._room_coders.get(slot)
                if coder is None:
                    coder = self._room_coders[slot] = settled_coder()
                self._groups[groups[i] + G722_CODEC] = self._store(_g722(coder, sums.wide[i]))[0]
        if sums.fine is not None:
            fine_groups = _FIRST_ROOM + _CODECS * sums.fine_rooms
            self._groups[fine_groups + L16] = self._store_fine(l16.encode(sums.fine))

    def speakers_narrow(self, sums: RoomSums, frames: F32, rows: Ints, slots: Ints) -> None:
        """The room without oneself, for those who add sound to it now."""
        if len(rows) == 0:
            return
        pcm = _pcm16(sums.narrow[sums.place(slots)] - frames).view(np.uint16)
        alaw = self._codec[rows] == PCMA
        for mask, table in ((~alaw, ENCODE_ULAW), (alaw, ENCODE_ALAW)):
            if mask.any():
                self._own.append((rows[mask], self._store(table.take(pcm[mask]))))

    def speakers_wide(self, sums: RoomSums, frames: F32, rows: Ints, room: Ints, tick: int) -> None:
        """As `speakers_narrow`; each keeps his own coder for a second after speaking, since a change of
        coder is a small click in his ear."""
        self._own_until[rows] = tick + _OWN_CODER_TICKS
        if len(rows) == 0 and not self._own_coders:
            return
        frame_of = {int(row): i for i, row in enumerate(rows.tolist())}
        for row in list(self._own_coders):
            if self._own_until[row] <= tick:
                del self._own_coders[row]
        silence = np.zeros(320, np.float32)
        sounding = set(sums.rooms.tolist())
        for row in {*frame_of, *self._own_coders}:
            slot = int(room[row])
            if slot in sounding and sums.wide is not None:
                heard = sums.wide[int(sums.place(np.array([slot]))[0])]
            else:
                heard = silence
            if row in frame_of:
                heard = heard - frames[frame_of[row]]
            coder = self._own_coders.get(row)
            if coder is None:
                coder = self._own_coders[row] = settled_coder()
            self._own.append((np.array([row]), self._store(_g722(coder, heard))))

    def speakers_fine(self, sums: RoomSums, frames: F32, rows: Ints, slots: Ints) -> None:
        """As `speakers_narrow`."""
        if len(rows) and sums.fine is not None:
            self._own.append((rows, self._store_fine(l16.encode(sums.fine[sums.place_fine(slots)] - frames))))

    def finish(self, tick: int) -> None:
        """Choose each leg's payload and move its header on."""
        self.tick = tick
        if self._music is not None:
            at = (tick % self._music.count) * FRAME_BYTES
            self._groups[_MUSIC : _MUSIC + 3] = np.array(self._music.address, np.uint64) + np.uint64(at)
            if self._fine_music:
                frame = tick % self._music.count
                self._groups[_MUSIC + L16] = self._unfold(_MUSIC_READER, self._music, frame)
        payloads = self._groups.take(self._order_group)
        for rows, addresses in self._own:
            listening = (self._place[rows] >= 0) & (self._group[rows] >= _FIRST_ROOM)
            payloads[self._place[rows[listening]]] = addresses[listening]
        playing = (self._play_left > 0).nonzero()[0]
        if len(playing):
            for row in playing[self._codec[playing] == L16].tolist() if len(self._fine_rows) else ():
                clip = self._playing[row].clips[0]
                self._play_address[row] = self._unfold(row, clip, clip.count - int(self._play_left[row]))
            audible = playing[self._place[playing] >= 0]
            payloads[self._place[audible]] = self._play_address[audible]
            self._play_address[playing] += np.uint64(FRAME_BYTES)
            self._play_left[playing] -= 1
            for row in playing[self._play_left[playing] == 0].tolist():
                self._ended.append(self._playing[row].clips.pop(0))
                self._next_clip(row)
        self.payloads = payloads
        top = self._top
        self._sends += 1
        self._header_seq[:top] = self._seq_offset[:top] + self._sends
        self._header_ts[:top] = self._ts_offset[:top] + tick * FRAME_BYTES
        if len(fine := self._fine_rows):
            self._header_ts[fine] = self._ts_offset[fine] + tick * l16.TICKS_PER_FRAME
        if len(self._marked) or len(self._fresh):
            self._headers[self._marked, 1] &= 0x7F
            self._headers[self._fresh, 1] |= 0x80
            self._marked, self._fresh = self._fresh, self._fresh[:0]

    def _unfold(self, reader: int, clip: Clip, at: int) -> np.uint64:
        """One frame of a clip as L16."""
        unfolded = self._unfolded.get(reader)
        if unfolded is None:
            unfolded = self._unfolded[reader] = l16.Unfolded()
        return np.uint64(self._store_fine(unfolded.frame(clip, at))[0])

    # For the socket, RTCP and tests.

    def header_addresses(self) -> U64:
        return (self._header_base + self.order.astype(np.uint64) * np.uint64(HEADER_BYTES)).astype(np.uint64)

    def name_addresses(self, legs: Legs) -> U64:
        return (legs.names.ctypes.data + self.order * NAME_BYTES).astype(np.uint64)

    def header(self, row: int) -> bytes:
        return bytes(self._headers[row])

    def ssrc(self, row: int) -> int:
        return int.from_bytes(self._headers[row, 8:12].tobytes(), "big")

    def sent(self, row: int) -> int:
        """Packets sent to a leg so far."""
        going_on = self._sends - int(self._since[row]) if self._place[row] >= 0 else 0
        return int(self._sent_before[row]) + going_on

    def octets(self, row: int) -> int:
        """Payload bytes of each packet to a leg."""
        return l16.FRAME_BYTES if self._codec[row] == L16 else FRAME_BYTES

    def rtp_timestamp(self, row: int) -> int:
        per_frame = l16.TICKS_PER_FRAME if self._codec[row] == L16 else FRAME_BYTES
        return int(self._ts_offset[row] + self.tick * per_frame) & 0xFFFFFFFF


def _pcm16(frames: F32) -> npt.NDArray[np.int16]:
    return np.rint(frames).clip(-32768, 32767).astype(np.int16)


def _g722(coder: G722.G722, frame: F32) -> npt.NDArray[np.uint8]:
    return np.frombuffer(coder.encode(_pcm16(frame)), np.uint8)[None, :]
