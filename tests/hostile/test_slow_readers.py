"""Clients that ask for large responses and do not read them."""
import time

from support.crowd import Crowd, says_and_never_reads
from support.harness import wait_for
from support.victim import hold

RESPONSES_TOTAL = 256 << 20     # of each API process
MAILS = 5


def fill_inbox(server, key):
    for _ in range(MAILS):
        server.deliver("ada@inbox.example", key=key, text="x" * 900_000)


def read_inbox(server, key):
    return server.request("GET", "/v1/test/inbox?to=ada@inbox.example", key=key).status


def test_responses_that_one_project_does_not_read_are_bounded_and_leave_room_for_those_of_the_others(attacked, seconds, report):
    a = attacked()
    a.server.cli("project", "create", "reader")
    reader = a.server.create_key("reader", project="reader", scopes="send,read", test=True)
    fill_inbox(a.server, a.test_key)
    fill_inbox(a.server, reader)
    request = f"GET /v1/test/inbox?to=ada@inbox.example HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {a.test_key}\r\n\r\n".encode()
    alone = a.victim.measure("alone", seconds)
    with a.memory() as memory, Crowd(a.server.port, says_and_never_reads(request), n=300, receive_buffer=4096) as crowd:
        wait_for(lambda: crowd.total >= 300, 30)
        time.sleep(3)
        with a.victim.sending("beside 300 slow readers") as beside:
            time.sleep(seconds)
            statuses = [read_inbox(a.server, reader) for _ in range(6)]
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory, other_reader=statuses)
    hold(beside, alone, after)
    assert memory.peak - memory.start < 2 * RESPONSES_TOTAL * 1.5
    assert statuses == [200] * 6
