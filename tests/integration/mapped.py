"""The world under a mapping file, with what its profiles are to come to."""

from pathlib import Path
from typing import Any

from consumer.sandbox.mixpanel.profiles import Profiles
from tests.integration.world import TOKEN, World
from tests.mapping.published import FILES

PROJECTS = {"emea": "token-of-emea", "us": "token-of-us"}


class Mapped:
    """The world under one of the published files, about a topic of its own."""

    def __init__(self, world: World, folder: Path, file: str, topic: str) -> None:
        self.world = world
        self.expected = Profiles()
        self.file = folder / "mapping.toml"
        self.write((FILES / file).read_text().replace(topic, world.topic))
        projects = folder / "projects.toml"
        projects.write_text("".join(f'[{name}]\ntoken = "{token}"\n' for name, token in PROJECTS.items()))
        world.settings["MAPPING_FILE"] = str(self.file)
        world.settings["MIXPANEL_PROJECTS_FILE"] = str(projects)
        world.settings["MAPPING_HASH_KEY"] = "the-hash-key"

    def write(self, text: str) -> None:
        """The file from now on; what runs has read the one before."""
        self.file.write_text(text)

    def register(self, schema: Any, *, key: bool = False, subject: str = "") -> int:
        """A new version of the topic's schema."""
        return self.world.register(subject or f"{self.world.topic}-{'key' if key else 'value'}", schema)

    def send(self, group: int, value: bytes | None, key: bytes | None = None) -> None:
        """Write one record to the partition of its group."""
        self.world.producer.produce(self.world.topic, value, key=key, partition=group % 4)

    def expect(self, verb: str, group: str, values: Any, project: str = "") -> None:
        """What the profile is to have of it."""
        update = {"$token": PROJECTS.get(project, TOKEN), "$group_key": "company", "$group_id": group, verb: values}
        assert self.expected.apply(update) is None

    def check(self) -> None:
        """The profiles are those that were expected."""
        assert shown(self.world.mixpanel.profiles) == shown(self.expected)


def shown(profiles: Profiles) -> dict[tuple[str, str], Any]:
    """Each profile, by token and group; a list has no order where records were sent again."""
    return {
        (one["token"], one["group_id"]): {
            name: sorted(value, key=str) if isinstance(value, list) else value
            for name, value in one["properties"].items()
        }
        for one in profiles.snapshot()
    }


def framed(schema: int, data: bytes) -> bytes:
    """Confluent's frame."""
    return b"\0" + schema.to_bytes(4, "big") + data
