"""Asks instances for their `/status`."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import requests

from consumer.commands.status.fields import lacking
from consumer.http.deadline import Cut, cuttable, word_for

TIMEOUT: Final = 5.0
AT_ONCE: Final = 16


def ask_all(urls: Sequence[str]) -> list[dict[str, Any]]:
    """What each instance answers, with its `url`; one that gives no status has `error` instead, which says why."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(answered, urls))


def answered(url: str) -> dict[str, Any]:
    """The same of one instance."""
    try:
        return {"url": url} | ask(url)
    except requests.RequestException as failure:
        return {"url": url, "error": f"it cannot be reached: {word_for(failure)}"}
    except ValueError as failure:
        return {"url": url, "error": str(failure)}


def ask(url: str) -> dict[str, Any]:
    """What `/status` answers. Raises `requests.RequestException`, or ValueError where it is no status."""
    with cuttable(requests.Session(), 1) as session, Cut(TIMEOUT) as cut:
        try:
            answer = session.get(f"{url.rstrip('/')}/status", timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException:
            if cut.over():
                raise requests.Timeout from None
            raise
        if cut.happened:
            raise requests.Timeout
        if answer.status_code != 200:
            raise ValueError(f"its /status answers {answer.status_code}")
        try:
            status = json.loads(answer.content)
        except ValueError:
            raise ValueError("its /status is not JSON") from None
    if missing := lacking(status):
        raise ValueError(f"its /status lacks {', '.join(missing)}: is it one of group-consumer, of this version?")
    return dict(status)
