"""The house stands: arrows go down, nothing shadows the standard library, and what must be written is
written.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

import tollbridge
from tollbridge.settings import Settings

ROOT = Path(__file__).parents[1]
PLATFORM = ROOT / "platform"

MAY_IMPORT: dict[str, set[str]] = {
    "database": set(),
    "paper": set(),
    "wire": set(),
    "mail": {"database"},
    "rooms": {"database", "wire"},
    "accounts": {"database", "mail"},
    "contacts": {"database", "accounts"},
    "events": {"database", "accounts", "contacts", "mail", "rooms"},
    "reports": {"database", "paper", "accounts", "contacts", "events", "mail", "rooms"},
    "billing": {"database", "paper", "accounts", "events", "mail"},
    "bridge": {"database", "wire", "accounts", "rooms", "events", "billing", "reports"},
    "web": {
        "database", "mail", "paper", "accounts", "rooms", "events", "billing", "contacts", "reports",
        "bridge.cdr",
    },
    "tollbridge": {
        "database", "wire", "mail", "paper", "accounts", "contacts", "rooms", "events", "reports", "billing",
        "bridge", "web",
    },
}
"""Which of our packages each may import, besides itself. Sideways, events know the roles of rooms."""

OURS = set(MAY_IMPORT)


def package_folders() -> dict[str, Path]:
    folders = {path.name: path for path in PLATFORM.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    return {**folders, "bridge": ROOT / "bridge", "tollbridge": ROOT / "tollbridge"}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_package_has_its_place() -> None:
    assert set(package_folders()) == OURS


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_arrows_go_down(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = []
    for path in package_folders()[package].rglob("*.py"):
        for name in imports_of(path):
            if name.split(".")[0] not in OURS:
                continue
            if not any(name == one or name.startswith(f"{one}.") for one in allowed) and name != "bridge":
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_the_menus_know_neither_sockets_nor_clocks_nor_databases() -> None:
    """Engines get the time as an argument and do no I/O."""
    forbidden = {"socket", "asyncio", "sqlalchemy", "time", "threading", "fastapi"}
    engines = [
        *(PLATFORM / "rooms").glob("*.py"),
        ROOT / "bridge" / "ivr" / "flow.py",
        ROOT / "bridge" / "cdr" / "guard.py",
    ]
    for path in engines:
        assert {name.split(".")[0] for name in imports_of(path)} & forbidden == set(), path


def test_platform_is_a_folder_not_a_package() -> None:
    assert not (PLATFORM / "__init__.py").exists()
    assert sys.modules.get("platform") is None or sys.modules["platform"].__file__ is not None


def test_no_package_has_a_name_of_the_standard_library() -> None:
    assert set(package_folders()) & set(sys.stdlib_module_names) == set()
    modules = {path.stem for path in (ROOT / "tests").glob("*.py")} | {
        path.name for path in (ROOT / "tests").iterdir()
    }
    assert modules & set(sys.stdlib_module_names) == set()


def test_the_wheel_holds_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    built = {Path(name).name for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert built == OURS
    assert project["project"]["version"] == tollbridge.__version__


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder in package_folders().values()
        for path in folder.rglob("*.py")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_no_module_grows_beyond_five_hundred_lines() -> None:
    long = [
        str(path.relative_to(ROOT))
        for folder in package_folders().values()
        for path in folder.rglob("*.py")
        if len(path.read_text().splitlines()) > 500
    ]
    assert long == []


def test_documents_name_only_settings_that_exist() -> None:
    known = {f"TOLLBRIDGE_{name.upper()}" for name in Settings.model_fields}
    known |= {"TOLLBRIDGE_CONFIG", "TOLLBRIDGE_TEST_DATABASE", "TOLLBRIDGE_PJPROJECT"}
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(r"TOLLBRIDGE_[A-Z_]*[A-Z]", path.read_text()))
        assert named <= known, path
