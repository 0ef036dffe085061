"""The prompt catalogue: what each prompt says in each language.

One YAML file per language in `texts/`, named by its BCP 47 tag. A text is a sentence, or a table from
plural category (see `numerals`) or exact number (`"=1"`) to sentences. Placeholders: the arguments of the
prompt ({key} is spoken as the name of that key, {n} as a number in words, `{n:rank}` and other forms as
`numerals` has them, {digits} digit by digit with a short pause between groups) and {hash} and {star}, the
names of these keys, everywhere. A file may `extends:`
another and hold only what differs.

A language that is not there falls back on its base (`fr-CA` → `fr`), then on English.
"""

import re
import string
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import yaml

from bridge.ivr.errors import CatalogueError
from bridge.ivr.prompt import Prompt
from bridge.ivr.prompts.numerals import number_words, plural_category

__all__ = ["FALLBACK", "Catalogue", "LanguageTexts", "Voice", "load_catalogue", "normal_tag"]

TEXTS_DIR = Path(__file__).parent / "texts"
FALLBACK = "en"
NAME_CHARS_MAX = 80
"""An event name is spoken up to here: a caller waits for the rest of the sentence."""

NAME_ARGUMENT = "event"
"""The one placeholder that callers' hosts fill: free text, unlike keys and numbers."""

DIGITS_ARGUMENT = "digits"
"""A telephone number in groups, as `+44 20 7946 0018`."""

Text: TypeAlias = str | Mapping[str, str]

