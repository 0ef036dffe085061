"""Settings: loopback until told otherwise, every contradiction refused at start with advice."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from events.steps import Rules
from tollbridge.settings import Settings, SettingsError, load, unknown_environment


def settings(**environ: str) -> Settings:
    return load({f"TOLLBRIDGE_{name.upper()}": value for name, value in environ.items()})


def refused(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(**environ)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults_stay_on_loopback() -> None:
    found = settings()
    assert ipaddress.ip_address(found.http_host).is_loopback
    assert all(ipaddress.ip_address(host).is_loopback for host in (*found.sip_host, *found.media_addresses))
    (trunk,) = found.trunks
    assert all(source.is_loopback for source in trunk.sources)
    assert found.database.drivername == "sqlite"
    assert found.web_address == "http://127.0.0.1:8080"


def test_the_rules_of_events_are_those_of_the_scheduler() -> None:
    assert settings().event_rules == Rules()
    set_all = settings(
        event_opens_min="45", event_empty_min="5", event_grace_min="20", event_overtime_min="600"
    )
    assert set_all.event_rules == Rules(waiting_min=45, empty_min=5, grace_min=20, overtime_min=600)


def test_the_environment_speaks_text() -> None:
    found = settings(
        sip_host="127.0.0.1, [::1]",
        rtp_ports="42000-42063",
        http_port="0",
        join_tones="0",
        database_url="postgresql://me:secret@db/tb",
        media_timeout_s="30",
        trunks=json.dumps(
            [
                {
                    "name": "carrier",
                    "sources": ["192.0.2.0/28", "2001:db8::/48"],
                    "country": "FR",
                    "default_number": "+33975129519",
                    "register": {"registrar": "sip:sip.example.com", "user": "u", "password": "hidden"},
                }
            ]
        ),
    )
    assert found.sip_host == ("127.0.0.1", "::1")
    assert found.rtp_ports == (42000, 42063)
    assert found.join_tones is False
    assert found.database.drivername == "postgresql+psycopg"
    assert found.trunks[0].register_at is not None
    assert found.trunks[0].register_at.password.get_secret_value() == "hidden"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "tollbridge.toml").write_text(
        'http_port = 9000\nsip_port = 5070\n[[trunks]]\nname = "a"\nsources = "192.0.2.1"\n'
    )
    found = settings(http_port="9001")
    assert (found.http_port, found.sip_port, found.trunks[0].name) == (9001, 5070, "a")


def test_the_file_may_be_named_or_lie_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "tollbridge.toml").write_text("http_port = 9000\n")
    assert settings(data_dir=str(tmp_path / "d")).http_port == 9000
    (tmp_path / "other.toml").write_text("http_port = 9002\n")
    assert settings(config=str(tmp_path / "other.toml")).http_port == 9002
    assert "does not exist" in refused(config="/nowhere.toml")


@pytest.mark.parametrize("text", ["http_port = ", "htpp_port = 1\n", "\xff"])
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "tollbridge.toml").write_bytes(text.encode("latin-1"))
    message = refused()
    assert "http_port was meant?" in message if "htpp" in text else "cannot be read" in message


@pytest.mark.parametrize(
    ("environ", "advice"),
    [
        ({"event_overtime_min": "30"}, "event_grace_min 60"),
        ({"event_opens_min": "0"}, "event_opens_min"),
        ({"mail_bounces_to": "Bounces <b@example.com>"}, "mail_bounces_to"),
        ({"rtp_ports": "40001-40127"}, "even"),
        ({"rtp_ports": "40000-40126"}, "odd"),
        ({"rtp_ports": "40000-40001"}, "at least 4"),
        ({"rtp_ports": "40127-40000"}, "odd"),
        ({"rtp_ports": "40000"}, "40000-40127"),
        ({"rtp_ports": "80-141"}, "between 1024"),
        ({"rtp_ports": "5060-5123"}, "sip_port"),
        ({"sip_port": "8080"}, "each its own port"),
        ({"sip_port": "70000"}, "sip_port"),
        ({"sip_host": "0.0.0.0"}, "media_address"),
        ({"sip_host": "::"}, "media_address"),
        ({"sip_host": "0.0.0.0", "media_address": "0.0.0.0"}, "real one"),
        ({"sip_host": "phone.example"}, "not an IP address"),
        ({"sip_host": ","}, "at least one"),
        ({"media_address": "192.0.2.1,192.0.2.2"}, "at most one IPv4"),
        ({"media_address": "2001:db8::1"}, "media_bind"),
        ({"tls_certificate": "/nowhere.pem"}, "both files"),
        ({"database_url": "mysql://me:secret@host/x"}, "not supported"),
        ({"trunks": "[]"}, "without a trunk"),
        ({"trunks": "{"}, "JSON list"),
        ({"trunks": '[{"name": "a", "sources": ["0.0.0.0/0"]}]'}, "nearly everybody"),
        ({"trunks": '[{"name": "a", "sources": ["::/0"]}]'}, "nearly everybody"),
        ({"trunks": '[{"name": "a"}]'}, "nobody could use it"),
        ({"trunks": '[{"name": "a", "digest_user": "u"}]'}, "or neither"),
        ({"trunks": '[{"name": "a", "sources": ["elsewhere"]}]'}, "not an address"),
        (
            {"trunks": '[{"name": "a", "sources": ["192.0.2.1"]}, {"name": "a", "sources": ["192.0.2.2"]}]'},
            "named a",
        ),
        (
            {"trunks": '[{"name": "a", "sources": ["192.0.2.1"]}, {"name": "b", "sources": ["192.0.2.1"]}]'},
            "told apart",
        ),
        ({"trunks": '[{"name": "a", "sources": ["192.0.2.1"], "colour": "red"}]'}, "no such setting"),
        ({"numbers_file": "/nowhere.yaml"}, "no file"),
        ({"prompts_dir": "/nowhere"}, "no folder"),
        ({"node_id": "a b"}, "node_id"),
        ({"public_url": "ftp://x"}, "public_url"),
        ({"max_calls": "0"}, "max_calls"),
    ],
)
def test_contradictions_are_refused_with_advice(environ: dict[str, str], advice: str) -> None:
    message = refused(**environ)
    assert advice in message
    assert "secret" not in message


def test_all_problems_are_told_at_once() -> None:
    assert len(refused(rtp_ports="40001-40127", sip_port="8080", prompts_dir="/nowhere").splitlines()) == 3


def test_open_sources_are_fine_with_a_password() -> None:
    found = settings(
        trunks='[{"name": "a", "sources": ["0.0.0.0/0"], "digest_user": "u", "digest_password": "p"}]'
    )
    assert found.trunks[0].sources[0].prefixlen == 0


def test_secrets_are_never_shown() -> None:
    found = settings(
        database_url="postgresql://me:topsecret@db/tb",
        trunks=json.dumps(
            [
                {
                    "name": "a",
                    "digest_user": "u",
                    "digest_password": "topsecret",
                    "register": {"registrar": "sip:r", "user": "u", "password": "topsecret"},
                }
            ]
        ),
    )
    assert "topsecret" not in repr(found)
    assert "topsecret" not in str(found.database)
    assert "topsecret" not in found.model_dump_json()


def test_a_bad_secret_is_not_repeated_in_the_message() -> None:
    trunk: dict[str, Any] = {"name": "a", "digest_user": "u", "digest_password": ["topsecret"]}
    assert "topsecret" not in refused(trunks=json.dumps([trunk]))
    assert "topsecret" not in refused(database_url="postgresql://me:topsecret@db:port/tb")


def test_slips_of_the_pen_in_the_environment_are_noticed() -> None:
    found = unknown_environment(
        {
            "TOLLBRIDGE_HTPP_PORT": "1",
            "TOLLBRIDGE_HTTP_PORT": "1",
            "PATH": "",
            "TOLLBRIDGE_TEST_DATABASE": "sqlite",
        }
    )
    assert found == ["TOLLBRIDGE_HTPP_PORT sets nothing; TOLLBRIDGE_HTTP_PORT was meant?"]


def test_public_addresses_make_good_links() -> None:
    assert settings(http_host="::1").web_address == "http://[::1]:8080"
    assert settings(http_host="0.0.0.0").web_address == "http://127.0.0.1:8080"
    assert settings(public_url="https://events.example/").web_address == "https://events.example"
