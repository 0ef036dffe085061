"""Build pjsua2 from source once, cache the wheel, install it into .venv.

    python scripts/build_pjsua2.py [--force | --check]

Run with the virtual environment's Python. The wheel lies in `$XDG_CACHE_HOME/tollbridge/pjsua2/<key>/`; the
key is a hash of recipe, Python ABI and system, so a new recipe builds anew and an old one is found again.
When no source can be had, or the compiler fails, the index's wheel is installed instead, and its four lines
are announced.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from pjsua2_recipe import (
    CONFIG_SITE,
    CONFIGURE,
    FALLBACK_REQUIREMENT,
    LIBRARY_FLAGS,
    LINES,
    PATCH,
    VERSION,
    WRAPPER_FLAGS,
    cache_key,
)
from pjsua2_source import obtain_source
from progress import Progress, SetUpError, run, say

_STAMP = Path(sys.prefix) / ".tollbridge-pjsua2"
_JOBS = "-j2"
_INCLUDES = ("pjlib", "pjlib-util", "pjnath", "pjmedia", "pjsip")


def main() -> int:
    """Install pjsua2 into the running virtual environment; 0 when it can be imported afterwards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--force", action="store_true", help="build again, even if a wheel is cached")
    parser.add_argument(
        "--check", action="store_true", help="only tell (by exit code) whether no build is needed"
    )
    options = parser.parse_args()
    force: bool = options.force
    key = cache_key()
    if options.check:
        return 0 if _installed(key) or cached_wheel() is not None else 1
    if not force and _installed(key):
        return 0
    folder = cache_folder() / key
    try:
        wheel = None if force else cached_wheel()
        if wheel is None:
            wheel = _build(folder)
        _pip("install", "--no-deps", "--force-reinstall", "--no-index", str(wheel))
        _STAMP.write_text(key + "\n")
        say(f"pjsua2 {VERSION} installed, {LINES} lines")
    except SetUpError as error:
        say(f"pjsua2 could not be built: {error}")
        say(f"installing {FALLBACK_REQUIREMENT} from the package index instead: 4 lines")
        say("4 lines are enough to look around. To try the build again: make pjsua2")
        _pip("install", "--no-deps", "--force-reinstall", FALLBACK_REQUIREMENT)
        _STAMP.write_text(f"fallback {key}\n")
    return 0


def _installed(key: str) -> bool:
    return _STAMP.is_file() and _STAMP.read_text().strip() in (key, f"fallback {key}")


def cache_folder() -> Path:
    """Where built wheels are kept between checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tollbridge" / "pjsua2"


def cached_wheel() -> Path | None:
    """The wheel built earlier with exactly this recipe, if there is one."""
    return next((cache_folder() / cache_key()).glob("pjsua2-*.whl"), None)


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments], check=False
    )
    if done.returncode != 0:
        raise SetUpError(f"pip {arguments[0]} ended with {done.returncode}")


def _build(folder: Path) -> Path:
    missing = [tool for tool in ("gcc", "g++", "make", "patch", "swig") if shutil.which(tool) is None]
    if missing:
        raise SetUpError(f"not installed: {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    log.write_text("")
    say(f"building pjsua2 {VERSION} once (two to three minutes on two cores); log: {log}")
    with tempfile.TemporaryDirectory(prefix="tollbridge-pjsua2-") as name:
        work = Path(name)
        source = obtain_source(work)
        _library(source, log)
        module = _wrapper(source, log)
        wheel = _wheel(module, work)
        _try_import(module)
        final = folder / wheel.name
        shutil.copyfile(wheel, final.with_suffix(".part"))
        final.with_suffix(".part").replace(final)
    return final


def _library(source: Path, log: Path) -> None:
    (source / "pjlib/include/pj/config_site.h").write_text(CONFIG_SITE)
    run(["patch", "-p1", "--no-backup-if-mismatch", "-i", str(PATCH)], log=log, cwd=source)
    driver = source / "pjmedia/src/pjmedia-audiodev/bdimad_dev.c"
    driver.touch()  # Debian leaves this sound driver out, the makefile names it; unused here
    env = {**os.environ, "CFLAGS": LIBRARY_FLAGS, "CXXFLAGS": LIBRARY_FLAGS, "LC_ALL": "C"}
    env.pop("MAKEFLAGS", None)  # set when we run under make, and then its job server is not ours
    env.pop("MAKELEVEL", None)
    say("configuring pjproject")
    run(["sh", "./aconfigure", *CONFIGURE], log=log, cwd=source, env=env)
    with Progress("finding dependencies", total=1) as progress:
        run(["make", _JOBS, "dep"], log=log, cwd=source, env=env, progress=progress)
    with Progress("compiling the library", total=273) as progress:
        run(["make", _JOBS, "lib"], log=log, cwd=source, env=env, progress=progress, counts="-c -o")


def _wrapper(source: Path, log: Path) -> Path:
    """Folder with `pjsua2.py` and the compiled `_pjsua2` extension."""
    swig = source / "pjsip-apps/src/swig/python"
    out = source / "wheel"
    out.mkdir()
    includes = [f"-I{source}/{part}/include" for part in _INCLUDES]
    say("generating the Python module")
    run(
        ["swig", *includes, "-c++", "-w312", "-threads", "-python", "-o", "pjsua2_wrap.cpp", "../pjsua2.i"],
        log=log,
        cwd=swig,
    )
    flags = {
        target: subprocess.run(
            ["make", "-s", "--no-print-directory", "-f", "helper.mak", target],
            cwd=swig,
            env={name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for target in ("cflags", "ldflags", "libs")
    }
    defines = [flag for flag in flags["cflags"] if flag.startswith(("-D", "-I"))]
    include = sysconfig.get_paths()["include"]
    object_file = swig / "pjsua2_wrap.o"
    with Progress("compiling the Python module (one file of 160,000 lines)", total=1) as progress:
        compile_command = ["g++", *WRAPPER_FLAGS.split(), *defines, f"-I{include}"]
        run(
            [*compile_command, "-c", "pjsua2_wrap.cpp", "-o", str(object_file)],
            log=log,
            cwd=swig,
            progress=progress,
        )
    extension = out / f"_pjsua2{sysconfig.get_config_var('EXT_SUFFIX')}"
    libs = [f"-l{name}" for name in flags["libs"]]
    run(
        ["g++", "-shared", "-s", "-o", str(extension), str(object_file), *flags["ldflags"], *libs],
        log=log,
        cwd=swig,
    )
    shutil.copyfile(swig / "pjsua2.py", out / "pjsua2.py")
    return out


def _try_import(module: Path) -> None:
    probe = "import pjsua2; print(pjsua2.EpConfig().uaConfig.maxCalls)"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env={**os.environ, "PYTHONPATH": str(module)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetUpError(f"the built module cannot be imported: {done.stderr.strip()[-300:]}")


def _wheel(module: Path, work: Path) -> Path:
    """Pack the module as a wheel (PEP 427): files, then METADATA, WHEEL and RECORD with their hashes."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    tag = f"{python}-{python}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    info = f"pjsua2-{VERSION}.dist-info"
    metadata = (
        f"Metadata-Version: 2.1\nName: pjsua2\nVersion: {VERSION}\nSummary: SIP for Tollbridge\n"
        "License: GPL-2.0-or-later\n"
    )
    files = {path.name: path.read_bytes() for path in sorted(module.iterdir()) if path.is_file()}
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tollbridge\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    )
    record = ""
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = work / f"pjsua2-{VERSION}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return wheel


if __name__ == "__main__":
    sys.exit(main())
