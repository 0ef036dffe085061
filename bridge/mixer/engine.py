"""One tick of 20 ms for all legs of a worker, without I/O.

    intake    datagrams → jitter buffers, keys, statistics
    voices    two blocks of each leg that may speak → sound
    level     gate, levelling, who is talking
    rooms_mix sums per room, sums without oneself
    output    one frame per room and codec, one per speaker; an address per leg

There are three banks of voices, one per PCM rate: 8 and 16 kHz for telephones, 48 kHz for browsers.

A listener never has a frame of his own: he is sent the address of his room's frame in his codec, of the
music, of a prompt or of silence.  So a listener costs the tick two table look-ups.

`Mixer` takes commands and packets and the time, and leaves events in `events` and what is to be sent in
`outgoing`.  Costs, per leg and tick of a room of 1,000 listeners: see `bench/mixer`.
"""

import numpy as np
import numpy.typing as npt

from bridge.mixer import protocol as p
from bridge.mixer.clips import Clip
from bridge.mixer.inband import InbandKeys
from bridge.mixer.intake import Batch, Intake
from bridge.mixer.jitter import JitterBuffers
from bridge.mixer.legs import G722, L16, NO_ROOM, PCMA, Legs, MediaParameters
from bridge.mixer.level import Levels
from bridge.mixer.output import Output
from bridge.mixer.rooms_mix import RoomMixer
from bridge.mixer.stream import Streams
from bridge.mixer.voices import VoiceBank

Ints = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]

TICK_NS = 20_000_000
TURN_TICKS = 250
"""Every leg has its turn once in this time, for what need not be done in each tick (5 s)."""
FINE_REPORT_TICKS = 100
"""How often the quality of an L16 leg is told (2 s): somebody looks at it on a page."""


class _Bank:
    """The legs of one PCM rate whose sound is decoded, sorted by room."""

    def __init__(self, capacity: int, rate: int) -> None:
        self.rate = rate
        self.voices = VoiceBank(capacity, rate)
        self.inband = InbandKeys(capacity, rate)
        self.rows = np.zeros(0, np.int64)
        self.speak = np.zeros(0, np.bool_)
        self.toned = np.zeros(0, np.int64)  # indices into rows of in-band legs