_ALIASES = {"iw": "he", "no": "nb", "nn": "nb"}
_FORMATTER = string.Formatter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Which voice of the synthesiser speaks a language, and how fast."""

    name: str
    words_per_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageTexts:
    """One language of the catalogue."""

    tag: str
    name: str
    voice: Voice
    scripts: tuple[str, ...]
    """First words of the Unicode names of letters that the voice can read, in lower case."""
    keys: Mapping[str, str]
    texts: Mapping[str, Text] = field(repr=False)

    @property
    def base(self) -> str:
        """The language without its region, for its grammar."""
        return self.tag.partition("-")[0]

    def can_say(self, name: str) -> bool:
        """Whether the voice can read a name: it has something to read, in letters of its scripts only."""
        letters = [c for c in name if c.isalpha()]
        known = all(unicodedata.name(c, "").lower().startswith(self.scripts) for c in letters)
        return known and any(c.isalnum() for c in name)


def normal_tag(language: str) -> str:
    """A BCP 47 tag as files are named: `pt_BR` → `pt-br`, `no` → `nb`."""
    base, _, rest = language.replace("_", "-").lower().partition("-")
    base = _ALIASES.get(base, base)
    return f"{base}-{rest}" if rest else base


class Catalogue:
    """All texts in all languages."""

    def __init__(self, languages: Mapping[str, LanguageTexts]) -> None:
        if FALLBACK not in languages:
            raise CatalogueError(f"the prompt catalogue has no {FALLBACK}")
        self._languages = MappingProxyType(dict(languages))

    def languages(self) -> tuple[str, ...]:
        """The tags of all languages, sorted."""
        return tuple(sorted(self._languages))

    def prompt_keys(self) -> tuple[str, ...]:
        """The keys of all prompts, sorted."""
        return tuple(sorted(self._languages[FALLBACK].texts))

    def needs_arguments(self, key: str) -> bool:
        """Whether a prompt says something that only the call knows."""
        return bool(placeholders(self._languages[FALLBACK].texts[key]))

    def chain(self, language: str) -> tuple[LanguageTexts, ...]:
        """The languages in which to look for a text, best first, English last."""
        tag = normal_tag(language)
        tags = [tag]
        while "-" in tag:
            tag = tag.rpartition("-")[0]
            tags.append(tag)
        return tuple(self._languages[t] for t in dict.fromkeys([*tags, FALLBACK]) if t in self._languages)

    def text(self, prompt: Prompt, language: str) -> tuple[str, LanguageTexts]:
        """The sentence for a prompt, and the language that it is in. Raises CatalogueError."""
        for texts in self.chain(language):
            key = _key_that_can_be_said(prompt, texts)
            if key in texts.texts:
                return _filled(texts.texts[key], prompt, texts), texts
        raise CatalogueError(f"the prompt catalogue has no {prompt.key!r}")

    def problems(self) -> list[str]:
        """What is incomplete: keys or placeholders that English has and another language has not, or vice
        versa.
        """
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        english = self._languages[FALLBACK].texts
        for tag, own in self._languages.items():
            for key in sorted(english.keys() ^ own.texts.keys()):
                yield f"{tag}: {'lacks' if key in english else 'has an unknown'} {key}"
            for key in sorted(english.keys() & own.texts.keys()):
                if placeholders(english[key]) != placeholders(own.texts[key]):
                    yield f"{tag}: {key} has other placeholders than English"
            for key in "#*+":
                if key not in own.keys:
                    yield f"{tag}: has no name for the key {key}"


def placeholders(text: Text) -> frozenset[str]:
    """The names in braces that a text needs from its prompt."""
    sentences = [text] if isinstance(text, str) else list(text.values())
    names = {name for s in sentences for _, name, _, _ in _FORMATTER.parse(s) if name}
    return frozenset(names - {"hash", "star"})


def _key_that_can_be_said(prompt: Prompt, texts: LanguageTexts) -> str:
    name = prompt.argument(NAME_ARGUMENT)
    if name is not None and not texts.can_say(str(name)):
        return f"{prompt.key}-unnamed"
    return prompt.key


def _filled(text: Text, prompt: Prompt, texts: LanguageTexts) -> str:
    sentence = text if isinstance(text, str) else _chosen(text, prompt, texts)
    parts: list[str] = []
    for literal, name, form, _ in _FORMATTER.parse(sentence):
        parts.append(literal)
        if name:
            parts.append(_spoken(name, form or "", prompt, texts))
    return "".join(parts)


def _chosen(table: Mapping[str, str], prompt: Prompt, texts: LanguageTexts) -> str:
    n = prompt.argument("n")
    if not isinstance(n, int):
        raise CatalogueError(f"{prompt.key!r} needs a number")
    for selector in (f"={n}", plural_category(n, texts.base), "other"):
        if selector in table:
            return table[selector]
    raise CatalogueError(f"{texts.tag}: {prompt.key!r} has no text for {n}")


def _spoken(name: str, form: str, prompt: Prompt, texts: LanguageTexts) -> str:
    if name in ("hash", "star"):
        return texts.keys["#" if name == "hash" else "*"]
    value = prompt.argument(name)
    if value is None:
        raise CatalogueError(f"{texts.tag}: {prompt.key!r} needs {name!r}")
    if isinstance(value, int):
        return number_words(value, texts.base, form)
    if name == NAME_ARGUMENT:
        return _tidy(value)
    if name == DIGITS_ARGUMENT:
        return digit_by_digit(value, texts)
    return texts.keys[value] if value in texts.keys else number_words(int(value), texts.base)


def digit_by_digit(number: str, texts: LanguageTexts) -> str:
    """A number of digits, spaces and a plus, in words; a comma, and so a pause, for each space."""
    groups = (
        " ".join(texts.keys.get(sign) or number_words(int(sign), texts.base) for sign in group)
        for group in number.split()
    )
    return ", ".join(groups)


def _tidy(name: str) -> str:
    """A name as it can be read aloud: no control characters, no marks with a meaning to the synthesiser."""
    plain = re.sub(r"[^\w\s.,'’+&-]|_", " ", unicodedata.normalize("NFC", name))
    return " ".join(plain.split())[:NAME_CHARS_MAX].strip()


@lru_cache(maxsize=2)
def load_catalogue(folder: Path = TEXTS_DIR) -> Catalogue:
    """Read every language file of a folder. Raises CatalogueError with file and reason."""
    raw: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            raw[path.stem] = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as exc:
            raise CatalogueError(f"{path.name}: {exc}") from exc
    return Catalogue({tag: _language(tag, raw) for tag in raw})


def _language(tag: str, raw: Mapping[str, dict[str, Any]]) -> LanguageTexts:
    own = raw[tag]
    base = raw[own["extends"]] if "extends" in own else {}
    try:
        return LanguageTexts(
            tag=tag,
            name=own["name"],
            voice=Voice(**own["voice"]),
            scripts=tuple(own["scripts"] if "scripts" in own else base["scripts"]),
            keys=MappingProxyType({**base.get("keys", {}), **own["keys"]}),
            texts=MappingProxyType({**base.get("texts", {}), **own["texts"]}),
        )
    except (KeyError, TypeError) as exc:
        raise CatalogueError(f"{tag}.yaml: {exc!r}") from exc
