"""The hard end of a request, apart from what is asked with it: when it has happened, and what was sent by then."""

import gc
import socket
import threading
import time
import weakref

import pytest
import requests

from consumer.http.deadline import Cut, cuttable, word_for
from tests.integration.watching import until


@pytest.fixture
def session():
    """A session whose requests can be cut."""
    with cuttable(requests.Session()) as found:
        found.trust_env = False
        yield found


def test_an_answer_in_time_is_not_cut(session, mixpanel):
    """What ends before is as it would be without."""
    with Cut(10) as cut:
        assert session.get(mixpanel.url).status_code == 200
    assert (cut.happened, cut.sent) == (False, True)


def test_a_connection_keeps_nothing_of_the_request_that_made_it(session, mixpanel):
    """It lives for as long as it is used, and small objects that do pin the memory around them.

    Nor is the collector needed, which runs after hundreds of requests.
    """
    gc.disable()
    try:
        with Cut(5.0) as cut:
            session.get(mixpanel.url)
            timer = cut._timer
        timer.join(5.0)
        kept = weakref.ref(cut)
        del cut, timer
        assert kept() is None
    finally:
        gc.enable()


def test_a_request_outside_of_a_deadline_works(session, mixpanel):
    """The session is one like any other."""
    assert session.get(mixpanel.url).status_code == 200


def test_nothing_is_sent_before_there_is_a_connection(session):
    """A refused connection sent nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Cut(10) as cut, pytest.raises(requests.ConnectionError):
        session.get(f"http://127.0.0.1:{port}")
    assert (cut.happened, cut.sent) == (False, False)


def test_it_can_be_cut_from_another_thread(session, mixpanel):
    """`now` ends what is read, at once."""
    mixpanel.faults.on("hang")
    with Cut(60) as cut:
        thread = threading.Thread(
            target=lambda: (until(lambda: mixpanel.faults.as_json()[0]["struck"], "it has arrived"), cut.now())
        )
        thread.start()
        began = time.monotonic()
        with pytest.raises(requests.RequestException):
            session.post(f"{mixpanel.url}/groups", data=b"[]")
        thread.join()
    assert (cut.happened, cut.sent) == (True, True)
    assert time.monotonic() - began < 10


def test_a_deadline_that_is_over_sends_nothing_more(session, mixpanel):
    """Cut before the connection was made, the request is not sent after."""
    with Cut(60) as cut:
        cut.now()
        with pytest.raises(requests.RequestException):
            session.post(f"{mixpanel.url}/groups", data=b"[]")
    assert mixpanel.requests.counts()["updates"] == 0


def test_the_word_says_nothing_but_the_kind():
    """Proxies stand with their passwords in the texts of failures: the word is one of a few."""
    failure = requests.exceptions.ProxyError("http://user:secret@proxy")
    assert word_for(failure) == "proxy"
    assert word_for(requests.exceptions.SSLError("secret")) == "tls"
    assert word_for(requests.exceptions.ReadTimeout("secret")) == "timeout"
    assert word_for(requests.exceptions.ChunkedEncodingError("secret")) == "connection"
    assert word_for(requests.exceptions.InvalidURL("secret")) == "request"
