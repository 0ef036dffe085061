"""Make this checkout ready to run: system packages, virtual environment, libraries, pjsua2.

    python3 scripts/set_up.py [--tests]

Runs with the system's Python and its standard library alone. Every step looks first whether it is already
done, so that a second run takes a fraction of a second. System packages are installed only when something
is missing, as root or through sudo, and only on systems with apt; elsewhere the missing things are named.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from progress import SetUpError, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON_MIN = (3, 11)


def _program(*names: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(name) is not None for name in names)


def _file(pattern: str) -> Callable[[], bool]:
    return lambda: any(Path("/").glob(pattern.lstrip("/")))


def _python_header() -> bool:
    return Path(sysconfig.get_paths()["include"], "Python.h").is_file()


def _venv_module() -> bool:
    return (
        subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0
    )


# package name on Debian and Ubuntu → whether what we need of it is there
_TO_RUN = {
    "python3-venv": _venv_module,
    "fonts-dejavu-core": _file("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),  # invoices
}
_TO_BUILD = {
    "build-essential": _program("gcc", "g++", "make"),
    "swig": _program("swig"),
    "libssl-dev": _file("/usr/include/openssl/ssl.h"),
    "uuid-dev": _file("/usr/include/uuid/uuid.h"),
    "python3-dev": _python_header,
}
_TO_TEST = {
    "sip-tester": _program("sipp"),
    "baresip-core": _program("baresip"),
    "sipsak": _program("sipsak"),
    "chromium": _program("chromium"),
    "postgresql": _file("/usr/lib/postgresql/*/bin/initdb"),
}


def main() -> int:
    """Set everything up; 0 when the checkout can run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", action="store_true", help="also what the tests need")
    parser.add_argument("--rebuild-pjsua2", action="store_true", help="build pjsua2 again")
    options = parser.parse_args()
    try:
        if sys.version_info < PYTHON_MIN:
            raise SetUpError(
                f"Python {PYTHON_MIN[0]}.{PYTHON_MIN[1]} or newer is needed, this is {sys.version.split()[0]}"
            )
        _system_packages(_TO_RUN)
        if options.tests:
            _system_packages(_TO_TEST)
        _virtual_environment()
        _libraries()
        _pjsua2(rebuild=options.rebuild_pjsua2)
    except SetUpError as error:
        print(f"set-up stopped: {error}", file=sys.stderr)
        return 1
    return 0


def _system_packages(wanted: dict[str, Callable[[], bool]]) -> None:
    missing = [package for package, present in wanted.items() if not present()]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    if shutil.which("apt-get") is None:
        raise SetUpError(f"please install what Debian calls: {' '.join(missing)}")
    become: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise SetUpError(f"please run as root: {' '.join(command)}")
        become = ["sudo"]
    say(f"installing system packages: {' '.join(missing)}")
    # A stopped service is what we want: the tests start their own PostgreSQL.
    env = ["env", "DEBIAN_FRONTEND=noninteractive"]
    subprocess.run([*become, *env, "apt-get", "update", "-q"], stdout=subprocess.DEVNULL, check=False)
    if subprocess.run([*become, *env, *command], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise SetUpError(f"could not install: {' '.join(missing)}")


def _virtual_environment() -> None:
    if (VENV / "bin/python").exists() and _quiet([str(VENV / "bin/python"), "-m", "pip", "--version"]):
        return
    say(f"creating the virtual environment {VENV.name}")
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode != 0:
        raise SetUpError("python3 -m venv failed")


def _libraries() -> None:
    lock = ROOT / "requirements.lock"
    wanted = hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / ".tollbridge-libraries"
    if stamp.is_file() and stamp.read_text() == wanted and (VENV / "bin/tollbridge").exists():
        return
    pip = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install"]
    say(f"installing {sum(1 for line in lock.read_text().splitlines() if '==' in line)} libraries as locked")
    if subprocess.run([*pip, "-qq", "-r", str(lock)], check=False).returncode != 0:
        raise SetUpError("pip could not install the locked libraries")
    # No deps: the lock is the whole truth. No isolation: the build backend is in the lock too.
    project = [*pip, "-qq", "--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    if subprocess.run(project, check=False).returncode != 0:
        raise SetUpError("pip could not install the project")
    stamp.write_text(wanted)


def _pjsua2(*, rebuild: bool) -> None:
    python = str(VENV / "bin/python")
    script = str(ROOT / "scripts/build_pjsua2.py")
    if rebuild or not _quiet([python, script, "--check"]):
        try:
            _system_packages(_TO_BUILD)
        except SetUpError as error:
            say(str(error))  # the build says what it misses and falls back to the four-line wheel
    if subprocess.run([python, script, *(["--force"] if rebuild else [])], check=False).returncode != 0:
        raise SetUpError("pjsua2 could not be installed")


def _quiet(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
