"""The texts: complete in every language, numbers by each language's rules, names that a voice can read."""

import re
from pathlib import Path

import pytest

from bridge.ivr import announce, flow, pin_menu, room_menu
from bridge.ivr.errors import CatalogueError
from bridge.ivr.flow import FAREWELLS, REFUSALS
from bridge.ivr.keypad import MENUS
from bridge.ivr.prompt import Prompt, prompt
from bridge.ivr.prompts.catalogue import FALLBACK, load_catalogue, normal_tag, placeholders
from bridge.ivr.prompts.handbook import prompts_markdown
from bridge.ivr.prompts.numerals import number_words, plural_category
from rooms.errors import REASONS
from rooms.modes import AudioMode, MutedBy

CATALOGUE = load_catalogue()
LANGUAGES_OF_THE_NUMBERS = ("cs", "da", "de", "en", "es", "fr", "he", "ja", "nb", "pl", "pt", "ru", "tr")


def arguments(key: str) -> dict[str, int | str]:
    """Something for every placeholder of a prompt."""
    texts = CATALOGUE.chain(FALLBACK)[0].texts
    values: dict[str, int | str] = {"n": 7, "key": "#", "event": "Demo", "digits": "+44 20 7048"}
    return {name: values[name] for name in placeholders(texts[key])}


def said(key: str, language: str, /, **args: int | str) -> str:
    return CATALOGUE.text(prompt(key, **args), language)[0]


def test_catalogue_has_all_languages_and_nothing_is_missing() -> None:
    assert set(LANGUAGES_OF_THE_NUMBERS) <= set(CATALOGUE.languages())
    assert CATALOGUE.problems() == []


@pytest.mark.parametrize("language", CATALOGUE.languages())
def test_every_prompt_can_be_said_for_every_number(language: str) -> None:
    for key in CATALOGUE.prompt_keys():
        args = arguments(key)
        for n in [1, 2, 3, 4, 5, 11, 12, 21, 22, 100, 101, 999, 1000, 12_345] if "n" in args else [0]:
            numbered = {**args, "n": n} if "n" in args else args
            text, texts = CATALOGUE.text(prompt(key, **numbered), language)
            assert texts.tag == language, "the language itself, not its fallback"
            assert text.strip()
            assert not re.search(r"[{}]", text)
            assert text.rstrip()[-1] in ".。!?", text


@pytest.mark.parametrize("language", [tag for tag in LANGUAGES_OF_THE_NUMBERS if tag != "en"])
def test_no_text_was_left_in_english(language: str) -> None:
    english, own = (CATALOGUE.chain(tag)[0].texts for tag in ("en", language))
    assert [key for key in english if english[key] == own[key]] == []


def test_everything_the_flow_can_say_is_in_the_catalogue_and_nothing_else_is() -> None:
    wanted = {row.help_key for menu in MENUS.values() for row in menu.rows}
    wanted |= {f"bye.{slug}" for slug in FAREWELLS} | {f"refused.{slug}" for slug in REFUSALS}
    wanted |= {f"mode.{kind}.{mode}" for kind in ("is", "you", "set") for mode in AudioMode}
    wanted |= {f"where.muted-{by}" for by in MutedBy}
    wanted |= {"music.on", "music.off", "music.everyone-on", "music.everyone-off", "join.welcome-unnamed"}
    modules = (announce, flow, pin_menu, room_menu)
    source = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in modules)
    known = set(CATALOGUE.prompt_keys())
    wanted |= {each for each in re.findall(r'"([a-z][a-z.-]*[a-z])"', source) if each in known}
    assert wanted == known


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The number is plus four four, two zero, seven."),
        ("de", "Die Nummer lautet plus vier vier, zwei null, sieben."),
        ("ja", "ばんごう は、プラス よん よん, に ぜろ, なな です。"),
        ("es-419", "El número es más cuatro cuatro, dos cero, siete."),
    ],
)
def test_a_telephone_number_is_said_digit_by_digit_with_a_pause_between_groups(
    language: str, sentence: str
) -> None:
    assert said("city.number", language, digits="+44 20 7") == sentence


