"""`tollbridge twilio …` against an account on a local port, and the settings it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.phones.twilio_cloud import PUBLIC, TwilioCloud
from tollbridge.cli import app
from tollbridge.settings import SettingsError, load

PARIS, LONDON = "+33975129519", "+442070484146"
ACCOUNT = {
    "TOLLBRIDGE_TWILIO_ACCOUNT_SID": "AC" + "a" * 32,
    "TOLLBRIDGE_TWILIO_AUTH_TOKEN": "secret",
    "TOLLBRIDGE_PUBLIC_URL": "https://bridge.example.org",
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TwilioCloud]:
    with TwilioCloud() as running:
        for name, value in running.settings().items():
            monkeypatch.setenv(f"TOLLBRIDGE_{name.upper()}", value)
        monkeypatch.setenv("TOLLBRIDGE_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.chdir(tmp_path)
        yield running


def run(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["twilio", *words])
    assert result.exit_code == status, result.output
    return result.output


def test_sync_shows_first_and_changes_when_told_to(cloud: TwilioCloud) -> None:
    paris = cloud.rent(PARIS, voice_url="https://demo.twilio.com/welcome/voice/")
    london = cloud.rent(LONDON, trunk_sid="TK" + "1" * 32)
    cloud.rent("+12025550199")
    shown = run("sync")
    assert f"change  {PARIS}  Paris" in shown
    assert f"-> {PUBLIC}/twilio/voice" in shown
    assert f"skipped {LONDON}" in shown
    assert "unused  +12025550199" in shown
    assert "missing +4915735989002" in shown
    assert "1 to change; nothing is changed without --apply" in shown
    assert all(method == "GET" for method, _ in cloud.requests)

    assert "1 changed" in run("sync", "--apply")
    assert (paris["voice_url"], paris["voice_method"]) == (f"{PUBLIC}/twilio/voice", "POST")
    assert paris["status_callback"] == f"{PUBLIC}/twilio/status"
    assert london["voice_url"] == ""
    again = json.loads(run("sync", "--json"))
    assert (again["change"], again["right"], again["skipped"]) == ([], [PARIS], [LONDON])
    assert again["unused"] == ["+12025550199"]


def test_without_an_account_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "TOLLBRIDGE_TWILIO_ACCOUNT_SID" in run("sync", status=1)


@pytest.mark.usefixtures("cloud")
def test_what_twilio_refuses_is_one_line_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLBRIDGE_TWILIO_AUTH_TOKEN", "a-wrong-token")
    output = run("sync", status=1)
    assert "401" in output
    assert "a-wrong-token" not in output


@pytest.mark.usefixtures("cloud")
def test_reconcile_of_nothing_prints_nothing() -> None:
    assert run("reconcile") == ""


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"TOLLBRIDGE_TWILIO_AUTH_TOKEN": ""}, "give both, or neither"),
        ({"TOLLBRIDGE_TWILIO_ACCOUNT_SID": ""}, "give both, or neither"),
        ({"TOLLBRIDGE_TWILIO_ACCOUNT_SID": "AC1"}, "twilio_account_sid"),
        ({"TOLLBRIDGE_PUBLIC_URL": ""}, "public_url: needed for Twilio"),
        ({"TOLLBRIDGE_PUBLIC_URL": "http://bridge.example.org"}, "must begin with https://"),
        ({"TOLLBRIDGE_TWILIO_API_URL": "api.twilio.com"}, "twilio_api_url"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({**ACCOUNT, **changed})
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


def test_settings_that_work() -> None:
    assert load(ACCOUNT).twilio
    assert load({**ACCOUNT, "TOLLBRIDGE_PUBLIC_URL": "http://127.0.0.1:8080"}).twilio
    assert not load({}).twilio
