"""What `check` looks at on this machine: settings, names and ports, folders, the clock."""

import errno
import os
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, NamedTuple

from consumer.commands.check.facts import Fact, fault, ok, warning
from consumer.kafka.config import admin_config
from consumer.service.health_server import listening
from consumer.settings import Settings

TIMEOUT: Final = 5.0
# A clock that is wrong by more than this, in seconds, makes certificates and log lines wrong.
SKEW: Final = 30.0
# A certificate that ends sooner than this, in days, is worth a line.
SOON: Final = 14.0


def settings_facts(settings: Settings) -> Iterator[Fact]:
    """What was set; unknown variables are warnings."""
    given = sum(row.origin != "default" for row in settings.rows())
    yield ok("settings", f"{given} given, the others are defaults")
    for line in settings.warnings:
        what, _, fix = line.partition(": ")
        yield warning("settings", what, fix)


def machine_facts(settings: Settings) -> Iterator[Fact]:
    """The port and the folder that the service needs here."""
    trouble = taken(settings)
    if trouble:
        yield trouble
    folder = settings.schema_cache_dir
    if folder is not None:
        there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
        if os.access(there, os.W_OK | os.X_OK):
            yield ok("SCHEMA_CACHE_DIR", f"{folder} can be written")
        else:
            fix = "make it writable for this user, or set another one"
            yield fault("SCHEMA_CACHE_DIR", f"{folder} cannot be written: schemas would not survive a restart", fix)


def taken(settings: Settings) -> Fact | None:
    """Why the service could not listen here; None where it could."""
    host, port = settings.http_host, settings.http_port
    try:
        listening(host, port).close()
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE:
            detail = f"port {port} is taken here, and the service does not start without it"
            return warning("HTTP_PORT", detail, "if it is not the service itself that runs here: set a free one")
        detail = f"the service cannot listen at {host or 'any address'}, port {port}: {failure.strerror}"
        return fault("HTTP_HOST" if host else "HTTP_PORT", detail, "set an address of this machine, and a free port")
    return None


def server_facts(settings: Settings) -> Iterator[Fact]:
    """Each of the bootstrap servers: its name, and whether something listens. One that works is enough."""
    facts = [server_fact(server, settings) for server in settings.kafka_bootstrap_servers.split(",")]
    reached = any(fact.state == "ok" for fact in facts)
    for fact in facts:
        yield warning(fact.what, fact.detail, fact.fix) if reached and fact.state == "fault" else fact


def server_fact(server: str, settings: Settings) -> Fact:
    """One bootstrap server."""
    host, _, port = server.rpartition(":")
    what = f"broker {server}"
    fix = "check KAFKA_BOOTSTRAP_SERVERS, and that this machine may reach it"
    try:
        addresses = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host.strip("[]"), int(port))})
    except OSError:
        return fault(what, "the name does not resolve", fix)
    try:
        with socket.create_connection((host.strip("[]"), int(port)), TIMEOUT):
            pass
    except OSError as failure:
        why = failure.strerror or "no answer in time"
        return fault(what, f"resolves to {', '.join(addresses)}, and takes no connection: {why}", fix)
    if "ssl" in str(admin_config(settings).get("security.protocol", "")).lower():
        return tls_fact(what, host.strip("[]"), int(port), settings.kafka_ssl_ca_location)
    return ok(what, f"resolves to {', '.join(addresses)}, takes connections")


def tls_fact(what: str, host: str, port: int, ca: str) -> Fact:
    """How long the server's certificate is valid; where it cannot be looked at, the client itself will say why."""
    trust = ssl.create_default_context(cafile=ca or None) if not ca or Path(ca).is_file() else None
    if trust is None:
        return ok(what, "takes connections")
    try:
        with socket.create_connection((host, port), TIMEOUT) as plain:
            plain.settimeout(TIMEOUT)
            with trust.wrap_socket(plain, server_hostname=host) as secure:
                ends = str((secure.getpeercert() or {}).get("notAfter", ""))
    except ssl.SSLCertVerificationError as failure:
        fix = "set KAFKA_SSL_CA_LOCATION to the CA that signed it, and use a name that the certificate has"
        return fault(what, f"its certificate is refused: {failure.verify_message}", fix)
    except OSError:
        return ok(what, "takes connections")
    days = (ssl.cert_time_to_seconds(ends) - time.time()) / 86400 if ends else SOON
    if days < SOON:
        return warning(what, f"its certificate ends in {days:.0f} days ({ends})", "have it renewed")
    return ok(what, f"takes connections, its certificate is valid until {ends}")


class Answered(NamedTuple):
    """An answer's `Date`, empty for none, whose it is, and when it came by this machine's clock."""

    date: str
    whose: str
    at: float


def clock_fact(answered: Answered) -> Fact | None:
    """How far this machine's clock was from the answer's; None where there is no date."""
    try:
        theirs = parsedate_to_datetime(answered.date).timestamp()
    except (TypeError, ValueError):
        return None
    skew, whose = answered.at - theirs, answered.whose
    if abs(skew) > SKEW:
        direction = "ahead of" if skew > 0 else "behind"
        detail = f"this machine is {abs(skew):.0f} s {direction} {whose}"
        return warning("clock", detail, "let NTP or chrony set the clock: certificates and times in logs rest on it")
    return ok("clock", f"within {SKEW:.0f} s of {whose}")