def test_every_refusal_with_words_is_one_that_the_room_knows() -> None:
    assert set(REASONS) >= REFUSALS


@pytest.mark.parametrize(
    ("language", "n", "sentence"),
    [
        ("en", 1, "You are the only person in the event."),
        ("en", 7, "seven people are in the event."),
        ("fr", 21, "vingt et une personnes sont présentes."),
        ("fr", 80, "quatre-vingts personnes sont présentes."),
        ("es", 21, "Hay veintiuna personas en el evento."),
        ("pt", 22, "Há vinte e duas pessoas no evento."),
        ("cs", 3, "V události jsou tři účastníci."),
        ("cs", 5, "V události je pět účastníků."),
        ("pl", 2, "W wydarzeniu są dwie osoby."),
        ("pl", 5, "W wydarzeniu jest pięć osób."),
        ("pl", 22, "W wydarzeniu są dwadzieścia dwie osoby."),
        ("pl", 12, "W wydarzeniu jest dwanaście osób."),
        ("ru", 21, "На мероприятии двадцать один человек."),
        ("ru", 22, "На мероприятии двадцать два человека."),
        ("ru", 11, "На мероприятии одиннадцать человек."),
        ("tr", 21, "Etkinlikte yirmi bir kişi var."),
        ("ja", 4, "イベント には よにん います。"),
    ],
)
def test_headcount_follows_the_rules_of_the_language(language: str, n: int, sentence: str) -> None:
    assert said("headcount", language, n=n) == sentence


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "third"),
        ("fr", "troisième position"),
        ("de", "dritter Stelle"),
        ("es", "tercer lugar"),
        ("pt", "terceiro lugar"),
        ("da", "nummer tre"),
        ("nb", "nummer tre"),
        ("cs", "třetím místě"),
        ("pl", "trzecie"),
        ("ru", "третье"),
        ("tr", "üçüncü"),
        ("he", "הַשְׁלִישִׁי"),
        ("ja", "さんばんめ"),
    ],
)
def test_third_in_the_queue_is_an_ordinal(language: str, words: str) -> None:
    assert words in said("question.position", language, n=3)


@pytest.mark.parametrize(
    ("language", "n", "form", "words"),
    [
        ("fr", 1, "rank", "première"),
        ("fr", 71, "f", "soixante et onze"),
        ("fr", 81, "f", "quatre-vingt-une"),
        ("es", 11, "rank", "lugar once"),
        ("es", 200, "f", "doscientas"),
        ("pt", 200, "f", "duzentas"),
        ("pl", 2, "rank", "drugie"),
        ("pl", 42, "rank", "czterdzieste drugie"),
        ("ru", 6, "rank", "шестое"),
        ("ru", 22, "rank", "двадцать второе"),
        ("cs", 21, "rank", "dvacátém prvním místě"),
        ("cs", 120, "rank", "místě číslo 120"),
        ("tr", 40, "rank", "kırkıncı"),
        ("tr", 1999, "", "bin dokuz yüz doksan dokuz"),
        ("ja", 14, "people", "じゅうよにん"),
        ("ja", 1, "people", "ひとり"),
        ("ja", 3600, "", "さんぜんろっぴゃく"),
        ("he", 12, "", "שְׁתֵים עֶשְׂרֵה"),
        ("en", 10_000, "", "10000"),
    ],
)
def test_numbers_in_words(language: str, n: int, form: str, words: str) -> None:
    assert number_words(n, language, form) == words


def test_a_form_that_a_language_has_not_is_our_error() -> None:
    with pytest.raises(ValueError, match="has no form"):
        number_words(3, "en", "people")


@pytest.mark.parametrize(
    ("language", "categories"),
    [
        # Numbers 0 to 5, 11, 21, 22, 25, 111 by CLDR.
        ("en", "other one other other other other other other other other other"),
        ("fr", "one one other other other other other other other other other"),
        ("cs", "other one few few few other other other other other other"),
        ("pl", "many one few few few many many many few many many"),
        ("ru", "many one few few few many many one few many many"),
        ("he", "other one two other other other other other other other other"),
        ("ja", "other other other other other other other other other other other"),
    ],
)
def test_plural_categories(language: str, categories: str) -> None:
    numbers = (0, 1, 2, 3, 4, 5, 11, 21, 22, 25, 111)
    assert [plural_category(n, language) for n in numbers] == categories.split()


