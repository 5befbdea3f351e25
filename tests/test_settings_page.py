"""The page about settings."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_page_is_current():
    """docs/settings.md is what the table of settings says."""
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "scripts" / "settings_page.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == script.page()
