"""Sources are unpacked safely with a Python that has no extraction filters, as Debian 12's."""

from __future__ import annotations

import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    spec = importlib.util.spec_from_file_location("pjsua2_source_alone", SCRIPTS / "pjsua2_source.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def archive(name: str, *, link: str | None = None) -> tarfile.TarFile:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(name)
        if link is None:
            member.size = 5
            tar.addfile(member, io.BytesIO(b"hello"))
        else:
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    out.seek(0)
    return tarfile.open(fileobj=out)


def test_plain_files_are_unpacked(script: ModuleType, tmp_path: Path) -> None:
    with archive("pjproject/version.mak") as tar:
        script._extract(tar, tmp_path)
    assert (tmp_path / "pjproject/version.mak").read_text() == "hello"


@pytest.mark.parametrize(
    ("name", "link"), [("../out", None), ("/etc/out", None), ("a/b", "../../out"), ("a", "/etc/passwd")]
)
def test_what_leads_outside_is_refused(
    script: ModuleType, tmp_path: Path, name: str, link: str | None
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with archive(name, link=link) as tar, pytest.raises(Exception, match="outside"):
        script._extract(tar, target)
    assert list(target.iterdir()) == []
