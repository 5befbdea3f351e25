"""A bad day with marked secrets and marked payloads: none of the marks is in anything that the service puts out."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from consumer.sandbox.broker.security import Security
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.settings.declared import VARIABLES
from tests.integration.events import SCHEMA, change, changed, framed
from tests.integration.service import CODE
from tests.integration.watching import BACK_WITHIN, until
from tests.integration.world import QUICK_GROUP, read

PAYLOAD = "marked-payload"
SECRET = "marked-secret"
USER = "service"
OAUTH = {
    "SCHEMA_REGISTRY_USERNAME": "",
    "SCHEMA_REGISTRY_PASSWORD": "",
    "SCHEMA_REGISTRY_OAUTH_URL": "https://127.0.0.1:9/token",
    "SCHEMA_REGISTRY_OAUTH_CLIENT_ID": "reader",
    "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET": f"{SECRET}-client",
}
BEARER = {"SCHEMA_REGISTRY_USERNAME": "", "SCHEMA_REGISTRY_PASSWORD": "", "SCHEMA_REGISTRY_TOKEN": f"{SECRET}-bearer"}
MAPPING = {
    "MAPPING_FILE": str(Path(__file__).parents[2] / "docs" / "mappings" / "cdp-calls.toml"),
    "MAPPING_HASH_KEY": f"{SECRET}-hash",
}


def key_passwords(certificates) -> dict[str, str]:
    """Private keys with passwords, for the brokers and the registry."""
    return {
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(certificates.client_certificate),
        "KAFKA_SSL_KEY_LOCATION": str(certificates.client_key),
        "KAFKA_SSL_KEY_PASSWORD": f"{SECRET}-key",
        "SCHEMA_REGISTRY_CERTIFICATE_LOCATION": str(certificates.client_certificate),
        "SCHEMA_REGISTRY_KEY_LOCATION": str(certificates.client_key),
        "SCHEMA_REGISTRY_KEY_PASSWORD": f"{SECRET}-key",
    }


def test_every_secret_has_a_mark():
    """One that is added to the settings is added here."""
    text = Path(__file__).read_text("utf-8")
    assert [variable.name for variable in VARIABLES if variable.secret and variable.name not in text] == []


def everything(service, seen: list[str]) -> None:
    """Note what it shows now."""
    seen.extend(service.get(path)[1] for path in ("/metrics", "/readyz", "/livez", "/nowhere"))


def test_no_mark_is_in_any_output(new_broker, new_certificates, new_world, serving, mixpanel, tmp_path):
    """Refusals that repeat values, outages, wrong frames, a restart of the broker, wrong logins: all at debug."""
    certificates = new_certificates()
    security = Security(
        "SASL_SSL",
        users={USER: f"{SECRET}-kafka"},
        certificate=certificates.server_certificate,
        key=certificates.server_key,
        ca=certificates.ca,
    )
    broker = new_broker(security=security)
    tls, ca = serving()
    basic = "Basic " + b64encode(f"reader:{SECRET}-registry".encode()).decode()
    seen: list[str] = []
    password = tmp_path / "password"
    password.write_text(f"{SECRET}-kafka")
    token, other = tmp_path / "token", tmp_path / "other"
    token.write_text(f"{SECRET}-token")
    other.write_text(f"{SECRET}-other")
    projects = tmp_path / "projects.toml"
    projects.write_text(f'[other]\ntoken_file = "{other}"\n[third]\ntoken = "{SECRET}-third"\n')
    with RegistrySandbox(tls=tls, users={"reader": f"{SECRET}-registry"}) as registry:
        registry.register("group-changes-value", json.dumps(SCHEMA))
        world = new_world(broker, registry)
        world.properties(
            tmp_path, QUICK_GROUP
        )  # a member that cannot leave, its password being wrong, is soon missed
        settings = {
            "LOG_LEVEL": "debug",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD_FILE": str(password),
            "KAFKA_SSL_CA_LOCATION": str(certificates.ca),
            "SCHEMA_REGISTRY_USERNAME": "reader",
            "SCHEMA_REGISTRY_PASSWORD": f"{SECRET}-registry",
            "SCHEMA_REGISTRY_CA_LOCATION": str(ca),
            "SCHEMA_RULES_LOCAL_SECRET": f"{SECRET}-kms",
            "MIXPANEL_TOKEN": "",
            "MIXPANEL_TOKEN_FILE": str(token),
            "MIXPANEL_PROJECTS_FILE": str(projects),
            "MIXPANEL_PROJECT_ID": "1234567",
            "MIXPANEL_SERVICE_ACCOUNT_USERNAME": "reader",
            "MIXPANEL_SERVICE_ACCOUNT_SECRET": f"{SECRET}-account",
            "MIXPANEL_TIMEOUT": "1s",
        }
        service = world.run(**settings)
        bad_records(world)
        mixpanel.faults.on("refuse", group_id=f"{PAYLOAD}-bad", words=f"{PAYLOAD} and {SECRET}-token are refused")
        world.settled()
        everything(service, seen)
        for fault, options in (
            ("status", {"status": 500, "body": f"{PAYLOAD} {SECRET}"}),
            ("status", {"status": 401, "body": f"{PAYLOAD} {SECRET}"}),
            ("unreadable", {"body": f"{PAYLOAD} {SECRET}"}),
            ("hang", {}),
        ):
            mixpanel.faults.on(fault, name="day", times=1, **options)
            world.send(changed(f"{PAYLOAD}-good", note=f"{PAYLOAD}-value"), key=f"{PAYLOAD}-key")
            until(lambda: not any(one["name"] == "day" for one in mixpanel.faults.as_json()), "it has struck")
            everything(service, seen)
            world.settled()
        registry.users = {"reader": "another"}
        other = world.register("other", {"type": "record", "name": "Other", "fields": []})
        world.send(framed(change(f"{PAYLOAD}-good"), number=other), key=f"{PAYLOAD}-key")
        until(lambda: service.lines("status_401"), "the registry refuses it")
        everything(service, seen)
        registry.users = {"reader": f"{SECRET}-registry"}
        world.settled()
        broker.set_password(USER, "another one")
        world.restart_broker()
        service.said("KAFKA_SASL_PASSWORD", 90)
        everything(service, seen)
        broker.set_password(USER, f"{SECRET}-rotated")
        password.write_text(f"{SECRET}-rotated\n")
        until(service.ready, "the rotated password is used", BACK_WITHIN)
        everything(service, seen)
        rotated_tokens(world, service, token, projects)
        everything(service, seen)
        assert service.stop() == 0

        proxy = {"HTTP_PROXY": f"http://user:{SECRET}-proxy@127.0.0.1:9"}
        world.send(changed(f"{PAYLOAD}-good", note=f"{PAYLOAD}-value"), key=f"{PAYLOAD}-key")
        behind = world.run(**settings, **proxy)
        until(lambda: behind.metric("retries_total", cause="proxy") >= 1, "the proxy is away")
        everything(behind, seen)
        assert behind.stop() == 0
        seen += [one.log_file.read_text() for one in (service, behind)]
        seen += commands(tmp_path, world.settings | settings)
        for more in (OAUTH, BEARER, MAPPING, key_passwords(certificates)):
            seen += commands(tmp_path, world.settings | settings | more)
        kept = dead_letters(tmp_path, broker, world, settings)
    assert all(len(text) > 100 for text in (*seen[-5:], *kept))
    assert not [text for text in kept if SECRET in text]
    for number, text in enumerate(seen):
        for mark in (PAYLOAD, SECRET, basic.removeprefix("Basic "), PAYLOAD.upper()):
            assert mark not in text, (number, text[max(0, text.find(mark) - 300) : text.find(mark) + 50])


def rotated_tokens(world, service, token: Path, projects: Path) -> None:
    """Files that hold no token, then others; Mixpanel repeats the new one in a refusal."""
    token.write_text(f"{SECRET} with blanks")
    service.said("MIXPANEL_TOKEN has a wrong value", 30)
    projects.write_text(projects.read_text().replace("-third", "-third-rotated") + f'[new]\ntoken = "{SECRET}-new"\n')
    service.said("[new] is new", 30)
    token.write_text(f"{SECRET}-token-rotated")
    service.said("MIXPANEL_TOKEN_FILE has changed", 30)
    words = f"{PAYLOAD} and {SECRET}-token-rotated are refused"
    world.mixpanel.faults.on("refuse", group_id=f"{PAYLOAD}-bad-token", words=words)
    world.send(changed(f"{PAYLOAD}-bad-token", note=f"{PAYLOAD}-value"), key=f"{PAYLOAD}-key")
    world.settled()


def dead_letters(folder: Path, broker, world, settings: dict[str, str]) -> list[str]:
    """What the dead-letter topic and the topic of its replays hold, and what `dlq` shows: payloads, and no secret."""
    environ = world.settings | settings
    replays = f"{world.letters_topic}.replays"
    found = run_each(folder, environ, [["dlq", "replay", "--yes", "--patience", "5s"]])
    for topic in (world.letters_topic, replays):
        messages = read(broker, topic, 1)
        found.append(repr([(message.key(), message.value(), message.headers()) for message in messages]))
    listed = json.loads(run_each(folder, environ, [["dlq", "list", "--limit", "100", "--output", "json"]])[0])
    places = [f"{one['partition']}:{one['offset']}" for one in listed["newest_letters"]]
    assert any(one["reason"] == "rejected" for one in listed["newest_letters"])
    found.append(json.dumps(listed))
    shown = [
        ["dlq", "show", place, "--output", form] for place in places[-4:] + places[:2] for form in ("json", "table")
    ]
    return found + run_each(folder, environ, [["dlq", "list"], *shown])


def bad_records(world) -> None:
    """One of every kind that is rejected, each with marks wherever something of a record could be told."""
    more = {"key": f"{PAYLOAD}-key", "headers": [(f"{PAYLOAD}-header", f"{PAYLOAD}-header".encode())]}
    group = f"{PAYLOAD}-group"
    world.send(
        f"{PAYLOAD} not framed".encode(),
        changed(group, note=f"{PAYLOAD}-value") + PAYLOAD.encode(),
        changed(group, note=f"{PAYLOAD}-value")[:-5],
        None,
        changed(group),
        changed(group, "ADD", **{f"{PAYLOAD}-property": f"{PAYLOAD}-value"}),
        changed(group, "UNION", **{f"{PAYLOAD}-property": {"a": f"{PAYLOAD}-value"}}),
        changed(group, "UNSET", property_names=[f"{PAYLOAD}-property"] * 2),
        changed(group, "REMOVE", **{f"{PAYLOAD}-property": [f"{PAYLOAD}-value"]}),
        changed(group, project=f"{PAYLOAD}-project", note="x"),
        changed("", note=f"{PAYLOAD}-value"),
        changed(group, note=float("nan")),
        changed(group, **{f"{PAYLOAD}-{number}": number for number in range(300)}),
        changed(group, note=f"{PAYLOAD}-value" * 40_000),
        changed(f"{PAYLOAD}-bad", note=f"{PAYLOAD}-value"),
        changed(f"{PAYLOAD}-good", note=f"{PAYLOAD}-value"),
        **more,
    )


def commands(folder: Path, settings: dict[str, str]) -> list[str]:
    """What the tools show of the same settings."""
    return run_each(folder, settings, [["settings"], ["settings", "--output", "json"], ["check"]])


def run_each(folder: Path, settings: dict[str, str], commands: list[list[str]]) -> list[str]:
    """What each of the commands puts out."""
    found = []
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "consumer", *command],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": CODE, **settings},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        found.append(done.stdout + done.stderr)
    return found
