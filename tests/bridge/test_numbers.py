"""The number book: the 29 cities, every way to dial one, and files with faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.numbers import (
    E164,
    DialInNumber,
    NotE164Error,
    NumberBook,
    NumberBookError,
    NumberClass,
    as_dialled,
    parse_caller,
    parse_number,
)

PARIS = "+33975129519"


@pytest.fixture(scope="module")
def book() -> NumberBook:
    return NumberBook.load(NumberBook.default_path())


def test_the_book_has_the_29_cities(book: NumberBook) -> None:
    assert len(book.numbers) == 29
    cities = {entry.city_en for entry in book.numbers}
    assert {"Ankara", "Copenhagen", "São Paulo", "Tel Aviv", "Zurich", "Kansas City", "Perth"} <= cities
    assert len({entry.id for entry in book.numbers}) == 29
    assert {entry.number_class for entry in book.numbers} == {NumberClass.CITY}


def toll_free(country: str, language: str) -> DialInNumber:
    return DialInNumber(
        id="free", number=E164("+80012345678"), country=country, language=language, city_en="", city_fr="",
        display="", number_class=NumberClass.TOLL_FREE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("country", "language", "city"),
    [
        ("FR", "fr", "fr-paris"),
        ("CH", "fr", "ch-zurich"),
        ("BE", "fr", "fr-paris"),
        ("AT", "de-AT", "de-berlin"),
        ("CL", "es", "ar-buenos-aires"),
        ("FI", "fi", "tr-ankara"),
    ],
)
def test_callers_of_another_number_are_sent_to_the_nearest_city(
    book: NumberBook, country: str, language: str, city: str
) -> None:
    found = book.city_instead(toll_free(country, language))
    assert found is not None
    assert found.id == city
    assert NumberBook([toll_free(country, language)]).city_instead(toll_free(country, language)) is None


def test_a_number_is_told_as_it_is_dialled_where_the_caller_is() -> None:
    assert as_dialled(E164(PARIS), "FR") == "09 75 12 95 19"
    assert as_dialled(E164(PARIS), "DE") == "+33 9 75 12 95 19"
    assert as_dialled(E164("+13127021380"), "CA") == "312 702 1380"


@pytest.mark.parametrize(
    ("number_id", "language"),
    [
        ("fr-paris", "fr"),
        ("ch-zurich", "de"),
        ("il-tel-aviv", "he"),
        ("no-oslo", "nb"),
        ("br-sao-paulo", "pt"),
        ("ca-toronto", "en"),
        ("jp-tokyo", "ja"),
        ("cz-prague", "cs"),
        ("dk-copenhagen", "da"),
        ("tr-ankara", "tr"),
    ],
)
def test_callers_hear_the_language_of_the_city(book: NumberBook, number_id: str, language: str) -> None:
    entry = book.by_id(number_id)
    assert entry is not None
    assert entry.language == language


def test_city_names_follow_the_page_language(book: NumberBook) -> None:
    entry = book.by_id("gb-london")
    assert entry is not None
    assert (entry.city("fr"), entry.city("fr-CH"), entry.city("en"), entry.city("de")) == (
        "Londres",
        "Londres",
        "London",
        "London",
    )


@pytest.mark.parametrize(
    ("dialled", "region"),
    [
        (PARIS, None),
        ("0033975129519", None),
        ("33975129519", None),
        ("33975129519", "FR"),
        ("0975129519", "FR"),
        ("09 75 12 95 19", "FR"),
        ("+33 (9) 7512-9519", None),
        ("+33.9.75.12.95.19", "US"),
        ("%2B33975129519", None),
        ("975129519;phone-context=+33", None),
        ("0975129519;phone-context=+33", None),
        ("975129519;phone-context=+33;npdi", "US"),
        ("+33975129519;npdi;rn=+33100", None),
        ("01133975129519", "US"),
        ("0975129519;phone-context=example.com", "FR"),
    ],
)  # fmt: skip
def test_a_number_is_found_however_it_is_dialled(book: NumberBook, dialled: str, region: str | None) -> None:
    entry = book.find(dialled, region)
    assert entry is not None
    assert entry.id == "fr-paris"


def test_every_city_is_found_by_its_national_form(book: NumberBook) -> None:
    import phonenumbers

    for entry in book.numbers:
        parsed = phonenumbers.parse(entry.number.value)
        national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
        assert book.find(national, entry.country) is entry, entry.id


@pytest.mark.parametrize(
    "dialled",
    ["", "+", "00", "0", "sip", "+33975129518", "975129519", "anonymous", "*43", "++33975129519", ";", "1"],
)
def test_other_numbers_are_not_ours(book: NumberBook, dialled: str) -> None:
    assert book.find(dialled, "US") is None


def test_callers() -> None:
    assert parse_caller("+4930123456") == E164("+4930123456")
    assert parse_caller("030123456", "DE") == E164("+4930123456")
    assert parse_caller("41445087143") == E164("+41445087143")
    for raw in ("anonymous", "Anonymous", "", "100", "alice", "unknown", "+", "+123456789012345678"):
        assert parse_caller(raw, "US") is None, raw


@pytest.mark.parametrize(
    "raw", ["", "33975129519", "+0123456789", "+12", "+1234567890123456", "+33 975", "+٣٣٩٧٥١٢٩٥"]
)
def test_e164_refuses_other_forms(raw: str) -> None:
    with pytest.raises(NotE164Error):
        E164(raw)


def test_masked_numbers_keep_no_more_than_they_say() -> None:
    assert E164(PARIS).masked == "+339…19"


def test_arabic_digits_and_letters_are_no_number() -> None:
    assert parse_number("٠٩٧٥١٢٩٥١٩", "FR") is None
    assert parse_number("0975FLOWER", "FR") is None


ENTRY = """\
  - id: fr-paris
    number: "+33975129519"
    country: FR
    language: fr
    city: {en: Paris, fr: Paris}
    display: "+33 (9) 7512-9519"
    number_class: city
