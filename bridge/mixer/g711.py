"""G.711 µ-law and A-law as table look-ups (ITU-T G.711).

A codec of 256 code words is two tables: 256 entries from code to linear, 65536 from linear to code.
Decoding and encoding a whole batch of legs is then one `take` each.  Both laws share one decoding table
of 512 entries, indexed by `code + 256 * is_alaw`, so that legs of both laws decode in one look-up.

Linear values are 16-bit: 14-bit µ-law magnitudes are scaled by 4 and 13-bit A-law ones by 8, as every
telephone stack does, so full scale is 32124 (µ-law) and 32256 (A-law).
"""

import numpy as np
import numpy.typing as npt

Pcm16 = npt.NDArray[np.int16]
Codes = npt.NDArray[np.uint8]

_BIAS = 132  # µ-law bias of 33 in 14 bits, scaled by 4


def _ulaw_to_linear() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0xFF
    exponent = (code >> 4) & 7
    magnitude = ((((code & 15) << 3) + _BIAS) << exponent) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_to_linear() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code >> 4) & 7
    mantissa = ((code & 15) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 0x100) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest_code(decode: npt.NDArray[np.int16]) -> Codes:
    """Code word of the nearest linear value, for each int16 viewed as uint16.

    G.711 defines decision values halfway between neighbouring outputs, which is nearest neighbour.
    """
    order = np.argsort(decode, kind="stable")
    levels = decode[order].astype(np.int64)
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    upper = np.clip(np.searchsorted(levels, linear), 1, 255)
    choose_upper = (levels[upper] - linear) <= (linear - levels[upper - 1])
    return order[np.where(choose_upper, upper, upper - 1)].astype(np.uint8)


DECODE: npt.NDArray[np.int16] = np.concatenate([_ulaw_to_linear(), _alaw_to_linear()])
"""int16 (512,): µ-law codes, then A-law codes."""

DECODE_F32: npt.NDArray[np.float32] = DECODE.astype(np.float32)

ENCODE_ULAW: Codes = _nearest_code(DECODE[:256])
ENCODE_ALAW: Codes = _nearest_code(DECODE[256:])
ENCODE_ULAW[0] = 0xFF  # positive zero, which is what silence is on the wire
ENCODE_ALAW[0] = 0xD5

ULAW_SILENCE = 0xFF
ALAW_SILENCE = 0xD5


def encode(pcm: Pcm16, *, alaw: bool) -> Codes:
    """Encode int16 samples of any shape to code words of the same shape."""
    table = ENCODE_ALAW if alaw else ENCODE_ULAW
    return table.take(pcm.view(np.uint16))


def decode(codes: Codes, *, alaw: bool) -> Pcm16:
    """Decode code words of any shape to int16 samples of the same shape."""
    return DECODE[256:].take(codes) if alaw else DECODE[:256].take(codes)
