"""Large responses: asked for by many clients of one project at once, read slowly, or not read at all."""
import time

import pytest

from support.crowd import Crowd, says, says_and_never_reads
from support.victim import hold

PAGE = "/v1/messages?limit=100"
NAME = "\U0001F600" * 80
RESPONSES_TOTAL = 256 << 20     # of each API process


@pytest.fixture
def filled(attacked):
    """A project whose pages of messages have 3 MB, and one whose pages have 100 KB."""
    a = attacked()
    a.server.cli("project", "create", "reader")
    a.reader = a.server.create_key("reader", project="reader", scopes="send,read", test=True)
    many = [{"email": f"r{i}@many.example", "name": NAME} for i in range(50)]
    for _ in range(100):
        assert a.server.send(many, key=a.test_key, metadata={"k": "v" * 4000}).status == 202
        assert a.server.send("ada@a.example", key=a.reader, metadata={"k": "v" * 1000}).status == 202
    a.server.wait_terminal(a.server.request("GET", PAGE, key=a.test_key).json()["data"][0]["id"], key=a.test_key, timeout=120)
    return a


def request_of(key, more=""):
    return f"GET {PAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{more}\r\n".encode()


def test_many_readers_of_one_project_do_not_stop_the_others(filled, seconds, report):
    a = filled
    alone = a.victim.measure("alone", seconds)
    with a.memory() as memory, Crowd(a.server.port, says(request_of(a.test_key, "Connection: close\r\n")), n=100) as crowd:
        with a.victim.sending("beside 100 readers of 3 MB each") as beside:
            time.sleep(seconds)
            pages = [a.server.request("GET", PAGE, key=a.reader).status for _ in range(5)]
        accepted = crowd.accepted
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory, pages_of_another_project=pages, pages_of_the_attacker=accepted)
    hold(beside, alone, after)
    assert pages == [200] * 5 and accepted > 0
    # Without turns, Redis holds the replies to all of them at once.
    assert memory.redis_peak - memory.redis_start < 50 << 20


def test_responses_that_are_not_read_are_bounded(filled, seconds, report):
    a = filled
    talk = says_and_never_reads(request_of(a.test_key))
    alone = a.victim.measure("alone", seconds)
    with a.memory() as memory, Crowd(a.server.port, talk, n=300, receive_buffer=4096):
        with a.victim.sending("beside 300 that read nothing") as beside:
            time.sleep(2 * seconds)
            pages = [a.server.request("GET", PAGE, key=a.reader).status for _ in range(5)]
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory, pages_of_another_project=pages)
    hold(beside, alone, after)
    assert pages == [200] * 5
    assert memory.peak - memory.start < 2 * RESPONSES_TOTAL * 1.2
