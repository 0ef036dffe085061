"""Reading the WAV files that operators drop in, and writing our own.

RIFF: a header `RIFF size WAVE`, then chunks `id size data`, each padded to an even length. `fmt ` names the
coding: 1 is integer PCM (8 bits unsigned, else signed little-endian), 3 float, 0xFFFE "extensible", where
the true coding is the first two bytes of the sub-format GUID; editors write that one for 24 bits. The
standard library's reader refuses it in Python 3.11, hence this one. Sizes in headers are not believed
further than the file reaches.
"""

import struct
from pathlib import Path

import numpy as np

from bridge.ivr.errors import RecordingError
from bridge.ivr.prompts.sound import RATE_HZ, Pcm16, Samples

__all__ = ["read_wav", "wav_bytes"]

SECONDS_MAX = 120
BYTES_MAX = 64 * 2**20
RATES_HZ = range(4_000, 192_001)

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def read_wav(path: Path) -> tuple[Samples, int]:
    """Read a file: mono samples of full scale ±1, and their rate in Hz.

    Channels are averaged. Raises RecordingError with the reason, OSError when it cannot be read at all.
    """
    if path.stat().st_size > BYTES_MAX:
        raise RecordingError(f"is larger than {BYTES_MAX // 2**20} MiB")
    return parse_wav(path.read_bytes())


def parse_wav(data: bytes) -> tuple[Samples, int]:
    """The same from bytes."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise RecordingError("is no WAV file")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        chunks.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    header, body = chunks.get(b"fmt ", b""), chunks.get(b"data", b"")
    if len(header) < 16:
        raise RecordingError("has no format chunk")
    coding, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", header)
    if coding == _EXTENSIBLE and len(header) >= 26:
        (coding,) = struct.unpack_from("<H", header, 24)
    if rate_hz not in RATES_HZ or not 1 <= channels <= 8:
        raise RecordingError(f"has {channels} channels at {rate_hz} Hz")
    samples = _decoded(body, coding, bits)
    samples = samples[: len(samples) // channels * channels].reshape(-1, channels).mean(axis=1)
    if not len(samples):
        raise RecordingError("is empty")
    if len(samples) > SECONDS_MAX * rate_hz:
        raise RecordingError(f"is longer than {SECONDS_MAX} s")
    if not np.isfinite(samples).all():
        raise RecordingError("holds values that are no numbers")
    return np.clip(samples, -1.0, 1.0), rate_hz


def _decoded(body: bytes, coding: int, bits: int) -> Samples:
    width = bits // 8
    body = body[: len(body) // width * width] if width else b""
    if (coding, bits) == (_PCM, 8):
        return (np.frombuffer(body, np.uint8).astype(np.float64) - 128.0) / 128.0
    if (coding, bits) == (_PCM, 24):
        parts = np.frombuffer(body, np.uint8).reshape(-1, 3).astype(np.int32)
        whole = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2].astype(np.int8).astype(np.int32) << 16
        return np.asarray(whole / 2.0**23)
    plain = {(_PCM, 16): ("<i2", 2.0**15), (_PCM, 32): ("<i4", 2.0**31), (_FLOAT, 32): ("<f4", 1.0)}
    if (coding, bits) not in plain:
        raise RecordingError(f"has coding {coding} with {bits} bits; save it as 16-bit PCM")
    dtype, full = plain[coding, bits]
    return np.frombuffer(body, dtype).astype(np.float64) / full


def wav_bytes(pcm: Pcm16) -> bytes:
    """A mono 16-bit file at RATE_HZ."""
    body = pcm.astype("<i2").tobytes()
    header = struct.pack("<HHIIHH", _PCM, 1, RATE_HZ, RATE_HZ * 2, 2, 16)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16)
        + header
        + struct.pack("<4sI", b"data", len(body))
        + body
    )
