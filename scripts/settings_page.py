"""Writes docs/settings.md from the table of settings: `python scripts/settings_page.py > docs/settings.md`."""

from collections.abc import Mapping

from consumer.kafka.config import CLASSIC, CONSUMER, PRODUCER, SESSION_MS
from consumer.settings.declared import VARIABLES
from consumer.settings.properties import BROKER_SIDE, FIXED, SET_BY, SETTING_OF
from consumer.settings.variable import Variable

INTRODUCTION = """\
# Settings

<!-- Written by scripts/settings_page.py; change consumer/settings/declared.py and run it again. -->

Every setting is an environment variable, and an option of every command that needs it: `KAFKA_TOPICS` is
`--kafka-topics`. An option goes before the environment. `group-consumer settings` shows what is set, where it
came from and what it means, `group-consumer check` whether it works.

- A secret has a twin with `_FILE` that names a file: `MIXPANEL_TOKEN_FILE=/run/secrets/token`. The line break
  at the file's end is not part of the secret. Giving both is an error. The file is read again when it changes
  ([kubernetes.md](kubernetes.md#secrets)). Options can be seen by every user of a machine, so give secrets by
  environment or file. No secret is shown in any output, log or error.
- `QUARANTINE` has such a twin, too: the file has one entry a line, as it stands; commas in it need no backslash.
- Durations take `500ms`, `2s`, `1m`, `1h`; sizes `512KiB`, `2MiB`, `1GiB` and plain bytes as `1500B`;
  switches `on` and `off`.
- An empty value is an error where the setting has a default in the table that stands in `code`. Where the default
  is none, or is made of something else, an empty value is the same as none; a required setting is then missing.
- Everything that is wrong is named at once, before anything starts: exit status 2. That includes what
  contradicts something else, files that cannot be read, and properties that librdkafka does not know or take.
- A variable with one of our prefixes that is no setting is a warning with the nearest name. Service links of
  Kubernetes (`KAFKA_PORT=tcp://...`) are one line for all of them; `enableServiceLinks: false` keeps them
  away.
"""

CONTRADICTIONS = """\
## What cannot be meant together

- `KAFKA_DEAD_LETTER_TOPIC` among `KAFKA_TOPICS`: a dead letter would be read again for ever.
- `DRAIN_TIMEOUT` above `max.poll.interval.ms` less one second: the group would give the member up while it
  drains.
- A login or TLS files with a protocol that has no use for them, a SASL protocol without a mechanism, PLAIN or
  SCRAM without user and password, a certificate without its key.
- `SCHEMA_REGISTRY_TOKEN` with a user or a password; a user without a password; a CA where no URL is
  `https://`.
- `MIXPANEL_REGION` with the host of another region in `MIXPANEL_URL`; a service account's name without its secret.
- A property in `KAFKA_PROPERTIES_FILE` and its setting.
- `ADD_JOURNAL=on` with `AMBIGUOUS_ADD=resend`, which sends an `$add` again whatever was announced; the journal's
  topic among `KAFKA_TOPICS`.
- One token at one host twice, in `MIXPANEL_PROJECTS_FILE` or by `MIXPANEL_TOKEN`: see [projects.md](projects.md).
"""

PROPERTIES = """\
## KAFKA_PROPERTIES_FILE

Lines of `key=value`, comments (`#`, `!`) and blank lines: any [property of
librdkafka](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md). A value is taken as it
stands, without quotes and escapes; only in properties that hold a PEM is `\\n` a line break. Each property
goes to the client that knows it: the consumer, the dead-letter producer, or both. Passwords, keys and client
secrets in the file are secrets. Java's own properties (`sasl.jaas.config`, key stores) are refused with what
to write instead.

With `group.protocol=consumer` (KIP-848) our own session time-out, heartbeat and assignor are left out, since
the broker decides them there; {broker_side} in the file are errors then. For static membership set
`group.instance.id`, one for each pod.

Refused by name:

| Property | Why |
|---|---|
{refused}

In the file or as a setting, not both: {settings}.

Defaults of the service's own, which the file may change unless they are refused above; all others are
librdkafka's:

| Client | Property | Value |
|---|---|---|
{defaults}
"""


def page() -> str:
    """The whole page."""
    table = "\n".join(row(variable) for variable in VARIABLES)
    refused = [f"| `{name}` | {why} |" for name, why in FIXED.items()]
    refused += [f"| `{name}` | set `{setting}` |" for name, setting in SET_BY.items()]
    consumer = {**CONSUMER, **CLASSIC, "session.timeout.ms": SESSION_MS}
    consumer["queued.max.messages.kbytes"] = "a quarter of `MAX_OPEN_BYTES`, at most 4096"
    properties = PROPERTIES.format(
        broker_side=", ".join(f"`{name}`" for name in BROKER_SIDE),
        refused="\n".join(refused),
        settings=", ".join(f"`{name}`" for name in SETTING_OF),
        defaults="\n".join([*defaults("consumer", consumer), *defaults("producer", PRODUCER)]),
    )
    head = "| Variable | Takes | Default | Meaning |\n|---|---|---|---|"
    return "\n".join([INTRODUCTION, f"{head}\n{table}\n", CONTRADICTIONS, properties])


def row(variable: Variable) -> str:
    """One line of the table."""
    default = f"`{variable.default}`" if variable.default else variable.rule
    name = f"`{variable.name}`" + (" (secret)" if variable.secret else "")
    shape = variable.kind.shape.replace("|", ", ")
    return f"| {name} | {shape} | {'required' if variable.required else default} | {variable.meaning} |"


def defaults(client: str, properties: Mapping[str, object]) -> list[str]:
    """The lines of one client."""
    found = []
    for name, value in properties.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        found.append(f"| {client} | `{name}` | {text} |")
    return found


if __name__ == "__main__":
    print(page(), end="")
