"""Telephone numbers: the E.164 type, the book of dial-in numbers, and finding what was dialled.

A SIP trunk may deliver the dialled number as `+33975129519`, `0033975129519`, in the national form of its
country (`0975129519`), as bare digits (`33975129519`), with separators, or as an RFC 3966 local number with
a context (`975129519;phone-context=+33`). All of them are brought to E.164 (ITU-T E.164: `+`, country code,
at most 15 digits) here, at the edge; inside there is only `E164`.

Numbers are checked against the numbering plans of libphonenumber when the book is loaded, and a book with
faults is refused whole, naming every line at fault: better no start than a city that nobody can reach.

Errors:
    NumbersError
    ├── NotE164Error            a text is not an E.164 number
    └── NumberBookError    a number file has faults; `.faults` lists them
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

import phonenumbers

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SEPARATORS = str.maketrans("", "", " -.()/\u00a0")
_ANONYMOUS = frozenset({"", "anonymous", "unknown", "unavailable", "restricted", "private", "asterisk"})


class NumbersError(Exception):
    """Base of this module's errors."""


class NotE164Error(NumbersError, ValueError):
    """A text is not an E.164 number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong in a number file."""

    line: int
    """Counted from 1; 0 when the fault is the file itself."""
    text: str


class NumberBookError(NumbersError):
    """A number file has faults; the message has one `file:line: what` per line."""

    def __init__(self, path: str, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{path}:{fault.line}: {fault.text}" for fault in faults))


@dataclass(frozen=True, slots=True, order=True)
class E164:
    """A telephone number as `+` and 7 to 15 digits.

    Raises:
        NotE164Error: `value` has another form.
    """

    value: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.value):
            raise NotE164Error("not an E.164 number: + and 7 to 15 digits")

    def __str__(self) -> str:
        return self.value

    @property
    def masked(self) -> str:
        """For logs and lists: country code and the last two digits."""
        return f"{self.value[:4]}…{self.value[-2:]}"


class NumberClass(StrEnum):
    """What kind of number it is; rates are set per class."""

    CITY = "city"
    TOLL_FREE = "tollfree"
    MOBILE = "mobile"


@dataclass(frozen=True, slots=True, kw_only=True)
class DialInNumber:
    """One number that people can dial."""

    id: str
    number: E164
    country: str
    """ISO 3166-1 alpha-2."""
    language: str
    """BCP 47 tag of what its callers hear."""
    city_en: str
    city_fr: str
    display: str
    number_class: NumberClass
    as_published: bool = False
    """The numbering plan does not know this number, and it is kept all the same."""

    def city(self, language: str) -> str:
        """The city's name in French for `fr`, in English for all others."""
        return self.city_fr if language.lower().startswith("fr") else self.city_en


class NumberBook:
    """All dial-in numbers, found by whatever form they are dialled in."""

    def __init__(self, numbers: list[DialInNumber], *, warnings: tuple[str, ...] = ()) -> None:
        self.numbers = tuple(numbers)
        self.warnings = warnings
        self._by_digits = {entry.number.value[1:]: entry for entry in numbers}
        self._by_id = {entry.id: entry for entry in numbers}

    @classmethod
    def load(cls, path: Path | str) -> NumberBook:
        """Read a number file.

        Raises:
            NumberBookError: the file cannot be read or has faults; every fault is listed with its line.
        """
        from bridge.number_file import read_number_file

        numbers, warnings = read_number_file(Path(path))
        return cls(numbers, warnings=warnings)

    @classmethod
    def default_path(cls) -> Path:
        """The list that ships with Tollbridge."""
        return Path(__file__).with_name("dialin_numbers.yaml")

    def by_id(self, number_id: str) -> DialInNumber | None:
        """The entry with this id."""
        return self._by_id.get(number_id)

    def city_instead(self, number: DialInNumber) -> DialInNumber | None:
        """The city number for callers of `number`: of the same country, else of the same language, else the
        first one; None when the book has no city number.
        """
        cities = [entry for entry in self.numbers if entry.number_class is NumberClass.CITY]
        language = number.language.partition("-")[0]
        return (
            next((city for city in cities if city.country == number.country), None)
            or next((city for city in cities if city.language == number.language), None)
            or next((city for city in cities if city.language.partition("-")[0] == language), None)
            or next(iter(cities), None)
        )

    def find(self, dialled: str, region: str | None = None) -> DialInNumber | None:
        """The entry that `dialled` means, None when we do not have that number.

        Args:
            dialled: the user part of a SIP or tel URI, in any of the forms this module's docstring lists.
            region: ISO country of the trunk, needed for national forms.
        """
        digits, international = _digits(dialled)
        if not digits:
            return None
        if international:
            return self._by_digits.get(digits)
        if digits.startswith("00") and (entry := self._by_digits.get(digits[2:])):
            return entry
        if region is not None:
            national = parse_number(digits, region)
            if national is not None and (entry := self._by_digits.get(national.value[1:])):
                return entry
        return self._by_digits.get(digits)


def as_dialled(number: E164, country: str) -> str:
    """`number` in groups of digits as people in a country dial it: `020 7946 0018`, `+44 20 7946 0018`."""
    parsed = phonenumbers.parse(number.value)
    at_home = parsed.country_code == phonenumbers.country_code_for_region(country)
    forms = phonenumbers.PhoneNumberFormat
    text = phonenumbers.format_number(parsed, forms.NATIONAL if at_home else forms.INTERNATIONAL)
    groups = re.sub(r"[^0-9+]+", " ", text)
    return groups.strip()


def parse_number(raw: str, region: str | None = None) -> E164 | None:
    """A number in any form as E.164, or None when it is none that can exist.

    Whether it is assigned is not asked: a caller's number only has to be dialable, not known to the plan's
    tables.
    """
    digits, international = _digits(raw)
    if not digits or not digits.isascii() or not digits.isdigit():
        return None
    text = f"+{digits}" if international else digits
    if not international and digits.startswith("00"):
        text = f"+{digits[2:]}"
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    try:
        return E164(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    except NotE164Error:
        return None


def parse_caller(raw: str, region: str | None = None) -> E164 | None:
    """The caller's number as E.164; None for anonymous callers, extensions and names."""
    if raw.strip().lower() in _ANONYMOUS:
        return None
    number = parse_number(raw, region)
    if number is None and not raw.lstrip().startswith("+"):
        # Trunks often send E.164 without its plus; a plan must know the number then, or any digits would
        # pass.
        number = parse_number(f"+{raw.strip()}", None)
        if number is not None and not phonenumbers.is_valid_number(phonenumbers.parse(number.value)):
            return None
    return number


def _digits(raw: str) -> tuple[str, bool]:
    """(digits, whether they are international), after RFC 3966 parameters and separators are resolved."""
    user, *parameters = unquote(raw).strip().split(";")
    user = user.translate(_SEPARATORS)
    if user.startswith("+"):
        return user[1:], True
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        context = value.strip().strip('"').translate(_SEPARATORS)
        # RFC 3966 section 5.1.5: a global context is the prefix that makes the local number global. A trunk
        # 0 is no part of it, though some gateways leave it there.
        if name.strip().lower() == "phone-context" and re.fullmatch(r"\+[0-9]+", context):
            return context[1:] + user.lstrip("0"), True
    return user, False
