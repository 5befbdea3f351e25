"""The event schemas, as package data: `group_change.avsc` is the newest, `history/` every version ever released."""

from importlib.resources import files

NEWEST = "group_change.avsc"


def newest() -> str:
    """The text of the newest version: what the service reads every record as."""
    return files(__name__).joinpath(NEWEST).read_text("utf-8")


def versions() -> dict[int, str]:
    """The text of every released version, by its number: `history/group_change.v1.avsc` is version 1."""
    found = {}
    for file in files(__name__).joinpath("history").iterdir():
        name, number, kind = file.name.rsplit(".", 2)
        if name == "group_change" and kind == "avsc":
            found[int(number.removeprefix("v"))] = file.read_text("utf-8")
    return dict(sorted(found.items()))
