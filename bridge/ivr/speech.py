"""Speech from eSpeak NG, called as a C library.

The library and its voices come inside the `espeakng-loader` wheel; nothing needs to be installed on the
machine. API after `espeak-ng/speak_lib.h` 1.52: initialise for synchronous output, choose a voice, set
rate, synthesise; the samples come through a callback that runs on the calling thread before the call
returns. The library keeps one global state, so one lock guards it, whichever thread asks; a prompt takes 10
to 30 ms.

A trap: speaking after a voice was *not* found crashes the process, so a voice is always chosen first and
its result checked.
"""

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bridge.ivr.errors import SpeechError
from bridge.ivr.prompts.sound import Samples

__all__ = ["Speaker"]

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_PARAMETER_RATE = 1
_POSITION_CHARACTER = 1
_PHONEMES_IPA = 2
_EE_OK = 0

_LOCK = threading.Lock()
"""eSpeak NG is one per process, and so is this."""

_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    """Turns text into samples. Loads the library when first needed; thread-safe."""

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None
        self._rate_hz = 0
        self._chunks: list[bytes] = []
        self._callback: Callable[..., int] = _SynthCallback(self._on_samples)

    def speak(self, text: str, *, voice: str, words_per_minute: int) -> tuple[Samples, int]:
        """Speak a text: samples of full scale ±1 as the voice gives them, and their rate in Hz.

        Raises SpeechError when the library or the voice is missing, or when no sound comes out.
        """
        with _LOCK:
            library = self._with_voice(voice)
            library.espeak_SetSynthCallback(self._callback)
            library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
            self._chunks.clear()
            raw = text.encode() + b"\0"
            error = library.espeak_Synth(raw, len(raw), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None)
            pcm = np.frombuffer(b"".join(self._chunks), np.int16)
            self._chunks.clear()
        if error != _EE_OK or not pcm.any():
            raise SpeechError(f"eSpeak NG made no sound with voice {voice!r} (error {error})")
        return pcm / 32768.0, self._rate_hz

    def phonemes(self, text: str, *, voice: str) -> str:
        """How the voice would pronounce a text, in IPA; `(en)` marks what it spells in English."""
        with _LOCK:
            library = self._with_voice(voice)
            raw = ctypes.create_string_buffer(text.encode())
            rest = ctypes.c_void_p(ctypes.addressof(raw))
            clauses: list[str] = []
            while rest.value:
                clause = library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, _PHONEMES_IPA)
                clauses.append(clause.decode())
        return " ".join(clauses)

    def version(self) -> str:
        """The version of eSpeak NG. Raises SpeechError when it cannot be loaded."""
        with _LOCK:
            info: bytes = self._loaded().espeak_Info(None)
        return info.decode()

    def check(self, voice: str) -> None:
        """Raises SpeechError when the voice cannot be used."""
        with _LOCK:
            self._with_voice(voice)

    def _with_voice(self, voice: str) -> ctypes.CDLL:
        library = self._loaded()
        if library.espeak_SetVoiceByName(voice.encode()) != _EE_OK:
            raise SpeechError(f"eSpeak NG has no voice {voice!r}")
        return library

    def _loaded(self) -> ctypes.CDLL:
        if self._library is None:
            self._library, self._rate_hz = _load()
        return self._library

    def _on_samples(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, count * 2))
        return 0


@cache
def _load() -> tuple[ctypes.CDLL, int]:
    """The library, initialised: once per process, since doing it twice crashes a later synthesis."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        data = str(espeakng_loader.get_data_path()).encode()
    except (ImportError, OSError) as exc:
        raise SpeechError(f"eSpeak NG cannot be loaded: {exc}") from exc
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    rate_hz = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _INITIALIZE_DONT_EXIT)
    if rate_hz <= 0:
        raise SpeechError("eSpeak NG does not find its voices")
    return library, rate_hz
