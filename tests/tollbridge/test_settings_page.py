"""The settings page says what the settings say."""

from __future__ import annotations

from pathlib import Path

from tollbridge.settings import Settings
from tollbridge.settings_page import settings_markdown
from tollbridge.trunk_settings import RegistrationSettings, TrunkSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_the_one_made_from_the_settings() -> None:
    assert PAGE.read_text() == settings_markdown(), "run: tollbridge settings --markdown > docs/settings.md"


def test_every_setting_is_explained() -> None:
    for model in (Settings, TrunkSettings, RegistrationSettings):
        for name, field in model.model_fields.items():
            assert len(field.description or "") > 15, name
            if name.endswith("_s"):
                assert "econds" in (field.description or ""), f"{name}: say the unit"
