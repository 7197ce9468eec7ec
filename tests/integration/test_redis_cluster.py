"""Redis Cluster: three real primaries, some of them with replicas, and 8 partitions or more."""
import functools
import os
import shutil
import signal

import pytest

from support import cluster, harness, sentinel, talk
from support.harness import wait_for
from support.load import Load, assert_delivered, deliver
from support.receiver import Receiver

PARTITIONS = 8


@pytest.fixture
def make_cluster(tmp_path, stack):
    def make(**options):
        return cluster.Cluster(tmp_path / "cluster", stack.add, **options)
    return make


@pytest.fixture
def make_server(make_server):
    return functools.partial(make_server, partitions=PARTITIONS)


def partition_of(message):
    """Its number, as the end of the id names it."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    return digits.index(message[-2]) * 32 + digits.index(message[-1])


def key_for(server, partition):
    """An Idempotency-Key of that partition, and the message that has it."""
    for n in range(1000):
        key = f"key{n}"
        response = server.send("k@d0.test", key=server.live_key, http_headers={"Idempotency-Key": key})
        if response.status == 202 and partition_of(response.json()["id"]) == partition:
            return key, response.json()["id"]
    raise AssertionError("no key for the partition")


def other_of(nodes, *not_these):
    return next(n for n in nodes.nodes if n not in not_these and n.role() == "master")


def test_mail_of_all_partitions_flows(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    with Load(server) as load:
        load.wait_more(100)
    assert_delivered(server, load.accepted)
    used = {partition_of(message) for message, _ in load.accepted}
    assert used == set(range(PARTITIONS))
    assert len({nodes.owner_of(p).port for p in used}) > 1
    listed = server.request("GET", "/v1/messages?limit=100", key=server.live_key).json()["data"]
    assert {message for message, _ in load.accepted[-50:]} <= {m["id"] for m in listed}
    assert len(server.request("GET", "/v1/events?limit=100", key=server.live_key).json()["data"]) == 100


@pytest.mark.parametrize("durability", ["fsync", "replicated"])
def test_the_replica_of_a_killed_primary_goes_on(make_cluster, make_server, durability):
    nodes = make_cluster(replicas=1, min_replicas_to_write=1 if durability == "replicated" else 0)
    server = make_server(nodes, durability=durability)
    for partition in (3, "g"):
        old = nodes.owner_of(partition)
        with Load(server, pause=0.02) as load:
            load.wait_more()
            old.kill()
            new = nodes.wait_other(old, partition)
            old.start()
            wait_for(nodes.is_well, 60, what="the old primary follows the new one")
            load.wait_more(60)
            after = load.accepted[-30:]
        if durability == "replicated":
            for message, to in load.accepted:
                assert server.message(message, key=server.live_key)["id"] == message
                server.sink.wait_taken(to, timeout=60)
        assert_delivered(server, after)
        assert new.role() == "master"
    assert any(line["fact"] == "store.partitions_moved" for line in server.log_lines())


def test_a_primary_that_hangs_is_left(make_cluster, make_server):
    nodes = make_cluster(replicas=1)
    server = make_server(nodes)
    old = nodes.owner_of(0)
    with Load(server, pause=0.02) as load:
        load.wait_more()
        os.kill(old.process.pid, signal.SIGSTOP)
        try:
            nodes.wait_other(old, 0)
            load.wait_more(60)
            after = load.accepted[-30:]
        finally:
            os.kill(old.process.pid, signal.SIGCONT)
    assert_delivered(server, after)


def warned(server, words):
    """Waits until /readyz warns with these words. Each process of the API finds out for itself. Returns that response."""
    def ready():
        response = server.internal("/readyz")
        return words in response.json().get("warnings", [""])[0] and response
    return wait_for(ready, 30, what=f"/readyz warns: {words}")


def test_a_stopped_node_refuses_only_its_partitions(make_cluster, make_server, stack):
    nodes = make_cluster()
    server = make_server(nodes, webhook_allow_private=True)
    receiver = stack.add(Receiver())
    assert server.request("POST", "/v1/webhooks", key=server.live_key, json={"url": receiver.url(), "events": ["message.delivered"]}).status == 201
    away = next(n for n in nodes.nodes if nodes.owner_of("g") is not n and nodes.partitions_of(n, PARTITIONS))
    refused = nodes.partitions_of(away, PARTITIONS)
    key, message = key_for(server, refused[0])
    away.kill()
    assert warned(server, str(away.port)).status == 200
    sent = [server.send(f"a{n}@d0.test", key=server.live_key) for n in range(40)]
    assert {s.status for s in sent} == {202}
    assert not {partition_of(s.json()["id"]) for s in sent} & set(refused)
    assert_delivered(server, [(s.json()["id"], None) for s in sent])
    ids = {s.json()["id"] for s in sent}
    wait_for(lambda: ids <= {e["data"]["message_id"] for e in receiver.events()}, 30, what="the webhook has all events of the others")
    repeated = server.send("k@d0.test", key=server.live_key, http_headers={"Idempotency-Key": key})
    assert (repeated.status, repeated.json()["code"]) == (503, "not_accepted")
    growth = server.cli("partitions", "set", "64", check=False)
    assert growth.returncode == 1 and f"partition {refused[0]} is not ready" in growth.stderr and str(away.port) in growth.stderr
    metrics = server.internal("/metrics").body.decode()
    for p in range(PARTITIONS):
        assert f'postern_store_partition_ready{{partition="{p}",node="127.0.0.1:{nodes_port(nodes, away, p)}"}} {int(p not in refused)}' in metrics
    assert server.request("GET", f"/v1/messages/{message}", key=server.live_key).status == 503
    away.start()
    wait_for(lambda: not any("warnings" in server.internal("/readyz").json() for _ in range(8)), 30, what="all partitions are back")
    repeated = server.send("k@d0.test", key=server.live_key, http_headers={"Idempotency-Key": key})
    assert (repeated.status, repeated.json()["id"]) == (202, message)


def nodes_port(nodes, away, partition):
    owner = nodes.owner_of(partition)
    return owner.port if owner else away.port


def test_while_the_node_of_the_keys_is_away_known_keys_work(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    other = server.create_key("other")
    away = nodes.owner_of("g")
    for _ in range(50):    # every process of the API knows the key
        assert server.send("b@d0.test", key=server.live_key).status == 202
    away.kill()
    warned(server, "keys and projects")
    assert {server.send("b@d0.test", key=server.live_key).status for _ in range(20)} == {202}
    assert server.send("b@d0.test", key=other).status == 503
    away.start()
    wait_for(lambda: server.send("b@d0.test", key=other).status == 202, 30, what="the keys are back")


def test_slots_are_moved_under_load(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    key, _ = key_for(server, 1)
    with Load(server, pause=0.01) as load:
        load.wait_more(100)
        for partition in (*range(PARTITIONS), "g"):
            source = nodes.owner_of(partition)
            slot = source("CLUSTER", "KEYSLOT", "{g}" if partition == "g" else f"{{p{partition}}}")
            nodes.move_slot(slot, source, other_of(nodes, source))
        load.wait_more(100)
    assert load.refused <= 5, f"{load.refused} of {len(load.accepted)} got 503"
    assert_delivered(server, load.accepted)
    assert all(len(server.sink.taken(to)) == 1 for _, to in load.accepted)
    assert server.send("k@d0.test", key=server.live_key, http_headers={"Idempotency-Key": key}).status == 202


def test_no_transition_runs_while_a_part_of_its_keys_has_moved(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    key, message = key_for(server, 1)
    before = server.wait_terminal(message, key=server.live_key)
    source = nodes.owner_of(1)
    target = other_of(nodes, source)
    slot = source("CLUSTER", "KEYSLOT", "{p1}")
    nodes.begin_move(slot, source, target)
    assert nodes.move_keys(slot, source, target, 5) == 5
    sent = [server.send(f"a{n}@d0.test", key=server.live_key) for n in range(20)]
    # the processes learn of it by their first send to the partition; after that they choose others
    refused = [s for s in sent if s.status != 202]
    assert len(refused) <= 4 and all(s.json()["code"] == "not_accepted" for s in refused)
    waiting = server.send("k2@d0.test", key=server.live_key, http_headers={"Idempotency-Key": key})
    assert (waiting.status, waiting.json()["code"]) == (503, "not_accepted")
    while nodes.move_keys(slot, source, target):
        pass
    nodes.end_move(slot, target)
    assert source("CLUSTER", "COUNTKEYSINSLOT", str(slot)) == 0
    repeated = wait_for(lambda: (r := server.send("k@d0.test", key=server.live_key, http_headers={"Idempotency-Key": key})).status == 202 and r,
                        20, what="the partition is back")
    assert repeated.json()["id"] == message
    assert server.message(message, key=server.live_key) == before


@pytest.mark.parametrize("url, reason", [
    ("redis+cluster://127.0.0.1:{alone}", "not in cluster mode: write redis://"),
    ("redis://127.0.0.1:{node}", "use redis+cluster://"),
    ("redis+cluster://127.0.0.1:1,127.0.0.1:2", "127.0.0.1:2"),
    ("redis+cluster://:no@127.0.0.1:{node}", "refuses the password of POSTERN_REDIS_URL"),
    ("rediss+cluster://127.0.0.1:{node}", "use redis:// (with one s)"),
])
def test_a_wrong_url_is_named(make_cluster, make_postern, stack, tmp_path, url, reason):
    nodes = make_cluster()
    alone = stack.add(sentinel.Node(tmp_path / "alone", harness.free_port())).start()
    server = make_postern({"redis_url": url.format(alone=alone.port, node=nodes.nodes[0].port), "partitions": PARTITIONS}, start=False)
    server.launch()
    server.wait_not_ready(reason)


def test_a_cluster_without_all_slots_is_named(make_cluster, make_postern):
    nodes = make_cluster(cluster_require_full_coverage="yes")
    slot = nodes.nodes[0]("CLUSTER", "KEYSLOT", "{p1}")
    for node in nodes.nodes:
        node("CLUSTER", "DELSLOTS", str(slot))
    server = make_postern({"redis_url": nodes.url, "partitions": PARTITIONS}, start=False)
    server.launch()
    server.wait_not_ready("1 of its 16384 slots have no primary", fact="store.cluster_down")


def test_the_settings_of_each_node_are_checked(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    node = next(n for n in nodes.nodes if nodes.partitions_of(n, PARTITIONS))
    node("CONFIG", "SET", "appendfsync", "everysec")
    warned(server, f"node 127.0.0.1:{node.port}: Redis has appendfsync everysec")


def test_wake_ups_come_from_the_node_of_the_partition(make_cluster, make_server):
    nodes = make_cluster(replicas=1)
    server = make_server(nodes)

    def subscribed():
        """partition -> how many processes have subscribed to its wake-ups, at its owner."""
        found = {}
        for p in range(PARTITIONS):
            owner = nodes.owner_of(p)
            found[p] = owner("PUBSUB", "SHARDNUMSUB", f"pn:{{p{p}}}:wake")[1] if owner else 0
        return found
    before = wait_for(lambda: (s := subscribed()) and min(s.values()) >= 2 and s, 20, what="each relay has subscribed to all partitions")
    slot = nodes.nodes[0]("CLUSTER", "KEYSLOT", "{p2}")
    source = nodes.owner_of(2)
    nodes.move_slot(slot, source, other_of(nodes, source))
    wait_for(lambda: subscribed() == before, 20, what="the same at the new owner")
    nodes.fail_over(5, by_hand=True)
    wait_for(lambda: subscribed() == before, 20, what="the same at the new primary")
    nodes.fail_over(5)
    wait_for(lambda: subscribed() == before, 20, what="the same at the replica of the killed one")


def test_the_commands_find_the_node_of_their_keys(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    server.cli("project", "create", "shop")
    server.cli("project", "set", "shop", "--weight", "3")    # changes all partitions
    key = server.create_key("web", project="shop", test=True)
    assert server.send("inbox@example.com", key=key).status == 202
    assert "shop" in server.cli("project", "list").stdout
    assert "web" in server.cli("key", "list", "--project", "shop").stdout
    server.cli("health")


def test_new_partitions_are_on_the_nodes_of_their_slots(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes, partitions=1)
    assert len({nodes.owner_of(p).port for p in range(12)}) == 3
    with Load(server, pause=0.02) as load:
        load.wait_more()
        server.cli("partitions", "set", "12")
        wait_for(lambda: {partition_of(message) for message, _ in load.accepted[-200:]} == set(range(12)), 60, what="all partitions are used")
    assert load.refused == 0
    assert_delivered(server, load.accepted[-100:])


def test_a_cluster_over_tls_is_reached(make_cluster, make_server, tmp_path):
    (tmp_path / "certificates").mkdir()
    certificates = talk.Certificates(tmp_path / "certificates")
    pem = str(certificates.folder / "address.pem")
    nodes = make_cluster(tls={"tls_cert_file": pem, "tls_key_file": pem, "tls_ca_cert_file": certificates.ca_file, "tls_auth_clients": "no",
                              "tls_replication": "yes", "tls_cluster": "yes"})
    assert nodes.url.startswith("rediss+cluster://")
    deliver(make_server(nodes, redis_ca_file=certificates.ca_file))


def test_the_need_of_all_slots_is_logged(make_cluster, make_server):
    server = make_server(make_cluster(cluster_require_full_coverage="yes"))
    assert any(line["fact"] == "store.stops_whole" for line in server.log_lines())


def test_a_node_that_lost_its_data_is_refused(make_cluster, make_server):
    nodes = make_cluster()
    server = make_server(nodes)
    node = next(n for n in nodes.nodes if nodes.owner_of("g") is not n and nodes.partitions_of(n, PARTITIONS))
    lost = nodes.partitions_of(node, PARTITIONS)
    wait_for(lambda: len(nodes.owner_of("g")("SMEMBERS", "pn:{g}:made")) == PARTITIONS, 10, what="all partitions are known as made")
    node.kill()
    shutil.rmtree(node.directory / "appendonlydir")
    node.start()
    warned(server, f"partition {lost[0]} is empty")
    assert {server.send("a@d0.test", key=server.live_key).status for _ in range(10)} == {202}
    for p in lost:
        nodes.owner_of("g")("SREM", "pn:{g}:made", str(p))
    server.stop()
    server.start()
    assert server.internal("/readyz").json() == {"status": "ready"}


def test_a_slot_that_comes_to_another_node_without_its_keys_is_refused(make_cluster, make_server):
    """As redis-cli --cluster fix does it when a primary without a replica is lost."""
    nodes = make_cluster()
    server = make_server(nodes)
    lost = next(n for n in nodes.nodes if nodes.owner_of("g") is not n and nodes.partitions_of(n, PARTITIONS))
    partition = nodes.partitions_of(lost, PARTITIONS)[0]
    slot = nodes.nodes[0]("CLUSTER", "KEYSLOT", f"{{p{partition}}}")
    lost.kill()
    nodes.end_move(slot, next(n for n in nodes.nodes if n is not lost and n is not nodes.owner_of("g")))
    wait_for(lambda: f"partition {partition} is empty" in str(server.internal("/readyz").json()), 30, what="/readyz says which partition is empty")


def test_a_cluster_with_a_password_is_reached_by_any_seed(make_cluster, make_server):
    nodes = make_cluster(password="pa:ss@/word%", replicas=1)
    replica = nodes.nodes[-1]
    nodes.url = f"redis+cluster://:pa%3Ass%40%2Fword%25@127.0.0.1:1,127.0.0.1:{replica.port}"
    deliver(make_server(nodes))
