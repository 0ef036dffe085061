"""Finished clips, kept in memory and on disk.

A clip's name is a hash of everything that made it, so a file is never stale and never needs a lock: writers
write beside and rename, the last one wins with the same content. Memory holds the clips used last, up to
`MEMORY_BYTES_MAX`. A disk that is full, read-only or gone costs the files, not the sound: it is logged,
once a minute at most, and counted.
"""

import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import structlog

from bridge.ivr.errors import RecordingError
from bridge.ivr.prompts.sound import RATE_HZ, Pcm16, to_pcm16
from bridge.ivr.prompts.wav import read_wav, wav_bytes

__all__ = ["ClipStore"]

MEMORY_BYTES_MAX = 64 * 2**20
LOG_EVERY_S = 60.0

_log = structlog.get_logger(__name__)


class ClipStore:
    """Clips by name, made when missing. Thread-safe; a clip wanted by two threads at once may be made
    twice.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._clips: OrderedDict[str, Pcm16] = OrderedDict()
        self._bytes = 0
        self._logged_s = float("-inf")
        self.disk_failures = 0
        """Files that could not be written or read."""

    def get(self, name: str, make: Callable[[], Pcm16], *, on_disk: bool = True) -> Pcm16:
        """The clip of that name: from memory, from disk, or `make()`. Whatever `make` raises is passed on."""
        with self._lock:
            clip = self._clips.get(name)
            if clip is not None:
                self._clips.move_to_end(name)
                return clip
        clip = self._read(name) if on_disk else None
        if clip is None:
            clip = make()
            if on_disk:
                self._write(name, clip)
        clip.setflags(write=False)
        self._keep(name, clip)
        return clip

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.wav"

    def _read(self, name: str) -> Pcm16 | None:
        try:
            samples, rate_hz = read_wav(self._path(name))
        except FileNotFoundError:
            return None
        except (OSError, RecordingError) as exc:
            self._failed("read", exc)
            return None
        return to_pcm16(samples) if rate_hz == RATE_HZ else None

    def _write(self, name: str, clip: Pcm16) -> None:
        temporary: str | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(wav_bytes(clip))
            os.replace(temporary, self._path(name))
        except OSError as exc:
            self._failed("write", exc)
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    def _keep(self, name: str, clip: Pcm16) -> None:
        with self._lock:
            before = self._clips.pop(name, None)
            self._bytes += clip.nbytes - (0 if before is None else before.nbytes)
            self._clips[name] = clip
            while self._bytes > MEMORY_BYTES_MAX and len(self._clips) > 1:
                _, oldest = self._clips.popitem(last=False)
                self._bytes -= oldest.nbytes

    def _failed(self, what: str, exc: Exception) -> None:
        self.disk_failures += 1
        if self._clock() - self._logged_s >= LOG_EVERY_S:
            self._logged_s = self._clock()
            _log.warning(f"prompt_cache_{what}_failed", error=str(exc), failures=self.disk_failures)
