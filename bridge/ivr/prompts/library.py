"""Every sound that the bridge makes itself: prompts, hold music, tones.

A prompt is, in this order: the operator's recording, a clip made before, a clip made now. What can fail on
the way (no synthesiser, no disk, a text that is missing) ends in a short error tone and a log line, never
in an exception: a caller who hears a beep can still press keys.
"""

import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import structlog

from bridge.ivr.errors import IvrError, SpeechError
from bridge.ivr.prompt import Prompt, prompt
from bridge.ivr.prompts.catalogue import NAME_ARGUMENT, Catalogue, LanguageTexts, load_catalogue
from bridge.ivr.prompts.music import MUSIC_VERSION, hold_music
from bridge.ivr.prompts.orthography import readable
from bridge.ivr.prompts.recordings import Recordings
from bridge.ivr.prompts.sound import Pcm16, at_level, silence, to_pcm16, to_rate, trimmed
from bridge.ivr.prompts.store import ClipStore
from bridge.ivr.prompts.tones import tone
from bridge.ivr.speech import Speaker

__all__ = ["PromptLibrary"]

SHAPING_VERSION = 1
"""Part of a clip's name; raised whenever the same text would sound different."""

PAUSE_S = 0.22
"""Between the prompts of one utterance."""

_log = structlog.get_logger(__name__)


class PromptLibrary:
    """Sound for prompts. Thread-safe; clips are shared and read-only: mono int16 at 16 kHz."""

    def __init__(
        self,
        *,
        cache_dir: Path,
        recordings_dir: Path,
        catalogue: Catalogue | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self._cache_dir = cache_dir
        self._catalogue = catalogue or load_catalogue()
        self._speaker = speaker or Speaker()
        self._recordings = Recordings(recordings_dir)
        self._store = ClipStore(cache_dir)
        self._music_lock = threading.Lock()
        self.failures = 0
        """Prompts that became an error tone."""

    @property
    def cache_failures(self) -> int:
        """Cache files that could not be written or read."""
        return self._store.disk_failures

    def languages(self) -> tuple[str, ...]:
        """Tags of the languages that the catalogue has."""
        return self._catalogue.languages()

    def clip(self, prompt: Prompt, language: str) -> Pcm16:
        """One prompt in a language, or in what that language falls back on. Prompts `tone.<name>` are
        tones.
        """
        kind, _, name = prompt.key.partition(".")
        if kind == "tone":
            return self.tone(name)
        try:
            chain = self._catalogue.chain(language)
            own = [each.tag for each in chain if each.base == chain[0].base]
            recorded = self._recordings.clip(prompt, own)
            return self._spoken(prompt, language) if recorded is None else recorded
        except IvrError as exc:
            self.failures += 1
            _log.error("prompt_failed", prompt=prompt.key, language=language, error=str(exc))
            return self.tone("error")

    def utterance(self, prompts: Iterable[Prompt], language: str) -> Pcm16:
        """Several prompts as one clip, with a short pause between them."""
        parts: list[Pcm16] = []
        for each in prompts:
            parts += [silence(PAUSE_S)] * bool(parts) + [self.clip(each, language)]
        return np.concatenate(parts) if parts else silence(0)

    def tone(self, name: str) -> Pcm16:
        """A tone by name (`tones.TONES`); an unknown name is the error tone."""
        return self._store.get(f"tone-{name}", lambda: _tone(name), on_disk=False)

    def music(self) -> Pcm16:
        """The hold music: a loop without a seam. Takes a second or two when it was never made before."""
        with self._music_lock:
            return self._store.get(f"music-{MUSIC_VERSION}", hold_music)

    def warm(self, languages: Iterable[str]) -> int:
        """Make the prompts that have no argument, in these languages; how many. For a background thread."""
        count = 0
        for language in languages:
            for key in self._catalogue.prompt_keys():
                if not self._catalogue.needs_arguments(key):
                    self.clip(prompt(key), language)
                    count += 1
        return count

    def check(self) -> list[str]:
        """What is wrong, a sentence each; for `doctor`."""
        problems = [f"prompt texts: {each}" for each in self._catalogue.problems()]
        for tag in self.languages():
            try:
                self._speaker.check(self._catalogue.chain(tag)[0].voice.name)
            except SpeechError as exc:
                problems.append(f"speech for {tag}: {exc}")
        keys = self._catalogue.prompt_keys()
        recordings = self._recordings.problems(languages=self.languages(), keys=keys)
        problems += [f"prompt recording {each}" for each in recordings]
        try:
            self._cache_dir.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            problems.append(f"prompt cache {self._cache_dir}: {exc}; prompts are made anew after each start")
        else:
            if not os.access(self._cache_dir, os.W_OK):
                problems.append(f"prompt cache {self._cache_dir} is not writable; prompts are made anew")
        return problems

    def _spoken(self, prompt: Prompt, language: str) -> Pcm16:
        text, texts = self._catalogue.text(prompt, language)
        named = prompt.argument(NAME_ARGUMENT) is not None
        # Names of events are their hosts' business: such clips stay in memory.
        return self._store.get(_clip_name(text, texts), lambda: self._make(text, texts), on_disk=not named)

    def _make(self, text: str, texts: LanguageTexts) -> Pcm16:
        samples, rate_hz = self._speaker.speak(
            readable(text, texts.base), voice=texts.voice.name, words_per_minute=texts.voice.words_per_minute
        )
        return to_pcm16(at_level(trimmed(to_rate(samples, rate_hz))))


def _clip_name(text: str, texts: LanguageTexts) -> str:
    made_of = (text, texts.voice.name, str(texts.voice.words_per_minute), str(SHAPING_VERSION))
    return hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:40]


def _tone(name: str) -> Pcm16:
    try:
        return tone(name)
    except KeyError:
        return tone("error")
