"""Number words that no library gives us in the form the synthesiser needs.

Hebrew with vowel points and Japanese in kana, because eSpeak NG pronounces nothing else of these two;
Turkish with the tens written apart, as the Turkish Language Institute spells them and as they are spoken;
Czech ordinals in the locative, "na třetím místě". All for 0 ≤ n ≤ 9999.
"""

__all__ = ["czech_rank", "hebrew", "hebrew_rank", "japanese", "japanese_people", "turkish", "turkish_rank"]

_TR_UNITS = ("sıfır", "bir", "iki", "üç", "dört", "beş", "altı", "yedi", "sekiz", "dokuz")
_TR_TENS = ("", "on", "yirmi", "otuz", "kırk", "elli", "altmış", "yetmiş", "seksen", "doksan")
_TR_ORDINALS = {
    "sıfır": "sıfırıncı", "bir": "birinci", "iki": "ikinci", "üç": "üçüncü", "dört": "dördüncü",
    "beş": "beşinci", "altı": "altıncı", "yedi": "yedinci", "sekiz": "sekizinci", "dokuz": "dokuzuncu",
    "on": "onuncu", "yirmi": "yirminci", "otuz": "otuzuncu", "kırk": "kırkıncı", "elli": "ellinci",
    "altmış": "altmışıncı", "yetmiş": "yetmişinci", "seksen": "sekseninci", "doksan": "doksanıncı",
    "yüz": "yüzüncü", "bin": "bininci",
}  # fmt: skip


def turkish(n: int) -> str:
    """ "kırk iki", "yüz bir", "bin"."""
    if n == 0:
        return _TR_UNITS[0]
    words: list[str] = []
    for size, name in ((1000, "bin"), (100, "yüz")):
        many, n = divmod(n, size)
        if many > 1:
            words.append(_TR_UNITS[many])
        if many:
            words.append(name)
    tens, units = divmod(n, 10)
    words += [_TR_TENS[tens]] * bool(tens) + [_TR_UNITS[units]] * bool(units)
    return " ".join(words)


def turkish_rank(n: int) -> str:
    """ "üçüncü", "yirmi birinci"."""
    *first, last = turkish(n).split()
    return " ".join([*first, _TR_ORDINALS[last]])


_CS_UNITS = (
    "", "prvním", "druhém", "třetím", "čtvrtém", "pátém", "šestém", "sedmém", "osmém", "devátém", "desátém",
    "jedenáctém", "dvanáctém", "třináctém", "čtrnáctém", "patnáctém", "šestnáctém", "sedmnáctém", "osmnáctém",
    "devatenáctém",
)  # fmt: skip
_CS_TENS = (
    "", "", "dvacátém", "třicátém", "čtyřicátém", "padesátém", "šedesátém", "sedmdesátém", "osmdesátém",
    "devadesátém",
)  # fmt: skip


def czech_rank(n: int) -> str:
    """ "třetím místě", "dvacátém prvním místě"; past 99 "místě číslo 120"."""
    if not 1 <= n <= 99:
        return f"místě číslo {n}"
    if n < 20:
        return f"{_CS_UNITS[n]} místě"
    tens, units = divmod(n, 10)
    return " ".join(filter(None, (_CS_TENS[tens], _CS_UNITS[units], "místě")))


_JA_DIGITS = ("", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう")
_JA_HUNDREDS = (
    "", "ひゃく", "にひゃく", "さんびゃく", "よんひゃく", "ごひゃく", "ろっぴゃく", "ななひゃく",
    "はっぴゃく", "きゅうひゃく",
)  # fmt: skip
_JA_THOUSANDS = (
    "", "せん", "にせん", "さんぜん", "よんせん", "ごせん", "ろくせん", "ななせん", "はっせん", "きゅうせん",
)  # fmt: skip


def japanese(n: int) -> str:
    """In kana: "にじゅういち", "さんびゃく"."""
    if n == 0:
        return "ぜろ"
    thousands, n = divmod(n, 1000)
    hundreds, n = divmod(n, 100)
    tens, units = divmod(n, 10)
    ten = "" if not tens else "じゅう" if tens == 1 else _JA_DIGITS[tens] + "じゅう"
    return _JA_THOUSANDS[thousands] + _JA_HUNDREDS[hundreds] + ten + _JA_DIGITS[units]


def japanese_people(n: int) -> str:
    """With the counter for people: "ひとり", "ふたり", "よにん", "じゅういちにん"."""
    if n in (1, 2):
        return ("ひとり", "ふたり")[n - 1]
    if n % 10 == 4:
        return japanese(n).removesuffix("よん") + "よにん"
    return japanese(n) + "にん"


_HE_UNITS = (
    "אֶפֶס", "אַחַת", "שְׁתַיִים", "שָׁלוֹשׁ", "אַרְבַּע", "חָמֵשׁ", "שֵׁשׁ", "שֶׁבַע", "שְׁמוֹנֶה", "תֵשַׁע",
)  # fmt: skip
_HE_TEEN_UNITS = (
    "", "אַחַת", "שְׁתֵים", "שְׁלוֹשׁ", "אַרְבַּע", "חֲמֵשׁ", "שֵׁשׁ", "שְׁבַע", "שְׁמוֹנֶה", "תְשַׁע",
)  # fmt: skip
_HE_TENS = (
    "", "עֶשֶׂר", "עֶשְׂרִים", "שְׁלוֹשִׁים", "אַרְבָּעִים", "חֲמִישִׁים", "שִׁישִׁים", "שִׁבְעִים", "שְׁמוֹנִים",
    "תִשְׁעִים",
)  # fmt: skip
_HE_HUNDREDS = (
    "", "מֵאָה", "מָאתַיִים", "שְׁלוֹשׁ מֵאוֹת", "אַרְבַּע מֵאוֹת", "חֲמֵשׁ מֵאוֹת", "שֵׁשׁ מֵאוֹת", "שְׁבַע מֵאוֹת",
    "שְׁמוֹנֶה מֵאוֹת", "תְשַׁע מֵאוֹת",
)  # fmt: skip
_HE_PLACES = (
    "", "הָרִאשׁוֹן", "הַשֵׁנִי", "הַשְׁלִישִׁי", "הָרְבִיעִי", "הַחֲמִישִׁי", "הַשִׁישִׁי", "הַשְׁבִיעִי",
    "הַשְׁמִינִי", "הַתְשִׁיעִי", "הָעֲשִׂירִי",
)  # fmt: skip


def hebrew(n: int) -> str:
    """Counting, which is feminine, with vowel points: "עֶשְׂרִים וְאַחַת"; from 1000 as digits."""
    if n >= 1000:
        return str(n)
    if n == 0:
        return _HE_UNITS[0]
    hundreds, rest = divmod(n, 100)
    parts = [_HE_HUNDREDS[hundreds]] if hundreds else []
    tens, units = divmod(rest, 10)
    if 11 <= rest <= 19:
        parts.append(f"{_HE_TEEN_UNITS[units]} עֶשְׂרֵה")
    else:
        parts += [_HE_TENS[tens]] * bool(tens) + [_HE_UNITS[units]] * bool(units)
    if len(parts) == 1:
        return parts[0]
    return " ".join([*parts[:-1], "וְ" + parts[-1]])


def hebrew_rank(n: int) -> str:
    """ "in the third place", "in place number twelve"."""
    return f"בַּמָקוֹם {_HE_PLACES[n]}" if 1 <= n <= 10 else f"בְּמָקוֹם מִסְפָר {hebrew(n)}"
