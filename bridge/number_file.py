"""Reading `dialin_numbers.yaml`: every fault is found in one pass, each with the line it stands on.

The YAML is composed to nodes rather than loaded to values, because only nodes know their line. Scalars are
taken as text, so that YAML's own surprises (`NO` is false, `+49` is a number) cannot change what the
operator wrote; where the text is then wrong, the fault says so.
"""

from __future__ import annotations

import re
from pathlib import Path

import phonenumbers
import yaml

from bridge.numbers import E164, DialInNumber, Fault, NotE164Error, NumberBookError, NumberClass

_KEYS = ("id", "number", "country", "language", "city", "display", "number_class", "as_published")
_REQUIRED = _KEYS[:-1]
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def read_number_file(path: Path) -> tuple[list[DialInNumber], tuple[str, ...]]:
    """Numbers and warnings of a file.

    Raises:
        NumberBookError: with every fault of the file.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise NumberBookError(str(path), [_fault(0, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise NumberBookError(str(path), [_fault(0, "is not UTF-8 text")]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise NumberBookError(str(path), [_fault(line, f"is not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise NumberBookError(str(path), [_fault(0, f"is not YAML: {error}")]) from error
    reader = _Reader(path)
    numbers = reader.read(root)
    if reader.faults:
        raise NumberBookError(str(path), sorted(reader.faults, key=lambda fault: fault.line))
    return numbers, tuple(reader.warnings)


def _fault(line: int, text: str) -> Fault:
    return Fault(line=line, text=text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[Fault] = []
        self.warnings: list[str] = []

    def _refuse(self, node: yaml.Node, text: str) -> None:
        self.faults.append(_fault(_line(node), text))

    def read(self, root: yaml.Node | None) -> list[DialInNumber]:
        if not isinstance(root, yaml.MappingNode):
            self.faults.append(_fault(1, "the file must be a mapping with the key 'numbers'"))
            return []
        entries: yaml.Node | None = None
        for key, value in root.value:
            if key.value == "numbers":
                entries = value
            else:
                self._refuse(key, f"unknown key '{key.value}'")
        if not isinstance(entries, yaml.SequenceNode) or not entries.value:
            self._refuse(entries or root, "'numbers' must be a list with at least one number")
            return []
        numbers: list[DialInNumber] = []
        seen: dict[str, int] = {}
        for entry in entries.value:
            number = self._entry(entry)
            if number is None:
                continue
            for what, value in (("id", number.id), ("number", number.number.value)):
                first = seen.setdefault(value, _line(entry))
                if first != _line(entry):
                    self._refuse(entry, f"{what} {value} is there twice, first on line {first}")
            numbers.append(number)
        return numbers

    def _entry(self, node: yaml.Node) -> DialInNumber | None:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, "an entry must be a mapping")
            return None
        before = len(self.faults)
        fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.value not in _KEYS:
                self._refuse(key, f"unknown key '{key.value}'; known are {', '.join(_KEYS)}")
            elif key.value in fields:
                self._refuse(key, f"'{key.value}' is there twice")
            else:
                fields[key.value] = value
        for name in _REQUIRED:
            if name not in fields:
                self._refuse(node, f"'{name}' is missing")
        if len(self.faults) > before:
            return None
        number_id = self._text(fields["id"], "id", _ID, "lower-case words joined by hyphens")
        country = self._text(fields["country"], "country", re.compile("[A-Z]{2}"), "two capital letters")
        language = self._text(fields["language"], "language", _LANGUAGE, "a tag like fr or pt-BR")
        display = self._text(
            fields["display"], "display", re.compile(r".*\d.*"), "the number as pages print it"
        )
        number_class = self._number_class(fields["number_class"])
        as_published = self._flag(fields.get("as_published"))
        city_en, city_fr = self._city(fields["city"])
        number = self._number(fields["number"], country, as_published)
        if len(self.faults) > before or number is None or number_class is None:
            return None
        if re.sub(r"\D", "", display) != number.value[1:]:
            self.warnings.append(
                f"{self._path}:{_line(fields['display'])}: display shows other digits than the number"
            )
        return DialInNumber(
            id=number_id,
            number=number,
            country=country,
            language=language,
            city_en=city_en,
            city_fr=city_fr,
            display=display,
            number_class=number_class,
            as_published=as_published,
        )

    def _text(self, node: yaml.Node, name: str, pattern: re.Pattern[str], form: str) -> str:
        if isinstance(node, yaml.ScalarNode) and pattern.fullmatch(str(node.value)):
            return str(node.value)
        self._refuse(node, f"'{name}' must be {form}")
        return ""

    def _number_class(self, node: yaml.Node) -> NumberClass | None:
        try:
            return NumberClass(str(node.value))
        except ValueError:
            self._refuse(node, f"'number_class' must be one of {', '.join(NumberClass)}")
            return None

    def _flag(self, node: yaml.Node | None) -> bool:
        if node is None:
            return False
        if node.value not in ("true", "false"):
            self._refuse(node, "'as_published' must be true or false")
        return bool(node.value == "true")

    def _city(self, node: yaml.Node) -> tuple[str, str]:
        names: dict[str, str] = {}
        if isinstance(node, yaml.MappingNode):
            names = {str(key.value): str(value.value) for key, value in node.value}
        if set(names) != {"en", "fr"} or not all(name.strip() for name in names.values()):
            self._refuse(node, "'city' must be a mapping with a name for en and one for fr")
            return "", ""
        return names["en"], names["fr"]

    def _number(self, node: yaml.Node, country: str, as_published: bool) -> E164 | None:
        try:
            number = E164(str(node.value))
        except NotE164Error:
            self._refuse(node, "'number' must be E.164: + and 7 to 15 digits, in quotes")
            return None
        try:
            parsed = phonenumbers.parse(number.value)
        except phonenumbers.NumberParseException:
            self._refuse(node, f"{number} has no known country code")
            return None
        regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
        if country and country not in regions and "001" not in regions:
            self._refuse(node, f"{number} is not a number of {country} but of {', '.join(regions)}")
        elif not phonenumbers.is_valid_number(parsed):
            if as_published:
                self.warnings.append(
                    f"{self._path}:{_line(node)}: {number} is not in the numbering plan; kept as published"
                )
            else:
                self._refuse(
                    node, f"{number} is not in the numbering plan; if it is right, add 'as_published: true'"
                )
        return number
