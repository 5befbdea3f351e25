"""The default project's mark in the consumer's `client.id`, by which a member of the group sees those of another.

It is of the host, and of the project's number or else of the token at the start; neither can be had from it.
"""

import hashlib
import re
from typing import Final
from urllib.parse import urlsplit

from consumer.event.model import DEFAULT
from consumer.settings import Settings

NAME: Final = "group-consumer"
MARKED: Final = re.compile(re.escape(NAME) + r"-([0-9a-f]{12})")


def client_id(settings: Settings) -> str:
    """The consumer's name to the brokers; without a default project there is no mark in it."""
    return client_ids(settings)[0]


def client_ids(settings: Settings) -> list[str]:
    """That name, and that of an instance which has the same token and was not given the project's number."""
    project = settings.projects.get(DEFAULT)
    if project is None:
        return [NAME]
    known = [which for which in (settings.mixpanel_project_id, project.token) if which]
    texts = [f"{NAME}\n{urlsplit(project.url).netloc}\n{which}" for which in known]
    return [f"{NAME}-{hashlib.sha256(text.encode()).hexdigest()[:12]}" for text in texts]


def marked(name: str) -> str:
    """The mark in a member's `client.id`; empty where there is none of ours."""
    match = MARKED.fullmatch(name)
    return match[1] if match else ""
