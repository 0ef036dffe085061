"""Settings of browsers in the room, of cookies, and of mail."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from mail.errors import BadMailError
from mail.message import check_address


class IceServer(BaseModel):
    """A STUN or TURN server as browsers name it (W3C WebRTC, `RTCIceServer`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    urls: str = Field(pattern=r"^(stun|stuns|turn|turns):[^\s]+$")
    username: str | None = None
    credential: SecretStr | None = None

    def plain(self) -> dict[str, Any]:
        """With the credential readable, for those who connect."""
        found: dict[str, Any] = {"urls": self.urls}
        if self.username is not None:
            found["username"] = self.username
        if self.credential is not None:
            found["credential"] = self.credential.get_secret_value()
        return found


class WebSettings(BaseModel):
    """Part of `tollbridge.settings.Settings`."""

    secret_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs the cookies of people in rooms; at least 32 characters. Give the same one to all "
        "machines that share a database. Default: made at the first start, in `secret.key` in the data "
        "folder.",
    )
    ice_servers: tuple[IceServer, ...] = Field(
        default=(),
        description="STUN and TURN servers for browsers: a JSON list such as "
        '`[{"urls": "turn:turn.example.com:3478", "username": "u", "credential": "p"}]` in the environment, '
        "`[[ice_servers]]` tables in the file.",
    )
    ice_servers_for_us: bool = Field(
        default=False,
        description="Whether this machine, too, asks the `ice_servers` for a way: only behind a NAT that "
        "nobody can configure.",
    )
    webrtc_address: str | None = Field(
        default=None,
        description="Public IP address that browsers are told when this machine is behind one-to-one NAT. "
        "Default: the addresses of its network cards.",
    )
    webrtc_ports: tuple[int, int] | None = Field(
        default=None,
        description="First and last UDP port for browsers, as `50000-50999`: one for each browser and "
        "address of `media_bind`. Default: any free one.",
    )
    max_browsers: int = Field(
        default=500,
        ge=0,
        le=100_000,
        description="Browsers with sound at one time on this machine; 0: telephones only.",
    )
    sockets_per_address: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Room pages that may be open at one time from one IP address; raise it when a whole "
        "company joins from behind one address.",
    )

    web_hooks_allow_private: bool = Field(
        default=False,
        description="Whether web hooks may go to private and loopback addresses: for trials, and where the "
        "receiver stands in the same network.",
    )

    smtp_host: str | None = Field(
        default=None,
        description="Mail server through which mail is sent. Default: none, and mail is written as files "
        "to `mail` in the data folder.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="TCP port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection to the mail server is protected."
    )
    smtp_user: str | None = Field(default=None, description="User name at the mail server, if it asks.")
    smtp_password: SecretStr | None = Field(default=None, description="Password at the mail server.")
    mail_from: str = Field(
        default="Tollbridge <tollbridge@localhost>",
        description="Sender of all mail: `Name <address>` or an address.",
    )
    mail_bounces_to: str | None = Field(
        default=None,
        description="Address to which mail servers report what they could not deliver; a mail server gives "
        "what arrives there to `tollbridge mail bounce`. Default: the address in `mail_from`.",
    )

    @field_validator("mail_bounces_to")
    @classmethod
    def _mail_bounces_to(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                check_address(value)
            except BadMailError as exc:
                raise ValueError(str(exc)) from exc
        return value

    @field_validator("webrtc_address")
    @classmethod
    def _webrtc_address(cls, value: str | None) -> str | None:
        if value is not None:
            ip_address(value)
        return value


def mail_folder(data_dir: Path) -> Path:
    """Where mail is written without a mail server."""
    return data_dir / "mail"
