"""Where the source of pjsua2 comes from: the first of these that answers.

1. `TOLLBRIDGE_PJPROJECT`: a folder or a tarball that the user names (trusted; only its version is checked).
2. The upstream release, pinned by version and SHA-256.
3. Debian's source package `asterisk` in sid, whose component `orig-Xpjproject` is pjproject whole. It is
found with
   an apt configuration of its own (sources, state and cache in a temporary folder), so the machine's own
   sources stay as they are. Signatures are checked as always; only the age of the list is not, because a
   mirror frozen in time is a mirror too. The mirror is read from the machine's own apt sources.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pjsua2_recipe import UPSTREAM_TAR_SHA256, UPSTREAM_URL, VERSION
from progress import SetUpError, say

_UPSTREAM_TIMEOUT_S = 8.0
_TARBALL_BYTES_MAX = 64 * 1024 * 1024
_KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/etc/apt/trusted.gpg.d/debian-archive-keyring.gpg",
)


def obtain_source(work: Path) -> Path:
    """The unpacked source folder, inside `work`.

    Raises:
        SetUpError: no source could be had; the message says why, source by source.
    """
    given = os.environ.get("TOLLBRIDGE_PJPROJECT", "")
    if given:
        return _checked(_from_path(Path(given), work))
    reasons: list[str] = []
    for name, obtain in (("upstream", _from_upstream), ("Debian source package", _from_debian)):
        try:
            source = _checked(obtain(work))
        except SetUpError as error:
            say(f"pjproject from {name}: {error}")
            reasons.append(f"{name}: {error}")
            continue
        say(f"pjproject {VERSION} from {name}")
        return source
    raise SetUpError("; ".join(reasons))


def _checked(source: Path) -> Path:
    text = (source / "version.mak").read_text(encoding="ascii", errors="replace")
    major = re.search(r"PJ_VERSION_MAJOR\s*:=\s*(\d+)", text)
    minor = re.search(r"PJ_VERSION_MINOR\s*:=\s*(\d+)", text)
    found = f"{major[1]}.{minor[1]}" if major and minor else "unknown"
    if found != VERSION:
        raise SetUpError(f"is version {found}, not {VERSION}")
    if not (source / "pjsip-apps/src/swig/pjsua2.i").is_file():
        raise SetUpError("has no SWIG folder")
    return source


def _unpack(tar: tarfile.TarFile, work: Path) -> Path:
    target = work / "source"
    target.mkdir()
    _extract(tar, target)
    folders = [path for path in target.iterdir() if path.is_dir()]
    if len(folders) != 1 or not (folders[0] / "version.mak").is_file():
        raise SetUpError("does not look like pjproject")
    return folders[0]


def _extract(tar: tarfile.TarFile, target: Path) -> None:
    """Unpack nothing but plain files and folders below `target`, and links between them."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(target, filter="data")
        return
    # Debian 12's Python 3.11.2 has no extraction filters (PEP 706) yet.
    members = tar.getmembers()
    root = target.resolve()
    for member in members:
        place = (root / member.name).resolve()
        link = (place.parent if member.issym() else root) / member.linkname if member.linkname else place
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            raise SetUpError(f"contains {member.name}, which is no plain file")
        if not (place.is_relative_to(root) and link.resolve().is_relative_to(root)):
            raise SetUpError(f"contains {member.name}, which lies outside of it")
        member.mode = (member.mode | 0o600) & 0o755
    tar.extractall(target, members)


