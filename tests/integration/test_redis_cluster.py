"""Redis Cluster: three real primaries, some of them with replicas, and 8 partitions or more."""
import pytest

from support import cluster
from support.harness import wait_for
from support.load import Load, assert_delivered

PARTITIONS = 8


@pytest.fixture
def make_cluster(tmp_path, stack):
    def make(**options):
        return cluster.Cluster(tmp_path / "cluster", stack.add, **options)
    return make


@pytest.fixture
def make_server(make_postern, make_sink):
    def make(nodes, **settings):
        sink = make_sink()
        server = make_postern({"relay_url": f"smtp://127.0.0.1:{sink.port}", "redis_url": nodes.url, "partitions": PARTITIONS,
                               "retry_first_s": 1, **settings}, start=False, crashes=True)
        server.sink = sink
        server.start()
        server.live_key = server.create_key("live")    # the CLI finds the node, too
        return server
    return make


def deliver(server):
    status = server.deliver("a@d0.test", key=server.live_key)["recipients"][0]["status"]
    assert status == "delivered"


def partition_of(message):
    """Its number, as the end of the id names it."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    return digits.index(message[-2]) * 32 + digits.index(message[-1])


def test_mail_of_all_partitions_flows(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    with Load(server) as load:
        load.wait_more(100)
    assert_delivered(server, load.accepted)
    used = {partition_of(message) for message, _ in load.accepted}
    assert used == set(range(PARTITIONS))
    assert len({nodes.owner_of(p).port for p in used}) > 1
