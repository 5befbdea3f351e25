"""Group changes in Kafka become Mixpanel group profiles."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mixpanel-group-consumer")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
