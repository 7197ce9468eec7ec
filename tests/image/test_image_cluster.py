"""docker/compose.cluster.yaml in real containers: a cluster is made, mail goes through, a primary dies."""
from support.harness import wait_for

PARTITIONS = 32


def redis(cluster, service, *words):
    return cluster.engine("exec", cluster.container(service), "sh", "-c", 'REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli --user cluster "$@"', "-", *words).stdout


def primaries(cluster):
    """The services that are primaries now, as a living node sees it."""
    nodes = [s for s in cluster.services.spec["services"] if s.startswith("redis-")]
    alive = next(s for s in nodes if cluster.engine.is_running(cluster.container(s)))
    found = []
    for line in redis(cluster, alive, "cluster", "nodes").splitlines():
        words = line.split()
        flags = words[2].split(",")
        if "master" in flags and "fail" not in flags and len(words) > 8:
            found.append("redis-" + words[1].partition(":")[0].rpartition(".1")[2])
    return sorted(found)


def deliver(cluster, name, count=60):
    """Sends to many partitions; all that was accepted is delivered. Returns how many were refused."""
    answers = [cluster.gateway.send(f"ok-{name}{n}@d0.test", key=cluster.gateway.live_key) for n in range(count)]
    accepted = [a.json()["id"] for a in answers if a.status == 202]
    assert {a.status for a in answers} <= {202, 503}
    for id in accepted:
        assert cluster.gateway.wait_terminal(id, key=cluster.gateway.live_key, timeout=60)["status"] == "delivered"
    return count - len(accepted)


def test_mail_goes_through_a_cluster_of_three_primaries(cluster):
    assert deliver(cluster, "first") == 0
    assert len(primaries(cluster)) == 3
    assert cluster.gateway.deliver("inbox@example.com")["recipients"][0]["status"] == "delivered"
    assert cluster.gateway.cli("partitions").stdout.startswith(f"partitions: {PARTITIONS}\n")


def test_a_replica_replaces_a_primary_that_dies(cluster):
    before = primaries(cluster)
    # The restart policy would start it again before a replica is elected; a stop is not restarted.
    cluster.engine.stop(cluster.container(before[0]))
    wait_for(lambda: len(primaries(cluster)) == 3 and primaries(cluster) != before, 60, 0.5, "a replica is the primary now")
    wait_for(lambda: deliver(cluster, "after") == 0, 60, 0.2, "all partitions take mail again")
    cluster.engine.start(cluster.container(before[0]))
    wait_for(lambda: "master_link_status:up" in redis(cluster, before[0], "info", "replication"), 60, 0.5, "the old primary is a replica")
    assert deliver(cluster, "again") == 0


def test_slots_can_be_moved_as_the_user_cluster(cluster):
    """2,000 slots, so some partitions move, too."""
    ids = {words[1].partition(":")[0]: words[0] for words in map(str.split, redis(cluster, "redis-1", "cluster", "nodes").splitlines())}
    giver, taker = (ids[f"172.30.71.1{service.removeprefix('redis-')}"] for service in primaries(cluster)[:2])
    moved = redis(cluster, "redis-1", "--cluster", "reshard", "172.30.71.11:6379", "--cluster-from", giver, "--cluster-to", taker,
                  "--cluster-slots", "2000", "--cluster-yes", "--cluster-pipeline", "100")
    assert moved.count("Moving slot") >= 2000
    wait_for(lambda: deliver(cluster, "moved") == 0, 60, 0.2, "all partitions take mail again")


def test_the_cluster_survives_down_and_up(cluster):
    waiting = cluster.gateway.send("first1fail-down@d0.test", key=cluster.gateway.live_key).json()
    cluster.services.down()
    cluster.services.up()
    assert len(primaries(cluster)) == 3 and deliver(cluster, "down") == 0
    assert cluster.gateway.wait_terminal(waiting["id"], key=cluster.gateway.live_key)["status"] == "delivered"
