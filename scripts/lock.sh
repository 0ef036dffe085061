#!/bin/sh
# Write requirements.lock anew: what pyproject.toml asks for (with the dev extra and the build backend), resolved in a
# fresh virtual environment, pinned, sorted. Run it after changing dependencies, and commit the result.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" - "$root/pyproject.toml" >"$work/wanted" <<'PY'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    facts = tomllib.load(file)
wanted = facts["project"]["dependencies"] + facts["build-system"]["requires"] + ["editables"]
for extra in facts["project"]["optional-dependencies"].values():
    wanted += extra
print("\n".join(wanted))
PY
echo "resolving $(wc -l <"$work/wanted") requirements"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check -r "$work/wanted"
{
    echo "# Written by scripts/lock.sh from pyproject.toml; do not edit."
    "$work/venv/bin/python" -m pip freeze --exclude-editable | LC_ALL=C sort -f
} >"$root/requirements.lock"
echo "requirements.lock: $(grep -c == "$root/requirements.lock") libraries"
