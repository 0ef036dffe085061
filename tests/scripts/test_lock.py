"""The lock is what pyproject.toml asks for, and names nothing but packages and versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def test_every_dependency_is_locked_at_a_version_that_satisfies_it() -> None:
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = facts["project"]["dependencies"] + facts["build-system"]["requires"]
    for extra in facts["project"]["optional-dependencies"].values():
        wanted += extra
    locked = dict(
        line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    )
    versions = {canonicalize_name(name): version for name, version in locked.items()}
    for requirement in map(Requirement, wanted):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked; run: make lock"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement} is locked at {version}"
        )


def test_the_lock_names_no_index_and_no_file() -> None:
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