class Mixer:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.legs = Legs(capacity)
        self.streams = Streams(capacity)
        self.buffers = JitterBuffers(capacity)
        self.intake = Intake(self.legs, self.streams, self.buffers)
        self.levels = Levels(capacity)
        self.rooms = RoomMixer(capacity)
        self.output = Output(capacity)
        self.events: list[p.Event] = []
        self._banks = tuple(_Bank(capacity, rate) for rate in (8000, 16000, 48000))
        self._bank_of = np.full(capacity, -1, np.int64)  # the bank that heard a row last, -1: none
        self._row_of: dict[int, int] = {}
        self._turns: list[dict[int, int]] = [{} for _ in range(TURN_TICKS)]
        self._fine_turns: list[dict[int, int]] = [{} for _ in range(FINE_REPORT_TICKS)]
        self._leg_of = np.full(capacity, -1, np.int64)
        self._free = list(range(capacity - 1, -1, -1))
        self._room = np.full(capacity, NO_ROOM, np.int64)  # slot
        self._speak = np.zeros(capacity, np.bool_)
        self._slot_of: dict[int, int] = {}
        self._members: dict[int, int] = {}
        self._free_slots = list(range(capacity - 1, -1, -1))
        self._sounds: list[tuple[int, F32, int]] = []
        self._reported_talking = np.zeros(capacity, np.bool_)
        self._stale = True

    # Commands.  A leg that is not known any more is ignored: its call ended while the command travelled.

    def add(self, leg: int, media: MediaParameters, *, ssrc: int) -> None:
        """Raises ValueError when the worker is full or the number is taken."""
        if leg in self._row_of or not self._free:
            raise ValueError("leg number taken" if leg in self._row_of else "no room for another leg")
        row = self._free.pop()
        self._row_of[leg], self._leg_of[row] = row, leg
        self._turns[leg % TURN_TICKS][leg] = row
        if media.codec == L16:
            self._fine_turns[leg % FINE_REPORT_TICKS][leg] = row
        self.intake.reset(row)
        self.levels.reset(row)
        self._forget(row)
        for bank in self._banks:
            bank.voices.concealed_blocks[row] = 0
        self._room[row], self._speak[row], self._reported_talking[row] = NO_ROOM, False, False
        self.legs.add(row, media)
        self.output.add(row, ssrc=ssrc, codec=media.codec)
        self._changed(row)

    def update(self, leg: int, media: MediaParameters) -> None:
        row = self._row_of.get(leg)
        if row is None:
            return
        if media.codec != self.legs.codec[row]:
            self.buffers.started[row] = False
            self._forget(row)
        self.legs.update(row, media, tick=self.output.tick)
        self._changed(row)

    def remove(self, leg: int) -> p.LegReport | None:
        row = self._row_of.pop(leg, None)
        if row is None:
            return None
        del self._turns[leg % TURN_TICKS][leg]
        self._fine_turns[leg % FINE_REPORT_TICKS].pop(leg, None)
        report = self.report(leg, row, final=True)
        self._enter(row, None)
        self.legs.remove(row)
        self.output.remove(row)
        self._leg_of[row] = -1
        self._free.append(row)
        self._stale = True
        return report

    def place(self, leg: int, *, room: int | None, speak: bool, hear: str) -> None:
        row = self._row_of.get(leg)
        if row is None:
            return
        self._enter(row, room)
        self._speak[row] = speak and room is not None
        slot = int(self._room[row])
        self.output.listen(row, hear=hear if hear != "room" or slot != NO_ROOM else "silence", slot=slot)
        self._changed(row)

    def play(self, leg: int, play: int, clips: list[Clip]) -> None:
        row = self._row_of.get(leg)
        if row is not None:
            self.output.play(row, play, clips)

    def stop_play(self, leg: int) -> None:
        row = self._row_of.get(leg)
        if row is not None:
            self.output.stop_play(row)

    def room_sound(self, room: int, clip: Clip) -> None:
        slot = self._slot_of.get(room)
        if slot is not None and len(self._sounds) < 64:
            self._sounds.append((slot, clip.narrow(), 0))

    # One tick.

    def receive(self, batch: Batch, *, tick: int, tick_ns: int) -> None:
        if self._stale:
            self._arrange(tick)
        self.intake.receive(
            batch, tick=tick, tick_ns=tick_ns, on_key=self._on_key, on_latched=self._on_latched
        )

    def mix(self, tick: int) -> None:
        """Compute what everybody hears in this tick; `output` then holds it."""
        if self._stale:
            self._arrange(tick)
        narrow, narrow_rows = self._voices(self._banks[0], tick)
        wide, wide_rows = self._voices(self._banks[1], tick)
        fine, fine_rows = self._voices(self._banks[2], tick)
        self._tell_talking()
        fine_slots = self._room[fine_rows]
        sums = self.rooms.mix(
            narrow,
            self._room[narrow_rows],
            wide,
            self._room[wide_rows],
            fine,
            fine_slots,
            self._play_sounds(),
        )
        self.output.begin(tick)
        self.output.rooms(sums)
        self.output.speakers_narrow(sums, narrow, narrow_rows, self._room[narrow_rows])
        self.output.speakers_wide(sums, wide, wide_rows, self._room, tick)
        self.output.speakers_fine(sums, fine, fine_rows, fine_slots)
        self.output.finish(tick)
        for row, play in self.output.played:
            self.events.append(p.Played(int(self._leg_of[row]), play))
        self.output.played.clear()

    def _voices(self, bank: _Bank, tick: int) -> tuple[F32, Ints]:
        """Shaped frames of the legs that contribute sound now, and their rows, sorted by room."""
        rows = bank.rows
        if len(rows) == 0:
            return np.zeros((0, bank.rate // 50), np.float32), rows
        move = self.buffers.plan(rows, tick, self.levels.talking[rows])
        law = (self.legs.codec[rows] == PCMA) * 256
        frame = bank.voices.hear(
            self.buffers, rows, law=law, move=move, silent_to=self.intake.silent_to, tick=tick
        )
        if len(bank.toned):
            frame[bank.toned], pressed = bank.inband.filter(rows[bank.toned], frame[bank.toned])
            for row, key in pressed:
                self._on_key(row, key)
        if not bank.speak.all():
            frame, rows = frame[bank.speak], rows[bank.speak]
        shaped, used = self.levels.shape(rows, frame, rate=bank.rate, tick=tick)
        return shaped, rows[used]

    def _play_sounds(self) -> list[tuple[int, F32]]:
        if not self._sounds:
            return []
        now = [(slot, frames[at]) for slot, frames, at in self._sounds]
        self._sounds = [(s, f, at + 1) for s, f, at in self._sounds if at + 1 < len(f)]
        return now

    def _tell_talking(self) -> None:
        changed = (self.levels.talking != self._reported_talking).nonzero()[0]
        for row in changed.tolist():
            on = bool(self.levels.talking[row])
            self._reported_talking[row] = on
            self.events.append(p.Talking(int(self._leg_of[row]), on))

    # Bookkeeping.

    def _arrange(self, tick: int) -> None:
        """Sort out who is decoded, by room, and who is sent to, by socket."""
        legs = self.legs
        decoded = legs.active & legs.receive & (self._speak | legs.inband)
        rows = decoded.nonzero()[0]
        rows = rows[np.argsort(self._room[rows], kind="stable")]
        codec = legs.codec[rows]
        narrow, wide, fine = rows[codec <= PCMA], rows[codec == G722], rows[codec == L16]
        self.buffers.fine.lend(fine)
        for number, (bank, mine) in enumerate(zip(self._banks, (narrow, wide, fine), strict=True)):
            bank.rows = mine
            self._bank_of[mine] = number
            bank.speak = self._speak[mine]
            bank.toned = (legs.inband[mine]).nonzero()[0]
        for row in (decoded != self.buffers.store).nonzero()[0].tolist():
            self.buffers.keep_sound(row, bool(decoded[row]), tick=tick)
            self._forget(row)
        members = legs.active & (self._room != NO_ROOM)
        self.rooms.wide[:] = self.rooms.fine[:] = False
        self.rooms.wide[self._room[members & (legs.codec >= G722)]] = True
        self.rooms.fine[self._room[members & (legs.codec == L16)]] = True
        self.output.arrange(legs)
        self._stale = False

    def _changed(self, row: int) -> None:
        self._stale = True
        if not (self._speak[row] and self.legs.receive[row]) and self.levels.hush(row):
            self._tell_talking()

    def _forget(self, row: int) -> None:
        """Nothing from before a mute, a hold or a change of codec is played or continued after it."""
        number = int(self._bank_of[row])
        if number >= 0:
            self._banks[number].voices.forget(row)
            self._banks[number].inband.reset(row)

    def _enter(self, row: int, room: int | None) -> None:
        """Move a leg to another room, opening and closing room slots as needed."""
        before = int(self._room[row])
        if room is not None and room not in self._slot_of:
            slot = self._slot_of[room] = self._free_slots.pop()
            self._members[slot] = 0
            self.rooms.reset(slot)
            self.output.reset_room(slot)
        after = NO_ROOM if room is None else self._slot_of[room]
        if after == before:
            return
        self._room[row] = after
        if after != NO_ROOM:
            self._members[after] += 1
        if before != NO_ROOM:
            self._members[before] -= 1
            if self._members[before] == 0:
                self._close_room(before)
        if after == NO_ROOM:
            self._speak[row] = False
            if self.levels.hush(row):
                self._tell_talking()

    def _close_room(self, slot: int) -> None:
        del self._members[slot]
        self._slot_of = {room: s for room, s in self._slot_of.items() if s != slot}
        self._sounds = [sound for sound in self._sounds if sound[0] != slot]
        self._free_slots.append(slot)

    def _on_key(self, row: int, key: str) -> None:
        self.events.append(p.KeyPressed(int(self._leg_of[row]), key))

    def _on_latched(self, row: int) -> None:
        ip, port = self.legs.remote(row)
        self.events.append(p.Latched(int(self._leg_of[row]), ip, port))
        self._stale = True

    # Reports.

    def rows(self) -> list[tuple[int, int]]:
        """(leg, row) of all legs."""
        return list(self._row_of.items())

    def row(self, leg: int) -> int | None:
        return self._row_of.get(leg)

    def due(self, tick: int) -> list[tuple[int, int]]:
        """(leg, row) of the legs whose turn it is, each once in TURN_TICKS."""
        return list(self._turns[tick % TURN_TICKS].items())

    def report_due(self, tick: int) -> list[tuple[int, int]]:
        """(leg, row) of the legs whose quality is told now: telephones in their turn, browsers more often."""
        fine = self._fine_turns[tick % FINE_REPORT_TICKS]
        turn = self._turns[tick % TURN_TICKS]
        return [*((leg, row) for leg, row in turn.items() if self.legs.codec[row] != L16), *fine.items()]

    def report(self, leg: int, row: int, *, final: bool) -> p.LegReport:
        reception = self.streams.report(row)
        heard = bool(reception.packets)
        concealed = sum(int(bank.voices.concealed_blocks[row]) for bank in self._banks)
        blocks = int(self.intake.packet_blocks[row])
        return p.LegReport(
            leg=leg,
            final=final,
            rx_pkts=reception.packets,
            tx_pkts=self.output.sent(row),
            lost_pkts=reception.lost,
            discarded_pkts=int(self.buffers.discarded[row]),
            loss_bursts=reception.gaps,
            jitter_avg_ms=reception.jitter_avg_ms,
            jitter_max_ms=reception.jitter_max_ms,
            rtt_ms=None,
            ptime_ms=blocks * 10 if blocks else None,
            delay_ms=self.delay_ms(row) if heard else None,
            concealed_ms=concealed * 10,
            last_rx_ns=int(self.streams.last_arrival_ns[row]) if heard else None,
        )

    def delay_ms(self, row: int) -> float | None:
        """Time that sound now waits between its arrival and its tick, at the most."""
        need = max(float(self.buffers.need_now[row]), float(self.buffers.need_before[row]))
        if not self.buffers.started[row] or need < -1e8:
            return None
        return 10.0 * (self.buffers.offset(row, self.output.tick) - need)
