"""Numbers in words, and which plural they take, by each language's rules.

Plural categories are those of Unicode CLDR for whole numbers (one, two, few, many, other; CLDR "Language
Plural Rules"). Words come from num2words where it knows the form we need, otherwise from `numerals_own`.
Forms:

- cardinal (no form): "seven", as one counts;
- `f`: the same before a feminine noun, where that differs: "vingt et une", "dwie", "duas";
- `people`: Japanese only, with the counter for people: "ふたり", "よにん";
- `rank`: a place in a queue, as the sentence of that language needs it: "third", "troisième", "трете",
  "third place".

Beyond `WORDS_MAX` a number is left to the synthesiser as digits.
"""

from collections.abc import Callable

from num2words import num2words

from bridge.ivr.prompts import numerals_own as own

__all__ = ["FORMS", "WORDS_MAX", "number_words", "plural_category"]

WORDS_MAX = 9999

FORMS = ("", "f", "people", "rank")


def plural_category(n: int, language: str) -> str:
    """The CLDR plural category of `n` ≥ 0 in a language (two letters)."""
    rule = _PLURALS.get(language)
    return _one_other(n) if rule is None else rule(n)


def number_words(n: int, language: str, form: str = "") -> str:
    """`n` ≥ 0 in words of a language (two letters). Raises ValueError for a form that it has not."""
    if n > WORDS_MAX:
        return str(n)
    words = _WORDS.get((language, form))
    if words is not None:
        return words(n)
    if form:
        raise ValueError(f"{language} has no form {form!r}")
    return str(num2words(n, lang=_N2W_NAME.get(language, language)))


def _one_other(n: int) -> str:
    return "one" if n == 1 else "other"


def _french(n: int) -> str:
    return "one" if n in (0, 1) else "other"


def _czech(n: int) -> str:
    return "one" if n == 1 else "few" if 2 <= n <= 4 else "other"


def _hebrew(n: int) -> str:
    return "one" if n == 1 else "two" if n == 2 else "other"


def _polish(n: int) -> str:
    if n == 1:
        return "one"
    return "few" if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else "many"


def _russian(n: int) -> str:
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else "many"


_PLURALS: dict[str, Callable[[int], str]] = {
    "cs": _czech,
    "fr": _french,
    "he": _hebrew,
    "ja": lambda _n: "other",
    "pl": _polish,
    "pt": _french,
    "ru": _russian,
}

_N2W_NAME = {"nb": "no", "pt": "pt_BR"}


def _cardinal(n: int, language: str) -> str:
    return number_words(n, language)


def _ordinal(n: int, language: str) -> str:
    return str(num2words(n, lang=_N2W_NAME.get(language, language), to="ordinal"))


def _last_word(words: str, changes: dict[str, str]) -> str:
    """Replace the end of a number by its other gender: the longest ending of `changes` that fits."""
    for old in sorted(changes, key=len, reverse=True):
        if words.endswith(old):
            return words.removesuffix(old) + changes[old]
    return words


def _french_feminine(n: int) -> str:
    return _last_word(_cardinal(n, "fr"), {"un": "une"})


def _french_rank(n: int) -> str:
    return "première" if n == 1 else _ordinal(n, "fr")


def _german_rank(n: int) -> str:
    return _ordinal(n, "de") + "r"  # dative after "an": "an dritter Stelle"


def _spanish_feminine(n: int) -> str:
    words = _last_word(_cardinal(n, "es"), {"uno": "una", "ún": "una"})
    return words.replace("cientos", "cientas").replace("quinientos", "quinientas")


_SPANISH_PLACES = (
    "primer", "segundo", "tercer", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo",
)  # fmt: skip


def _spanish_rank(n: int) -> str:
    # Past the tenth Spanish speech counts on in cardinals.
    return f"{_SPANISH_PLACES[n - 1]} lugar" if 1 <= n <= 10 else f"lugar {_cardinal(n, 'es')}"


def _portuguese_feminine(n: int) -> str:
    words = _last_word(_cardinal(n, "pt"), {"um": "uma", "dois": "duas"})
    return words.replace("entos", "entas")


def _polish_feminine(n: int) -> str:
    return _last_word(_cardinal(n, "pl"), {" dwa": " dwie"}) if n != 2 else "dwie"


def _polish_rank(n: int) -> str:
    # Neuter, for "miejsce": pierwsze, drugie, dwudzieste drugie.
    changed = [
        word[:-1] + "e" if word.endswith("y") else word + "e" if word.endswith("i") else word
        for word in _ordinal(n, "pl").split()
    ]
    return " ".join(changed)


def _russian_rank(n: int) -> str:
    # Neuter, for "место": первое, третье, двадцать второе.
    return _last_word(_ordinal(n, "ru"), {"третий": "третье", "ый": "ое", "ой": "ое"})


_WORDS: dict[tuple[str, str], Callable[[int], str]] = {
    ("cs", "rank"): own.czech_rank,
    ("de", "rank"): _german_rank,
    ("en", "rank"): lambda n: _ordinal(n, "en"),
    ("es", "f"): _spanish_feminine,
    ("es", "rank"): _spanish_rank,
    ("fr", "f"): _french_feminine,
    ("fr", "rank"): _french_rank,
    ("he", ""): own.hebrew,
    ("he", "rank"): own.hebrew_rank,
    ("ja", ""): own.japanese,
    ("ja", "people"): own.japanese_people,
    ("pl", "f"): _polish_feminine,
    ("pl", "rank"): _polish_rank,
    ("pt", "f"): _portuguese_feminine,
    ("pt", "rank"): lambda n: _ordinal(n, "pt"),
    ("ru", "rank"): _russian_rank,
    ("tr", ""): own.turkish,
    ("tr", "rank"): own.turkish_rank,
}
