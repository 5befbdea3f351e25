"""The page about settings."""

from pathlib import Path

from scripts import settings_page

ROOT = Path(__file__).parents[2]


def test_page_is_current():
    """docs/settings.md is what the table of settings says."""
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == settings_page.page()
