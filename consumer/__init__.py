"""Group changes in Kafka become Mixpanel group profiles."""

from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

try:
    __version__ = version("mixpanel-group-consumer")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"

try:
    __revision__ = files("consumer").joinpath("revision.txt").read_text("ascii").strip()
except FileNotFoundError:  # the package is built with it
    __revision__ = "unknown"
