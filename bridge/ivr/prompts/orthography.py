"""From what is written in the catalogue to what eSpeak NG 1.52 can read aloud.

- **Hebrew** is read letter by letter without vowel points, and with points only in a certain spelling:
  after each letter first its dagesh or shin dot, then the vowel (Unicode's normal order is the reverse); a
  dagesh only where it changes the sound (bet, kaf, pe; vav as "u"); shin always dotted; sin as samekh;
  kubutz as vav with dagesh; the yod of a long "i" left out. `_hebrew` rewrites a text that way.
- **Japanese** must be kana, with words set apart by spaces. The particles は and へ at the end of a word are
  read "wa" and "e", and う after a syllable in "o" lengthens it.
- Other languages are read as written.
"""

import re
import unicodedata

__all__ = ["readable"]


def readable(text: str, language: str) -> str:
    """The text as the voice of a language (two letters) reads it best."""
    if language == "he":
        return _hebrew(text)
    if language == "ja":
        return _japanese(text)
    return text


_DAGESH, _SHIN_DOT, _SIN_DOT, _KUBUTZ, _HIRIQ = "\u05bc", "\u05c1", "\u05c2", "\u05bb", "\u05b4"
_VOWELS = "\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\u05ba\u05bb\u05c7"
_HARD_OR_SOFT = "בכפ"
_QAMATS, _HOLAM = "\u05b8", "\u05b9"
_SAME_SOUND = {"\u05c7": _HOLAM, "\u05ba": _HOLAM}

_HEBREW_LETTER = re.compile(r"([א-ת])([\u05b0-\u05c7]*)")
_SILENT_YOD = re.compile(f"({_HIRIQ})י(?![{_VOWELS}])")


def _hebrew(text: str) -> str:
    respelt = _HEBREW_LETTER.sub(_hebrew_letter, unicodedata.normalize("NFC", text))
    return _SILENT_YOD.sub(r"\1", respelt)


def _hebrew_letter(match: re.Match[str]) -> str:
    letter, marks = match[1], match[2]
    vowel = next((_SAME_SOUND.get(mark, mark) for mark in marks if mark in _VOWELS), "")
    dots = ""
    if letter == "ש":
        if _SIN_DOT in marks:
            letter = "ס"
        elif marks:
            dots = _SHIN_DOT
    elif _DAGESH in marks and (letter in _HARD_OR_SOFT or (letter == "ו" and not vowel)):
        dots = _DAGESH
    if vowel == _KUBUTZ:
        return f"{letter}{dots}ו{_DAGESH}"
    return letter + dots + vowel


_JAPANESE_PARTICLE = re.compile(r"(?<=[\sぁ-んァ-ヶー])([はへ])(?=[\s、。]|$)")
_JAPANESE_LONG_O = re.compile(r"([おこそとのほもよろごぞどぼぽょ])う")


def _japanese(text: str) -> str:
    spoken = _JAPANESE_PARTICLE.sub(lambda m: "わ" if m[1] == "は" else "え", text)
    return _JAPANESE_LONG_O.sub(r"\1ー", spoken)