def _from_path(path: Path, work: Path) -> Path:
    if path.is_file():
        with tarfile.open(path) as tar:
            return _unpack(tar, work)
    if not (path / "version.mak").is_file():
        raise SetUpError(f"TOLLBRIDGE_PJPROJECT={path}: no pjproject there")
    copy = work / "source"
    shutil.copytree(path, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    return copy


def _from_upstream(work: Path) -> Path:
    try:
        with urllib.request.urlopen(UPSTREAM_URL, timeout=_UPSTREAM_TIMEOUT_S) as answer:
            packed = answer.read(_TARBALL_BYTES_MAX)
        content = gzip.decompress(packed)
    except urllib.error.URLError as error:
        raise SetUpError(f"not reachable ({error.reason})") from error
    except (TimeoutError, OSError, EOFError) as error:
        raise SetUpError(f"download failed ({error})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != UPSTREAM_TAR_SHA256:
        raise SetUpError(f"refused, its SHA-256 is {digest} and not the pinned one")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return _unpack(tar, work)


def _from_debian(work: Path) -> Path:
    helper = Path("/usr/lib/apt/apt-helper")
    if shutil.which("apt-get") is None or not helper.is_file():
        raise SetUpError("no apt on this machine")
    mirror, keyring = _mirror_and_keyring()
    root = work / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "sources.list").write_text(f"deb-src [signed-by={keyring}] {mirror} sid main\n")
    (root / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{root}/sources.list";\nDir::Etc::SourceParts "-";\n'
        f'Dir::State "{root}";\nDir::State::Lists "{root}/lists";\nDir::Cache "{root}";\n'
        f'Dir::Cache::Archives "{root}/archives";\nAcquire::Check-Valid-Until "false";\n'
        'Acquire::http::Timeout "20";\nAcquire::Retries "1";\nAcquire::Languages "none";\n'
    )
    for path in (work, *root.rglob("*"), root):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))  # apt reads them as user _apt
    env = {**os.environ, "APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
    say(f"pjproject from Debian: reading the source list of sid at {mirror}")
    _quiet(["apt-get", "update", "-q"], env)
    uris = _quiet(["apt-get", "source", "--only-source", "--print-uris", "-q", "asterisk"], env)
    match = re.search(r"^'(\S+orig-Xpjproject\.tar\.\w+)' (\S+) \d+ (SHA256:[0-9a-f]{64})$", uris, re.M)
    if match is None:
        raise SetUpError("the source package asterisk has no component pjproject")
    tarball = root / Path(match[2]).name
    _quiet([str(helper), "download-file", match[1], str(tarball), match[3]], env)
    with tarfile.open(tarball) as tar:
        return _unpack(tar, work)


def _quiet(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    if done.returncode != 0 or errors:
        raise SetUpError(f"{command[0]} {command[1]}: {(errors or [done.stderr.strip()])[0][:200]}")
    return done.stdout


def _mirror_and_keyring() -> tuple[str, str]:
    keyring = next((path for path in _KEYRINGS if Path(path).is_file()), None)
    for mirror, signed_by in _apt_sources():
        if re.search(r"/debian/?$", mirror):
            key = signed_by if signed_by and Path(signed_by).is_file() else keyring
            if key is not None:
                return mirror, key
    mirror = os.environ.get("TOLLBRIDGE_BUILD_DEBIAN_MIRROR")
    if mirror is None:
        raise SetUpError(
            "no Debian source among this machine's apt sources; "
            "name a mirror in TOLLBRIDGE_BUILD_DEBIAN_MIRROR"
        )
    if keyring is None:
        raise SetUpError("this machine has no keys of Debian's archive (package debian-archive-keyring)")
    return mirror, keyring


def _apt_sources() -> Iterator[tuple[str, str | None]]:
    """(mirror, keyring) of the machine's sources, one-line and deb822 style."""
    folder = Path("/etc/apt")
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                signed = re.search(r"^Signed-By:\s*(\S+)", stanza, re.M | re.I)
                for uris in re.findall(r"^URIs:\s*(.+)$", stanza, re.M | re.I):
                    for uri in uris.split():
                        yield uri, signed[1] if signed else None
        elif path.suffix == ".list":
            for options, uri in re.findall(r"^deb(?:-src)?\s+(?:\[([^\]]*)\]\s+)?(\S+)", text, re.M):
                signed = re.search(r"signed-by=(\S+)", options)
                yield uri, signed[1] if signed else None
