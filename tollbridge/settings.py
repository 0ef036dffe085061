"""Every setting of Tollbridge: type, unit, default, and what must fit together.

A value comes from the environment (`TOLLBRIDGE_` and the name in capitals), else from a TOML file (the same
names in small letters), else from the default. The defaults bind everything to loopback and trust calls
from loopback alone; each step outside has to be said. What contradicts itself is refused at start, all at
once, with sentences that say what to do.

Errors:
    SettingsError   one or more settings cannot be used; `problems` has one sentence each: the operator's
    fault
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import platform
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from sqlalchemy import URL

from database.engine import parse_url
from tollbridge.settings_billing import BillingSettings
from tollbridge.settings_checks import check_all
from tollbridge.settings_events import EventSettings
from tollbridge.settings_web import WebSettings, mail_folder
from tollbridge.trunk_settings import TrunkSettings, loopback_trunk

PREFIX = "TOLLBRIDGE_"
CONFIG_NAME = "tollbridge.toml"
_JSON = ("trunks", "ice_servers")
_NOT_SETTINGS = ("TOLLBRIDGE_CONFIG", "TOLLBRIDGE_TEST_", "TOLLBRIDGE_BUILD_")


class SettingsError(Exception):
    """Settings that cannot be used. `problems` has one sentence each, without secrets."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(WebSettings, BillingSettings, EventSettings):
    """All settings, checked. Frozen: a changed setting needs a new start."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(
        default=Path("data"),
        description="Folder for all that Tollbridge writes: database, spool, prompt cache, recordings.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="Database: `sqlite:////folder/file.db` or `postgresql://user:password@host/name`. "
        "Default: SQLite in the data folder.",
    )
    node_id: str = Field(
        default_factory=lambda: platform.node() or "node",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name of this machine in call records; must differ between machines that share a "
        "database. "
        "Default: the host name.",
    )

    http_host: str = Field(default="127.0.0.1", description="Address on which the web server listens.")
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="TCP port of the web server; 0 takes a free one."
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
        description="Web address under which clients reach us, for links in answers and invitations. "
        "Default: made of `http_host` and `http_port`.",
    )

    sip_host: tuple[str, ...] = Field(
        default=("127.0.0.1",),
        description="Addresses on which SIP listens, IPv4 and IPv6, separated by commas. "
        "`0.0.0.0` and `::` mean all, and need `media_address`.",
    )
    sip_port: int = Field(
        default=5060, ge=0, le=65535, description="UDP and TCP port of SIP; 0 takes a free one."
    )
    sip_tls_port: int = Field(
        default=5061,
        ge=0,
        le=65535,
        description="TCP port of SIP over TLS, used when a certificate is given.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate chain for SIP over TLS; without it there is no TLS.",
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file with the private key of `tls_certificate`."
    )
    max_calls: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Calls at one time; more are answered 503 with Retry-After. "
        "pjsua2 has a compiled limit of lines, too: see `tollbridge doctor`.",
    )
    session_expires_s: int = Field(
        default=1800,
        ge=90,
        le=86_400,
        description="Session timer (RFC 4028) in seconds: a call whose far end does not refresh in "
        "time is ended.",
    )
    trunks: tuple[TrunkSettings, ...] = Field(
        default_factory=lambda: (loopback_trunk(),),
        description="Who may send calls: a JSON list in the environment, `[[trunks]]` tables in the file. "
        "Default: one trunk named `loopback` for 127.0.0.0/8 and ::1. Anyone else is refused.",
    )

    rtp_ports: tuple[int, int] = Field(
        default=(40000, 40127),
        description="First and last UDP port for sound, as `40000-40127`: even ports for RTP, each with the "
        "odd one above it for RTCP. Calls share ports, so 64 pairs serve thousands.",
    )
    media_address: tuple[str, ...] = Field(
        default=(),
        description="Addresses that callers are told to send sound to, at most one IPv4 and one "
        "IPv6, separated by "
        "commas: the public ones when behind NAT. Default: `sip_host`.",
    )
    media_bind: tuple[str, ...] = Field(
        default=(),
        description="Addresses on which sound is received, separated by commas. Default: `sip_host`.",
    )
    media_from_anywhere: bool = Field(
        default=True,
        description="Whether the first sound of a call may come from another address than the one "
        "announced, as it "
        "does from phones behind NAT. After the first packet no other source is heard either way.",
    )
    media_timeout_s: float = Field(
        default=60.0,
        ge=5,
        le=3600,
        description="Seconds without any sound after which a call is asked whether it still exists, "
        "and ended when "
        "it does not answer. A muted phone that sends nothing is not ended.",
    )

    twilio_account_sid: str | None = Field(
        default=None,
        pattern=r"^AC[0-9a-fA-F]{32}$",
        description="Account SID at Twilio. With it and `twilio_auth_token` calls come in by Twilio, too; "
        "needs `public_url`.",
    )
    twilio_auth_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Auth token of the Twilio account: it signs web hooks and opens the REST API.",
    )
    twilio_api_url: str = Field(
        default="https://api.twilio.com",
        pattern=r"^https?://[^\s/?#]+$",
        description="Where Twilio's REST API is reached: another address for its regions, or a proxy.",
    )

    numbers_file: Path | None = Field(
        default=None,
        description="List of dial-in numbers. Default: the one inside the package, "
        "`bridge/dialin_numbers.yaml`.",
    )
    prompts_dir: Path | None = Field(
        default=None,
        description="Folder with recorded prompts, which win over the synthesised ones. "
        "Default: `prompts` in the data folder.",
    )
    join_tones: bool = Field(
        default=True, description="Whether a short tone tells that somebody joined or left."
    )
    discussion_limit: int = Field(
        default=25, ge=2, le=1000, description="People in the room up to which discussion mode is allowed."
    )
    room_idle_s: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Seconds after which a room that everyone left is closed and its session ends.",
    )
    rejoin_s: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="Seconds in which a caller who dials again finds mute, music and place in the "
        "queue as they were.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="Lines for people, or one JSON object each."
    )

    @property
    def database(self) -> URL:
        """The database to use, driver included."""
        if self.database_url is not None:
            return parse_url(self.database_url.get_secret_value())
        return parse_url(URL.create("sqlite", database=str(self.data_dir.absolute() / "tollbridge.db")))

    @property
    def media_addresses(self) -> tuple[str, ...]:
        """What callers are told to send sound to."""
        return self.media_address or self.sip_host

    @property
    def media_binds(self) -> tuple[str, ...]:
        """Where sound is received."""
        return self.media_bind or self.sip_host

    @property
    def web_address(self) -> str:
        """The base of all links, without a final slash."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.http_host, self.http_host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.http_port}"

    @property
    def twilio(self) -> bool:
        """Whether calls come in by Twilio."""
        return self.twilio_account_sid is not None

    @property
    def recordings_of_prompts(self) -> Path:
        """Where recorded prompts are looked for."""
        return self.prompts_dir or self.data_dir / "prompts"

    @property
    def prompt_cache(self) -> Path:
        """Where synthesised prompts are kept."""
        return self.data_dir / "cache" / "prompts"

    @property
    def mail_dir(self) -> Path:
        """Where mail is written without a mail server."""
        return mail_folder(self.data_dir)

    @property
    def spool_dir(self) -> Path:
        """Where call records wait for the database."""
        return self.data_dir / "spool"

    @field_validator("sip_host", "media_address", "media_bind", mode="before")
    @classmethod
    def _addresses(cls, value: Any) -> Any:
        parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise ValueError("must be addresses separated by commas")
        return tuple(_address(part) for part in parts if part != "")

    @field_validator("http_host", mode="before")
    @classmethod
    def _http_host(cls, value: Any) -> Any:
        return value.strip().removeprefix("[").removesuffix("]") if isinstance(value, str) else value

    @field_validator("rtp_ports", "webrtc_ports", mode="before")
    @classmethod
    def _ports(cls, value: Any) -> Any:
        if isinstance(value, str):
            first, dash, last = value.partition("-")
            if not dash or not first.strip().isdecimal() or not last.strip().isdecimal():
                raise ValueError("must be two port numbers such as 40000-40127")
            return (int(first), int(last))
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                parse_url(value.get_secret_value())
            except Exception as exc:
                raise ValueError(str(exc)) from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        problems = check_all(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _address(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError("must be addresses separated by commas")
    plain = text.strip().removeprefix("[").removesuffix("]")
    if plain == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        raise ValueError(f"{plain!r} is not an IP address") from None


def load(environ: Mapping[str, str] | None = None, *, config: Path | None = None) -> Settings:
    """The settings from `environ` (default: the process's) and the TOML file. Raises SettingsError.

    The file is `config`, else TOLLBRIDGE_CONFIG, else `tollbridge.toml` in the current or in the data folder.
    """
    environ = os.environ if environ is None else environ
    values = _from_environment(environ)
    file = _config_file(environ, config, data_dir=values.get("data_dir"))
    if file is not None:
        values = {**_from_file(file), **values}
    try:
        return Settings(**values)
    except ValidationError as exc:
        raise SettingsError(_sentences(exc)) from None


def unknown_environment(environ: Mapping[str, str]) -> list[str]:
    """Sentences about TOLLBRIDGE_ variables that set nothing: usually a slip of the pen."""
    found = []
    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in names and not name.startswith(_NOT_SETTINGS):
            near = difflib.get_close_matches(name, names, n=1)
            found.append(f"{name} sets nothing" + (f"; {near[0]} was meant?" if near else ""))
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in Settings.model_fields:
        text = environ.get(f"{PREFIX}{name.upper()}")
        if text is not None and text.strip() != "":
            values[name] = _json(text) if name in _JSON else text.strip()
    return values


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise SettingsError(
            [
                "TOLLBRIDGE_TRUNKS must be a JSON list such as "
                '[{"name": "carrier", "sources": ["192.0.2.0/28"], "country": "FR"}]'
            ]
        ) from None


def _config_file(environ: Mapping[str, str], config: Path | None, *, data_dir: str | None) -> Path | None:
    named = config or (Path(environ["TOLLBRIDGE_CONFIG"]) if environ.get("TOLLBRIDGE_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError([f"the settings file {named} does not exist; correct TOLLBRIDGE_CONFIG"])
        return named
    folder = Path(data_dir) if data_dir else Settings.model_fields["data_dir"].default
    for candidate in (Path(CONFIG_NAME), folder / CONFIG_NAME):
        if candidate.is_file():
            return candidate
    return None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError([f"the settings file {path} cannot be read: {exc}"]) from None


def _sentences(error: ValidationError) -> list[str]:
    sentences: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(place, list(Settings.model_fields), n=1)
            message = "there is no such setting" + (f"; {near[0]} was meant?" if near else "")
        sentences += [f"{place}: {line}" if place else line for line in message.split("\n")]
    return sentences
