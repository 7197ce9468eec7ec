"""Request bodies that are made to cost memory or time."""
import http.client
from concurrent.futures import ThreadPoolExecutor

from support.victim import hold


def post(server, key, body):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", "/v1/messages", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_bodies_of_many_small_values_cost_the_others_no_time_and_little_memory(attacked, seconds, report):
    a = attacked()
    body = b'{"x":[' + b"{}," * 5_000_000 + b"{}]}"
    alone = a.victim.measure("alone", seconds)
    with a.memory() as memory, a.victim.sending("beside 8 bodies at once") as beside, ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: post(a.server, a.key, body), range(8 * max(2, int(seconds)))))
    after = a.victim.measure("after", seconds)
    report(alone, beside, after, memory=memory)
    assert statuses <= {413, 429, 503}
    hold(beside, alone, after)
    # Bodies that are being read are bounded for each API process. Parsed, these would take 1.2 GB each.
    assert memory.peak - memory.start < 8 * len(body) * 1.5