@pytest.mark.parametrize(
    ("asked", "got"),
    [("fr-CA", "fr"), ("FR_be", "fr"), ("en-GB", "en"), ("en-US", "en-us"), ("es-MX", "es"), ("pt-BR", "pt"),
     ("no", "nb"), ("iw", "he"), ("zh", "en"), ("", "en"), ("de-CH-1996", "de")],
)  # fmt: skip
def test_regions_fall_back_on_their_language_and_that_on_english(asked: str, got: str) -> None:
    assert CATALOGUE.text(prompt("pin.ask"), asked)[1].tag == got


def test_tags_are_normal() -> None:
    assert normal_tag("pt_BR") == "pt-br"


def test_keys_are_named_as_the_caller_calls_them() -> None:
    assert "the hash key" in said("pin.ask", "en-GB")
    assert "the pound key" in said("pin.ask", "en-US")
    assert "touche dièse" in said("pin.ask", "fr")
    assert said("help.headcount", "de", key="#").endswith("Raute.")
    assert said("help.mute", "fr", key="1").endswith("tapez un.")


def test_event_name_is_said() -> None:
    assert (
        said("join.welcome", "fr", event="Résultats 2026") == "Bienvenue dans l'événement : Résultats 2026."
    )


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "四半期決算"), ("he", "סיכום רבעוני"), ("ja", "四半期"), ("fr", "…"), ("pl", "🎉")],
)
def test_name_that_the_voice_cannot_read_is_left_out(language: str, name: str) -> None:
    text = said("join.welcome", language, event=name)
    assert text == CATALOGUE.text(Prompt("join.welcome-unnamed"), language)[0]


def test_name_cannot_steer_the_synthesiser_and_is_not_endless() -> None:
    text = said("join.welcome", "en", event="<break time='9s'/> [[h@l'oU]] " + "x" * 500)
    assert not set("<>[]/") & set(text)
    assert len(text) < 120


def test_prompt_without_a_text_or_an_argument_is_our_error() -> None:
    with pytest.raises(CatalogueError, match="no-such-prompt"):
        said("no-such-prompt", "en")
    with pytest.raises(CatalogueError, match="needs"):
        said("help.mute", "en")
    with pytest.raises(CatalogueError, match="needs a number"):
        said("headcount", "en")


def write(folder: Path, tag: str, texts: str) -> None:
    head = "name: X\nvoice: {name: en, words_per_minute: 150}\nscripts: [latin]\n"
    head += "keys: {'#': h, '*': s, '+': p}\ntexts:\n"
    (folder / f"{tag}.yaml").write_text(head + texts, encoding="utf-8")


def test_missing_texts_and_placeholders_are_found(tmp_path: Path) -> None:
    write(tmp_path, "en", "  a: Hello {n}.\n  b: Bye.\n")
    write(tmp_path, "xx", "  a: Hello.\n  c: What.\n")
    assert load_catalogue(tmp_path).problems() == [
        "xx: lacks b",
        "xx: has an unknown c",
        "xx: a has other placeholders than English",
    ]


@pytest.mark.parametrize("content", ["name: [", "name: X\n", "texts: 3"])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    write(tmp_path, "en", "  a: Hello.\n")
    (tmp_path / "yy.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"yy\.yaml"):
        load_catalogue(tmp_path)


def test_catalogue_needs_english(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no en"):
        load_catalogue(tmp_path)


def test_page_for_operators_is_the_one_the_code_generates() -> None:
    page = (Path(__file__).parents[4] / "docs" / "prompts.md").read_text(encoding="utf-8")
    assert page == prompts_markdown(CATALOGUE), "run: python -m bridge.ivr.prompts.handbook > docs/prompts.md"
    assert all(f"| `{key}" in page for key in CATALOGUE.prompt_keys())
