"""baresip as a telephone: an independent SIP and RTP stack, driven over its control port.

It speaks a sine (module ausine), records what it hears (module sndfile) and types keys itself.  Its
configuration is made in a folder of its own; everything stays on loopback.

Control messages are JSON in netstrings, `length:payload,`: commands from us, answers and events from it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import wave
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tests.support.product import free_port
from tests.support.sound import Sound

_MODULES = Path("/usr/lib/baresip/modules")
_KEY_GAP_S = 0.25
_CONFIG = """\
poll_method epoll
sip_listen 127.0.0.1:0
net_interface 127.0.0.1
call_local_timeout 120
call_max_calls 1
audio_source ausine,{hz}
audio_player aubridge,nobody
audio_alert aubridge,nobody
ausrc_srate 48000
ausrc_channels 2
audio_buffer 20-160
jitter_buffer_delay 2-10
module_path {modules}
module g711.so
module g722.so
module ausine.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {folder}
"""


def installed() -> bool:
    """Whether this machine has baresip with the modules that we use."""
    return shutil.which("baresip") is not None and (_MODULES / "ctrl_tcp.so").exists()


class Baresip:
    """One running baresip.

    codec: as baresip names it, such as "PCMA/8000/1".
    """

    def __init__(self, folder: Path, *, user: str, hz: int, codec: str) -> None:
        self.folder, self.user = folder, user
        self._control = free_port()
        folder.mkdir(parents=True)
        config = _CONFIG.format(hz=hz, modules=_MODULES, control=self._control, folder=folder)
        (folder / "config").write_text(config)
        (folder / "accounts").write_text(
            f"<sip:{user}@127.0.0.1;transport=udp>;regint=0;audio_codecs={codec}\n"
        )
        (folder / "contacts").write_text("")
        self.events: list[dict[str, Any]] = []
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def __enter__(self) -> Baresip:
        log = open(self.folder / "output", "wb")
        with log:
            self._process = subprocess.Popen(
                ["baresip", "-4", "-f", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until_s = time.monotonic() + 10
        while self._socket is None:
            try:
                self._socket = socket.create_connection(("127.0.0.1", self._control), timeout=10)
            except OSError:
                assert time.monotonic() < until_s, (self.folder / "output").read_text()
                time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._socket is not None:
            with contextlib.suppress(OSError, AssertionError):
                self.command("quit")
            self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def command(self, name: str, argument: str | None = None) -> str:
        """Give a command and wait for its answer, which must be good."""
        assert self._socket is not None
        message = {"command": name, "token": name} | ({} if argument is None else {"params": argument})
        payload = json.dumps(message)
        self._socket.sendall(f"{len(payload)}:{payload},".encode())
        while True:
            answer = self._next()
            if answer.get("response"):
                assert answer["ok"], answer
                return str(answer["data"])

    def wait_event(self, kind: str) -> dict[str, Any]:
        """Wait until baresip reports something, such as CALL_ESTABLISHED."""
        while True:
            for event in self.events:
                if event["type"] == kind:
                    self.events.remove(event)
                    return event
            self._next()

    def _next(self) -> dict[str, Any]:
        assert self._socket is not None
        while True:
            length, colon, rest = self._buffer.partition(b":")
            if colon and len(rest) > int(length):
                self._buffer = rest[int(length) + 1 :]
                message: dict[str, Any] = json.loads(rest[: int(length)])
                if message.get("event"):
                    self.events.append(message)
                return message
            data = self._socket.recv(65536)
            assert data, "baresip closed its control port"
            self._buffer += data

    def type(self, keys: str) -> None:
        """Press keys at the pace of a quick hand."""
        for key in keys:
            self.command("sndcode", key)
            time.sleep(_KEY_GAP_S)

    def recording(self) -> tuple[Sound, int]:
        """All that it heard, int16, and the rate; to be called when its calls are over.

        A change of the session, such as hold, begins a new file.
        """
        pieces: list[Sound] = []
        for path in sorted(self.folder.glob("dump-*-dec.wav")):
            with wave.open(str(path)) as file:
                pieces.append(np.frombuffer(file.readframes(file.getnframes()), np.int16))
                rate = file.getframerate()
        return np.concatenate(pieces), rate