"""


def faults_of(tmp_path: Path, text: str) -> dict[int, str]:
    path = tmp_path / "numbers.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NumberBookError) as caught:
        NumberBook.load(path)
    assert f"{path}:" in str(caught.value)
    return {fault.line: fault.text for fault in caught.value.faults}


def test_every_fault_is_named_with_its_line(tmp_path: Path) -> None:
    text = (
        "numbers:\n" + ENTRY + ENTRY.replace("fr-paris", "fr Paris").replace('"+33975129519"', "0975129519")
    )
    text += ENTRY.replace("fr-paris", "other").replace("language: fr", "langauge: fr")
    faults = faults_of(tmp_path, text)
    assert "'id' must be" in faults[9]
    assert "E.164" in faults[10]
    assert "unknown key 'langauge'" in faults[19]
    assert "'language' is missing" in faults[16]


@pytest.mark.parametrize(
    ("change", "line", "text"),
    [
        (("FR", "NO"), 3, "not a number of NO"),
        (("country: FR", "country: france"), 4, "two capital letters"),
        (("number_class: city", "number_class: town"), 8, "one of city"),
        (("{en: Paris, fr: Paris}", "Paris"), 6, "a name for en"),
        (('"+33975129519"', '"+33175"'), 3, "E.164"),
        (('"+33975129519"', '"+33075129519"'), 3, "as_published: true"),
        (('"+33975129519"', '"+999975129519"'), 3, "country code"),
        (("number_class: city", "number_class: city\n    as_published: perhaps"), 9, "true or false"),
    ],
)
def test_what_an_entry_may_not_say(tmp_path: Path, change: tuple[str, str], line: int, text: str) -> None:
    assert text in faults_of(tmp_path, "numbers:\n" + ENTRY.replace(*change))[line]


def test_the_same_number_twice(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, "numbers:\n" + ENTRY + ENTRY)
    assert "twice, first on line 2" in faults[9]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("- a\n", 1), ("numbers: []\n", 1), ("numbers:\n  - [\n", 3), ("number: 3\n", 1)],
)
def test_files_that_are_no_number_file(tmp_path: Path, text: str, line: int) -> None:
    assert line in faults_of(tmp_path, text)


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(NumberBookError, match=r"nowhere\.yaml"):
        NumberBook.load(tmp_path / "nowhere.yaml")


def test_a_number_outside_the_plan_is_kept_when_published(tmp_path: Path) -> None:
    path = tmp_path / "numbers.yaml"
    entry = ENTRY.replace('"+33975129519"', '"+33075129519"') + "    as_published: true\n"
    path.write_text("numbers:\n" + entry.replace("(9)", "(0)"), encoding="utf-8")
    book = NumberBook.load(path)
    assert book.find("+33075129519") is not None
    assert "kept as published" in book.warnings[0]
    assert ":3:" in book.warnings[0]
