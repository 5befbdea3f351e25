"""The command itself: help, settings as options, exit status, and what is imported when."""

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from consumer.cli import COMMANDS, main
from consumer.settings.declared import NAMES, VARIABLES

FINE = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "SCHEMA_REGISTRY_URL": "http://registry:8081",
    "MIXPANEL_TOKEN": "t0ken",
}
HERE = [name for name, (place, _) in COMMANDS.items() if place.startswith(("consumer.cli", "consumer.commands."))]


def test_help(call):
    """The help lists every command with what it does, and how to complete with the tab key."""
    result = call("--help")
    assert result.exit_code == 0
    for name, (_, does) in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert does in result.stdout
    assert "_GROUP_CONSUMER_COMPLETE" in result.stdout


def test_version(call):
    """--version says the version."""
    assert call("--version").stdout.startswith("group-consumer, version ")


def test_near_command(call):
    """A wrong command is a usage error that names the near one."""
    result = call("setings")
    assert result.exit_code == 2
    assert "Did you mean 'settings'?" in result.stderr


def test_no_near_command(call):
    """Where none is near, all are named."""
    assert "There are: demo, sandbox, run" in call("xyzzy").stderr


@pytest.mark.parametrize("name", HERE)
def test_help_of_each(name, call):
    """Every command has a help text with examples, in at most 80 columns but for what is to be copied."""
    result = call(name, "--help")
    assert result.exit_code == 0
    command = main.get_command(click.Context(main), name)
    if not isinstance(command, click.Group):
        assert "Examples:" in result.stdout
        assert f"group-consumer {name}" in result.stdout.split("Examples:")[1]


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_every_setting_is_an_option(variable):
    """`run` and the tools take every setting as an option, and the `_FILE` twin of every secret."""
    for name in ("run", "check", "settings", "produce", "preview"):
        command = main.get_command(click.Context(main), name)
        options = {option for parameter in command.params for option in parameter.opts}
        assert variable.option in options
        assert (variable.option + "-file" in options) or not variable.secret


@pytest.mark.parametrize("arguments", [["run"], ["check"], ["settings"], ["produce", "-"], ["schema", "register"]])
def test_wrong_settings(arguments, call):
    """Wrong settings are all named on stderr, nothing is started, and the exit status is 2."""
    result = call(*arguments, FOLD="perhaps", MAX_IN_FLIGHT="0", MIXPANEL_TOKEN="c4n ary")
    assert result.exit_code == 2
    assert "error: " in result.stderr
    assert "settings are wrong, and nothing was started:" in result.stderr
    assert 'FOLD is "perhaps"' in result.stderr
    assert 'MAX_IN_FLIGHT is "0"' in result.stderr
    assert "SCHEMA_REGISTRY_URL is not set" in result.stderr
    assert result.stdout == ""
    assert "c4n" not in result.output


def test_wrong_option(call):
    """A wrong option is a usage error with the nearest one."""
    result = call("settings", "--kafka-topic", "a", **FINE)
    assert result.exit_code == 2
    assert "--kafka-topics" in result.stderr


def test_settings(call):
    """`settings` shows every variable, masked where it is a secret, and where its value is from."""
    result = call("settings", "--drain-timeout", "30s", **FINE)
    assert result.exit_code == 0
    for variable in VARIABLES:
        assert variable.name in result.stdout
    assert "30s  (option)" in result.stdout
    assert "kafka:9092  (environment)" in result.stdout
    assert "t0ken" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_settings_as_json(call, tmp_path):
    """`settings --output json` has every field, and what the Kafka clients get in the end, without a secret."""
    properties = tmp_path / "kafka.properties"
    properties.write_text("fetch.min.bytes=7\nsasl.oauthbearer.client.secret=c4nary\n")
    result = call("settings", "--output", "json", KAFKA_PROPERTIES_FILE=properties, KAFKA_TOPIC="x", **FINE)

    content = json.loads(result.stdout)
    rows = {row["name"]: row for row in content["settings"]}
    assert rows["MIXPANEL_TOKEN"] == {
        "name": "MIXPANEL_TOKEN",
        "value": "********",
        "origin": "environment",
        "default": "",
        "meaning": "Project token",
    }
    assert rows["BATCH_LINGER"]["origin"] == "default"
    assert rows["fetch.min.bytes"]["origin"] == str(properties)
    assert content["kafka"]["consumer"]["fetch.min.bytes"] == "7"
    assert content["kafka"]["consumer"]["enable.auto.commit"] == "false"
    assert content["warnings"] == ["KAFKA_TOPIC is not a setting: did you mean KAFKA_TOPICS?"]
    assert "c4nary" not in result.output


def test_problems_as_json(call):
    """With --output json the problems are JSON too, and the exit status is 2 all the same."""
    result = call("settings", "--output", "json", **FINE, FOLD="perhaps")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"problems": ['FOLD is "perhaps": allowed is on or off']}


def test_warnings(call):
    """A variable that nobody reads is warned of on stderr, and stdout stays clean."""
    result = call("settings", "--output", "json", **FINE, MIXPANEL_TOKN="x")
    assert "warning: MIXPANEL_TOKN is not a setting: did you mean MIXPANEL_TOKEN?" in result.stderr
    json.loads(result.stdout)


def test_colour():
    """Colour is for a terminal, and NO_COLOR switches it off there too."""
    for given, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        result = CliRunner().invoke(main, ["settings"], env=FINE | given, color=True)
        assert ("\x1b[" in result.stdout) is coloured
    assert "\x1b[" not in CliRunner().invoke(main, ["settings"], env=FINE).stdout


def complete(*words):
    """What the tab key offers after these words, the last of them unfinished."""
    environ = {"_GROUP_CONSUMER_COMPLETE": "bash_complete", "COMP_CWORD": str(len(words))}
    environ["COMP_WORDS"] = " ".join(["group-consumer", *words])
    command = [sys.executable, "-m", "consumer"]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | environ, check=False)
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


def test_completion():
    """The tab key completes commands, their subcommands and their options."""
    assert complete("s") == ["sandbox", "settings", "status", "schema"]
    assert complete("schema", "") == ["compatible", "register", "show"]
    assert "--kafka-bootstrap-servers" in complete("run", "--kafka-b")
    assert complete("check", "--output", "") == ["table", "json"]


def test_module_and_imports():
    """`python -m consumer --help` imports no Kafka client, no HTTP client and no Avro: it answers at once."""
    heavy = "confluent_kafka requests fastavro prometheus_client orjson"
    code = (
        "import runpy, sys\nsys.argv = ['x', '--help']\n"
        "try: runpy.run_module('consumer', run_name='__main__')\nexcept SystemExit: pass\n"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    environ = {name: value for name, value in os.environ.items() if name not in NAMES}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True)
    assert result.stdout.splitlines()[0].startswith("Usage: group-consumer")
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_a_terminal_that_lacks_a_character_gets_its_escape(encoding):
    """Whatever PYTHONIOENCODING says: no output ends in a traceback, and JSON stays JSON."""
    named = {"KAFKA_GROUP_ID": "grün→", "KAFKA_DEAD_LETTER_TOPIC": "letters"}
    environ = {**FINE, **named, "PATH": os.environ["PATH"], "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "consumer", "settings"]
    table = subprocess.run(command, env=environ, capture_output=True, check=True).stdout.decode(encoding)
    assert ("grün→" if encoding == "utf-8" else "\\u2192") in table
    found = subprocess.run([*command, "--output", "json"], env=environ, capture_output=True, check=True).stdout
    assert "grün→" in json.dumps(json.loads(found), ensure_ascii=False)
