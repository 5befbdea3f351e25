"""The mark of the default project in `client.id`: what it is of, and who is told by it."""

import logging

import pytest

from consumer.kafka.asked import MEMBERS_EVERY
from consumer.kafka.config import admin_config, consumer_config, producer_config
from consumer.kafka.project_mark import marked
from consumer.service.foreign import Foreign
from consumer.settings import load
from tests.kafka.members import poll_until

NEEDED = {"KAFKA_BOOTSTRAP_SERVERS": "b:1", "SCHEMA_REGISTRY_URL": "http://r"}
TOKEN = {"MIXPANEL_TOKEN": "0123456789abcdef0123456789abcdef"}
PROJECT = {"MIXPANEL_PROJECT_ID": "1234567"}
OWN, OTHER = "group-consumer-0123456789ab", "group-consumer-ffffffffffff"


def named(**environ: str) -> str:
    """The consumer's `client.id`."""
    return str(consumer_config(load({**NEEDED, **environ}))["client.id"])


def test_it_is_of_the_host_and_the_project():
    """By the project's number, or else by the token; nothing of either stands in it."""
    mark = marked(named(**TOKEN))
    assert len(mark) == 12
    assert mark not in TOKEN["MIXPANEL_TOKEN"]
    assert named(**TOKEN) == named(**TOKEN)
    others = {
        named(MIXPANEL_TOKEN="f" * 32),
        named(**TOKEN, MIXPANEL_REGION="eu"),
        named(**TOKEN, **PROJECT),
    }
    assert len(others | {named(**TOKEN)}) == 4
    assert named(**TOKEN, **PROJECT) == named(MIXPANEL_TOKEN="f" * 32, **PROJECT)  # another token of one project


def test_only_the_consumer_has_it_and_a_name_of_the_users_stays(tmp_path):
    """What is in the properties file is left alone; without a default project there is none."""
    settings = load({**NEEDED, **TOKEN})
    assert producer_config(settings)["client.id"] == admin_config(settings)["client.id"] == "group-consumer"
    properties = tmp_path / "kafka.properties"
    properties.write_text("client.id=mine\n")
    assert named(**TOKEN, KAFKA_PROPERTIES_FILE=str(properties)) == "mine"
    projects = tmp_path / "projects.toml"
    projects.write_text('[emea]\ntoken = "0123456789abcdef0123456789abcdef"\n')
    assert named(MIXPANEL_PROJECTS_FILE=str(projects)) == "group-consumer"


@pytest.mark.filterwarnings("ignore")  # the client's call warns of itself
@pytest.mark.parametrize("protocol", ["cooperative", "range"])
def test_members_of_another_project_are_seen(join, broker, topic, group_id, protocol):
    """By their mark; those without one, and those of our own project, are no strangers."""
    member = join(protocol, client_id=OWN)
    poll_until(lambda: len(member.mine) == 4, "it is assigned", member)
    assert member.source.foreign() == []
    mates = [join(protocol, client_id=name) for name in (OWN, "mine", OTHER)]
    poll_until(lambda: all(mate.mine for mate in mates), "they share", member, *mates)
    member.ahead += MEMBERS_EVERY
    poll_until(member.source.foreign, "the stranger is seen", member, *mates)
    assert len(member.source.foreign()) == 1
    silent = join(protocol, client_id="mine")
    assert silent.source.foreign() == []


def test_strangers_are_told_once_and_when_they_are_gone(caplog):
    """One line for each change, with where they run."""
    foreign = Foreign()
    with caplog.at_level(logging.INFO, "consumer"):
        assert [foreign.look(found) for found in ([], ["10.0.0.1"], ["10.0.0.1"], [], [])] == [0, 1, 1, 0, 0]
    told, gone = caplog.records
    assert (told.levelname, told.members) == ("ERROR", ["10.0.0.1"])
    assert "KAFKA_GROUP_ID" in told.message
    assert "any more" in gone.message
