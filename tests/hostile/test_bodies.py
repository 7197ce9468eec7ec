"""Request bodies that are made to cost memory or time."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from support.crowd import Crowd
from support.harness import wait_for
from support.victim import hold

BODIES_TOTAL = 256 << 20     # of each API process


def test_bodies_of_many_small_values_cost_the_others_no_time_and_little_memory(attacked, seconds, report):
    a = attacked()
    body = b'{"x":[' + b"{}," * 5_000_000 + b"{}]}"
    alone = a.victim.measure("alone", seconds)

    def post(_):
        return a.server.request("POST", "/v1/messages", {"Content-Type": "application/json"}, data=body, key=a.key, timeout=60).status
    with a.memory() as memory, a.victim.sending("beside 8 bodies at once") as beside, ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(post, range(8 * max(2, int(seconds)))))
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory)
    assert statuses <= {413, 429, 503}
    hold(beside, alone, after)
    # Bodies that are being read are bounded for each API process. Parsed, these would take 1.2 GB each.
    assert memory.peak - memory.start < 8 * len(body) * 1.5


def stalls_after(head, body, octets_per_s):
    """Sends all of a body but its last megabyte at once, and the rest as slowly as the server allows."""
    async def talk(crowd, sock):
        await crowd.loop.sock_sendall(sock, head + body[:-(1 << 20)])
        for _ in range((1 << 20) // octets_per_s):
            await crowd.loop.sock_sendall(sock, b"x" * octets_per_s)
            await asyncio.sleep(1)
    return talk


def test_large_bodies_that_one_project_holds_leave_room_for_those_of_the_others(attacked, seconds, report):
    a = attacked()
    body = b'{"text":"' + b"x" * (15 << 20) + b'"}'
    head = (f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {a.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    alone = a.victim.measure("alone", seconds)
    with a.memory() as memory, Crowd(a.server.port, stalls_after(head, body, 65536), n=60) as crowd:
        wait_for(lambda: crowd.total >= 60, 30)
        time.sleep(3)
        with a.victim.sending("beside 60 bodies that stall") as beside:
            time.sleep(seconds)
            large = [a.server.send("ada@victim.test", key=a.victim.key, text="x" * (9 << 20)).status for _ in range(5)]
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory, large_mail_of_another_project=large)
    hold(beside, alone, after)
    assert large == [202] * 5
    # A buffer has up to twice the octets that it holds.
    assert memory.peak - memory.start < 2 * BODIES_TOTAL * 2
