"""Everything that can be configured: declared once, read from options, environment and files, checked at once."""

from consumer.settings.load import Settings, SettingsError, load

__all__ = ["Settings", "SettingsError", "load"]
