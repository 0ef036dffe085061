"""What the documents name exists: files, make targets, commands, metrics, benches, decisions, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bridge.ivr.keypad import MENUS, MenuName
from bridge.mixer.intake import Intake
from bridge.mixer.jitter import JitterBuffers
from bridge.mixer.legs import Legs
from bridge.mixer.stream import Streams
from tollbridge.cli import app
from tollbridge.settings import load

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_OUR_PATH = re.compile(r"(?:tollbridge|bridge|platform|tests|bench|scripts|docs)/[\w/.-]*")


def code_in(text: str) -> Iterator[str]:
    """Lines of code blocks and pieces of inline code."""
    for block in _FENCE.findall(text):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def anchors_of(page: Path) -> set[str]:
    """The names by which GitHub lets one jump to headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        index = target / "README.md" if target.is_dir() else target
        if not target.exists() or (anchor and anchor not in anchors_of(index)):
            dead.append(link)
    assert dead == []


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    named = {piece for piece in code_in(page.read_text()) if _OUR_PATH.fullmatch(piece)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for code in code_in(page.read_text()) for name in re.findall(r"\bmake ([a-z][\w-]*)", code)}
    assert named <= targets


@each_page
def test_commands_and_their_options_exist(page: Path) -> None:
    wrong = []
    for code in code_in(page.read_text()):
        for words in re.findall(r"(?:^|[ (/])tollbridge ([a-z-][^|>#)]*)", code):
            if not words.startswith("cannot start") and not is_a_command(words.split()):
                wrong.append(f"tollbridge {words}")
    assert wrong == []


@each_page
def test_settings_files_that_are_shown_can_be_used(page: Path, tmp_path: Path) -> None:
    shown = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    for number, block in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        load({}, config=file)


def is_a_command(words: list[str]) -> bool:
    """Whether the program knows these words: groups, a command and its options."""
    here: Any = typer.main.get_command(app)
    while words and words[0] in getattr(here, "commands", {}):
        here = here.commands[words.pop(0)]
    if hasattr(here, "commands") and words[:1] != ["--version"]:
        return False
    known = {name for parameter in here.params for name in parameter.opts}
    return all(word in known for word in words if word.startswith("--"))


def test_every_bench_is_explained() -> None:
    text = (DOCS / "benchmarks.md").read_text()
    programs = [path.name for path in (ROOT / "bench").iterdir() if path.suffix in (".py", ".c")]
    assert [name for name in sorted(programs) if name != "__init__.py" and f"bench/{name}" not in text] == []


def test_every_decision_is_in_the_list() -> None:
    listed = _LINK.findall((DOCS / "decisions" / "README.md").read_text())
    there = {path.name for path in (DOCS / "decisions").glob("*.md")} - {"README.md"}
    assert there == set(listed)


def test_every_metric_is_explained() -> None:
    text = "".join(page.read_text() for page in PAGES)
    made = {
        name
        for source in ("tollbridge/metrics.py", "platform/web/middleware.py")
        for name in re.findall(r'"(tollbridge_[a-z_]+)"', (ROOT / source).read_text())
    }
    assert len(made) > 15
    assert [name for name in sorted(made) if name not in text] == []


def test_every_reason_to_drop_a_packet_is_explained() -> None:
    text = (DOCS / "operations.md").read_text()
    reasons = [*Intake(Legs(1), Streams(1), JitterBuffers(1)).dropped, "unsendable", "rtcp_malformed"]
    assert [reason for reason in reasons if f"`{reason}`" not in text] == []


def test_the_key_table_of_the_readme_has_every_key() -> None:
    rows = re.findall(r"^\| `(.)` \|(.*)\|(.*)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for column, menu in ((1, MenuName.PRESENTER), (2, MenuName.PARTICIPANT)):
        assert {row[0] for row in rows if row[column].strip()} == {row.key for row in MENUS[menu].rows}
