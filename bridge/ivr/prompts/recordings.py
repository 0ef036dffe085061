"""Recordings of the operator: files that win over the synthesiser.

`<folder>/<language>/<prompt>.wav`, such as `fr/welcome.wav`. A prompt with an argument has it in the name:
`fr/headcount.7.wav`, `fr/help.headcount.hash.wav` (`hash` and `star` for `#` and `*`). Names of events
and telephone numbers cannot be recorded. Any sample rate, 8 to 32 bits, mono or stereo; loudness is levelled
to that of the voice.

A file dropped in, replaced or removed is noticed at the next use, by its modification time and size. A file
that cannot be used is logged once per change and skipped.
"""

import threading
from collections.abc import Iterable
from pathlib import Path

import structlog

from bridge.ivr.errors import RecordingError
from bridge.ivr.prompt import Prompt
from bridge.ivr.prompts.sound import Pcm16, at_level, to_pcm16, to_rate
from bridge.ivr.prompts.wav import read_wav

__all__ = ["Recordings", "recording_name"]

KEY_NAMES = {"#": "hash", "*": "star"}

_log = structlog.get_logger(__name__)

_Stamp = tuple[int, int]


def recording_name(prompt: Prompt) -> str | None:
    """The file name for a prompt without its `.wav`; None when it cannot be recorded."""
    parts = [prompt.key]
    for name, value in prompt.args:
        if isinstance(value, int):
            parts.append(str(value))
        elif name == "key":
            parts.append(KEY_NAMES.get(value, value))
        else:
            return None
    return ".".join(parts)


class Recordings:
    """The prompt folder. Thread-safe; missing folders are no recordings."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._clips: dict[Path, tuple[_Stamp, Pcm16 | None]] = {}

    def clip(self, prompt: Prompt, languages: Iterable[str]) -> Pcm16 | None:
        """The recording of a prompt in the first of these languages that has one."""
        name = recording_name(prompt)
        if name is None:
            return None
        for language in languages:
            clip = self._load(self._folder / language / f"{name}.wav")
            if clip is not None:
                return clip
        return None

    def problems(self, *, languages: Iterable[str], keys: Iterable[str]) -> list[str]:
        """What is wrong with the folder: files that no prompt uses, and files that cannot be used."""
        known_languages, known_keys = frozenset(languages), frozenset(keys)
        found: list[str] = []
        for path in sorted(self._folder.glob("**/*")) if self._folder.is_dir() else []:
            if path.is_dir() or path.name.startswith("."):
                continue
            shown = path.relative_to(self._folder)
            if path.suffix != ".wav" or len(shown.parts) != 2 or shown.parts[0] not in known_languages:
                found.append(f"{shown}: no prompt; expected <language>/<prompt>.wav")
            elif path.stem not in known_keys and path.stem.rpartition(".")[0] not in known_keys:
                found.append(f"{shown}: there is no prompt of this name")
            else:
                try:
                    read_wav(path)
                except (RecordingError, OSError) as exc:
                    found.append(f"{shown}: {exc}")
        return found

    def _load(self, path: Path) -> Pcm16 | None:
        try:
            stat = path.stat()
        except OSError:
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        with self._lock:
            known = self._clips.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        clip = _read(path)
        with self._lock:
            self._clips[path] = (stamp, clip)
        return clip


def _read(path: Path) -> Pcm16 | None:
    try:
        samples, rate_hz = read_wav(path)
    except (RecordingError, OSError) as exc:
        _log.error("prompt_recording_unusable", file=f"{path.parent.name}/{path.name}", error=str(exc))
        return None
    clip = to_pcm16(at_level(to_rate(samples, rate_hz)))
    clip.setflags(write=False)
    return clip
