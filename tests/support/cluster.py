"""A Redis Cluster: primaries with equal parts of the slots, and replicas, all on TCP ports of their own."""
import contextlib
import re

from support import harness
from support.harness import RedisError, wait_for
from support.sentinel import Node

SLOTS = 16384


class Cluster:
    """nodes: the primaries, then their replicas in the same order, `replicas` times. url is for Postern."""

    def __init__(self, directory, add, primaries=3, replicas=0, password="", tls=None, seeds=None, **settings):
        secret = {"requirepass": password, "masterauth": password} if password else {}
        settings = {"cluster_node_timeout": 1500, "cluster_require_full_coverage": "no", **settings, **secret, **(tls or {})}
        self.password, self.directory = password, directory
        self.nodes = [Node(directory / f"node{n}", harness.free_port(), cluster_enabled="yes", cluster_port=harness.free_port(), **settings)
                      for n in range(primaries * (1 + replicas))]
        for node in self.nodes:
            add(node).start()
        for n, node in enumerate(self.nodes[:primaries]):
            node("CLUSTER", "ADDSLOTSRANGE", str(SLOTS * n // primaries), str(SLOTS * (n + 1) // primaries - 1))
            node("CLUSTER", "SET-CONFIG-EPOCH", str(n + 1))
        wait_for(self.have_met, 60, 0.5, what="the nodes know each other")
        for n, node in enumerate(self.nodes[primaries:]):
            node("CLUSTER", "REPLICATE", self.name(self.nodes[n % primaries]))
        wait_for(self.is_well, 30, what="the cluster is well")
        self.seeds = ",".join(f"127.0.0.1:{node.port}" for node in (seeds or self.nodes[:primaries]))
        self.url = f"redis{'s' if tls else ''}+cluster://{':' + password + '@' if password else ''}{self.seeds}"

    def stop(self):
        for node in self.nodes:
            node.stop()

    @staticmethod
    def state(node):
        return dict(re.findall(r"(\w+):(\w+)", node("CLUSTER", "INFO").decode()))

    def have_met(self):
        """A node forgets one that did not reply within its timeout, so they are made known again."""
        strangers = [node for node in self.nodes if self.known(node) != len(self.nodes)]
        for node in strangers:
            if node is not self.nodes[0]:
                node("CLUSTER", "MEET", "127.0.0.1", str(self.nodes[0].port), str(self.nodes[0].settings["cluster-port"]))
        return not strangers

    def known(self, node):
        return int(self.state(node)["cluster_known_nodes"])

    @staticmethod
    def name(node):
        return node("CLUSTER", "MYID").decode()

    def is_well(self):
        """All nodes that are up call the cluster well, and all replicas are in step."""
        with contextlib.suppress(OSError, RedisError, KeyError):
            return all(self.state(node)["cluster_state"] == "ok" for node in self.nodes) and \
                all(node.info("replication")["master_link_status"] == "up" for node in self.nodes if node.role() == "slave")
        return False

    def up(self):
        return [node for node in self.nodes if node.role() != "down"]

    def owner(self, key):
        """The primary that has the slot of the key, as a node that is up and well says."""
        for node in self.up():
            slot = node("CLUSTER", "KEYSLOT", key)
            for first, last, primary, *_ in node("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    found = [n for n in self.nodes if n.port == primary[1]]
                    if found and found[0].role() == "master":
                        return found[0]
        return None

    def owner_of(self, partition):
        """partition: a number, or "g" for the keys of the installation."""
        return self.owner("{g}" if partition == "g" else f"{{p{partition}}}")

    def partitions_of(self, node, partitions):
        return [p for p in range(partitions) if self.owner_of(p) is node]

    def wait_other(self, old, partition):
        """Another node has the partition, not `old`."""
        def other():
            now = self.owner_of(partition)
            return now if now is not None and now is not old else None
        return wait_for(other, 60, what="another primary")

    def fail_over(self, partition, by_hand=False):
        """The primary of a partition is killed and comes back as a replica, or its replica takes over by hand. Waits until
        all is well again."""
        old = wait_for(lambda: self.owner_of(partition), 60, what="a primary")
        if by_hand:
            replica = next(n for n in self.up() if n.role() == "slave" and n("ROLE")[2] == old.port)
            replica("CLUSTER", "FAILOVER")
        else:
            old.kill()
        self.wait_other(old, partition)
        if not by_hand:
            old.start()
        wait_for(self.is_well, 60, what="the cluster is well")
        return old

    def begin_move(self, slot, source, target):
        target("CLUSTER", "SETSLOT", str(slot), "IMPORTING", self.name(source))
        source("CLUSTER", "SETSLOT", str(slot), "MIGRATING", self.name(target))

    def move_keys(self, slot, source, target, most=10):
        """Moves up to `most` keys. Returns their number."""
        keys = source("CLUSTER", "GETKEYSINSLOT", str(slot), str(most))
        if keys:
            auth = ["AUTH", self.password] if self.password else []
            source("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", *auth, "KEYS", *keys)
        return len(keys)

    def end_move(self, slot, target):
        for node in (target, *[n for n in self.up() if n is not target and n.role() == "master"]):
            node("CLUSTER", "SETSLOT", str(slot), "NODE", self.name(target))

    def move_slot(self, slot, source, target):
        """As redis-cli --cluster reshard does it."""
        self.begin_move(slot, source, target)
        while self.move_keys(slot, source, target):
            pass
        self.end_move(slot, target)
