"""The announcer's booth: prompts become clips that the mixer can play.

Speech is made and encoded in a small thread pool, once; the mixer keeps the result.  When a mode change
makes a thousand callers hear the same words, they are made once and a thousand plays point at them: requests
for the same words share one future for as long as it is on its way.

A recording that an operator drops in while the bridge runs is found at the next play, because the library is
asked each time and answers with the same array as long as the sound is the same.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog

from bridge.ivr.prompt import Prompt
from bridge.ivr.prompts.library import PromptLibrary
from bridge.mixer.client import MixerClient
from bridge.mixer.clips import EncodedClip, encode_clip

Pcm16 = npt.NDArray[np.int16]

_log = structlog.get_logger(__name__)
_PAUSE_SAMPLES = 2240  # 0.14 s at 16 kHz, to which each clip's own lead adds
_MUSIC = "music"
_PAUSE = "pause"
ROOM_TONES = ("join", "leave")
_VARIANTS_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Made:
    key: Hashable
    clip: EncodedClip | None
    """None: the mixer has it already."""


def _be_nice() -> None:
    """Let this thread's work yield to calls."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)


class Booth:
    def __init__(self, library: PromptLibrary, mixer: MixerClient, *, threads: int = 2) -> None:
        self._library, self._mixer = library, mixer
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="booth")
        # Making the prompts of all languages takes a fresh bridge half a minute: no caller queues behind it.
        self._background = ThreadPoolExecutor(1, thread_name_prefix="booth-warm", initializer=_be_nice)
        self._coming: dict[tuple[tuple[Prompt, ...], str], asyncio.Future[list[_Made]]] = {}
        self._known: dict[tuple[Prompt, str], tuple[Pcm16, Hashable]] = {}
        self._serial = 0

    async def open(self, languages: list[str]) -> None:
        """Load the music; prompts of the languages are made in the background."""
        loop = asyncio.get_running_loop()
        music = await loop.run_in_executor(self._pool, lambda: encode_clip(self._library.music(), loop=True))
        self._mixer.load_clip(_MUSIC, music, keep=True)
        self._mixer.set_music(_MUSIC)
        self._mixer.load_clip(_PAUSE, encode_clip(np.zeros(_PAUSE_SAMPLES, np.int16)), keep=True)
        for name in ROOM_TONES:
            pcm = await loop.run_in_executor(self._pool, self._library.tone, name)
            tone = await loop.run_in_executor(self._pool, encode_clip, pcm)
            self._mixer.load_clip(("tone", name), tone, keep=True)
        self._warm(languages)

    def room_tone(self, room: int, name: str) -> None:
        """Let a room hear one of ROOM_TONES."""
        self._mixer.room_sound(room, ("tone", name))

    def _warm(self, languages: list[str]) -> None:
        for language in languages:
            self._background.submit(self._library.warm, [language])

    def close(self) -> None:
        for pool in (self._pool, self._background):
            pool.shutdown(wait=False, cancel_futures=True)

    def play(
        self, leg: int, play: int, prompts: tuple[Prompt, ...], language: str, *, wanted: Callable[[], bool]
    ) -> None:
        """Play prompts to a leg as soon as they are made, if they are still `wanted` then."""
        key = (prompts, language)
        coming = self._coming.get(key)
        if coming is None:
            loop = asyncio.get_running_loop()
            coming = loop.run_in_executor(self._pool, self._make, prompts, language)
            self._coming[key] = coming
            coming.add_done_callback(lambda _: self._coming.pop(key, None))
        coming.add_done_callback(lambda done: self._start(leg, play, done, wanted))

    def _make(self, prompts: tuple[Prompt, ...], language: str) -> list[_Made]:
        """In a thread of the pool."""
        made: list[_Made] = []
        for prompt in prompts:
            pcm = self._library.clip(prompt, language)
            known = self._known.get((prompt, language))
            if known is not None and known[0] is pcm and self._mixer.has_clip(known[1]):
                made.append(_Made(known[1], None))
                continue
            self._serial += 1
            made.append(_Made((prompt.key, language, self._serial), encode_clip(pcm)))
            if len(self._known) >= _VARIANTS_MAX:
                self._known.clear()
            self._known[prompt, language] = (pcm, made[-1].key)
        return made

    def _start(
        self, leg: int, play: int, done: asyncio.Future[list[_Made]], wanted: Callable[[], bool]
    ) -> None:
        if done.cancelled() or not wanted():
            return
        if (error := done.exception()) is not None:
            _log.error("prompt_failed", error=repr(error))
            self._mixer.play(leg, play, [_PAUSE])
            return
        keys: list[Hashable] = []
        for each in done.result():
            if each.clip is not None:
                self._mixer.load_clip(each.key, each.clip)
            if not self._mixer.has_clip(each.key):
                continue  # pushed out meanwhile by thousands of others
            keys += [_PAUSE, each.key] if keys else [each.key]
        self._mixer.play(leg, play, keys)
