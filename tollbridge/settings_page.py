"""The page docs/settings.md, made from the settings themselves, so that it cannot lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tollbridge.settings import PREFIX, Settings
from tollbridge.trunk_settings import RegistrationSettings, TrunkSettings

_HEAD = """\
# Settings

Made by `tollbridge settings --markdown`; do not edit.

A setting comes from the environment (`TOLLBRIDGE_HTTP_PORT=9000`), else from a TOML file (`http_port =
9000`), else from its default. The file is the one named by `TOLLBRIDGE_CONFIG`, else `tollbridge.toml` in
the current folder, else `tollbridge.toml` in the data folder. Everything binds to loopback until told
otherwise. Settings that contradict each other are refused at start, with a sentence that says what to do;
`tollbridge doctor` checks the rest.

| environment | file | default | meaning |
|---|---|---|---|
"""

_TRUNKS = """
## Trunks

A call is let in only from a trunk. In the file each is a table:

```toml
[[trunks]]
name = "carrier"
sources = ["192.0.2.0/28"]
country = "FR"
default_number = "+33975129519"
```

In the environment all of them are one JSON list:

```sh
TOLLBRIDGE_TRUNKS='[{"name": "carrier", "sources": ["192.0.2.0/28"], "country": "FR"}]'
```

Setting trunks replaces the default one, which trusts this machine.

| name | default | meaning |
|---|---|---|
"""

_REGISTRATION = """
### Registration

The table `register` of a trunk, for carriers at which one has to log in:

| name | default | meaning |
|---|---|---|
"""


def settings_markdown() -> str:
    """The whole page."""
    own = Settings.__annotations__
    fields = sorted(Settings.model_fields.items(), key=lambda item: item[0] not in own)
    rows = [
        f"| `{PREFIX}{name.upper()}` | `{name}` | {_default(field)} | {field.description} |"
        for name, field in fields
    ]
    return "".join([
        _HEAD, *(f"{row}\n" for row in rows), _TRUNKS, *_table(TrunkSettings), _REGISTRATION,
        *_table(RegistrationSettings),
    ])  # fmt: skip


def _table(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"| `{field.alias or name}` | {_default(field)} | {field.description} |\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    if value is PydanticUndefined or value is None or value == ():
        return ""
    if isinstance(value, tuple):
        joint = "-" if all(isinstance(part, int) for part in value) else ", "
        value = joint.join(str(part) for part in value)
    elif isinstance(value, bool):
        value = int(value)
    elif isinstance(value, PurePath):
        value = value.as_posix()
    return f"`{value}`"
