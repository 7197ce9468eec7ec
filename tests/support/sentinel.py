"""A trio of sentinels, a master and replicas of it, all on TCP ports of their own."""
import contextlib
import subprocess

from support import harness
from support.harness import RedisClient, RedisError, wait_for

SERVICE = "mail"


class Node(harness.Redis):
    """A Redis of the trio. url is for the test itself."""

    def __init__(self, directory, port, **settings):
        super().__init__(directory, bind="127.0.0.1", repl_diskless_sync_delay=0, **settings)
        self.port = port
        self.settings["tls-port" if "tls-replication" in self.settings else "port"] = port

    def follow(self, master):
        self.settings["replicaof"] = f"127.0.0.1 {master.port}"
        return self

    def role(self):
        try:
            return self("ROLE")[0].decode()
        except (OSError, RedisError):
            return "down"


class Sentinel:
    """port is for the test, open_port for Postern: with TLS it is another one."""

    def __init__(self, directory, master, quorum=2, password="", tls=None):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.port, self.process = directory, harness.free_port(), None
        self.open_port = harness.free_port() if tls else self.port
        lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {directory}",
                 f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} {quorum}",
                 f"sentinel down-after-milliseconds {SERVICE} 1000", f"sentinel failover-timeout {SERVICE} 4000"]
        if tls:
            lines += [f"{name.replace('_', '-')} {value}" for name, value in {**tls, "tls_port": self.open_port}.items()]
        if password:
            lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}", f"sentinel auth-pass {SERVICE} {password}"]
        self.password = password
        (directory / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        with open(self.directory / "sentinel.log", "ab") as log:
            self.process = subprocess.Popen(["redis-server", str(self.directory / "sentinel.conf"), "--sentinel"],
                                            stdout=log, stderr=log, start_new_session=True)
        wait_for(lambda: self("PING") == "PONG", 20, what="the sentinel answers")
        return self

    def __call__(self, *words):
        try:
            with RedisClient(("127.0.0.1", self.port), password=self.password) as r:
                return r(*words)
        except OSError:
            return None

    def others(self):
        """How many replicas and sentinels it knows."""
        found = self("SENTINEL", "MASTER", SERVICE)
        fields = dict(zip(found[::2], found[1::2], strict=True))
        return int(fields[b"num-slaves"]), int(fields[b"num-other-sentinels"])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Trio:
    """nodes[0] is the first master. url is for Postern."""

    def __init__(self, directory, add, replicas=2, password="", tls=None, **settings):
        secret = {"requirepass": password, "masterauth": password} if password else {}
        self.nodes = [Node(directory / f"node{n}", harness.free_port(), **settings, **secret, **(tls or {})) for n in range(replicas + 1)]
        for n, node in enumerate(self.nodes):
            add(node if n == 0 else node.follow(self.nodes[0])).start()
        self.sentinels = [add(Sentinel(directory / f"sentinel{n}", self.nodes[0], password=password, tls=tls)).start() for n in range(3)]
        wait_for(lambda: all(s.others() == (replicas, 2) for s in self.sentinels), 30, what="the sentinels know each other")
        self.hosts = ",".join(f"127.0.0.1:{s.open_port}" for s in self.sentinels)
        self.url = f"redis{'s' if tls else ''}+sentinel://{':' + password + '@' if password else ''}{self.hosts}/{SERVICE}"

    def master(self):
        """The node that all sentinels which are up name."""
        named = {int(found[1]) for s in self.sentinels if (found := s("SENTINEL", "get-master-addr-by-name", SERVICE))}
        nodes = [n for n in self.nodes if {n.port} == named and n.role() == "master"]
        return nodes[0] if nodes else None

    def fail_over(self):
        """As an operator does it. Returns the new master."""
        old = wait_for(self.master, 20, what="a master")

        def is_begun():
            with contextlib.suppress(RedisError):
                return self.sentinels[0]("SENTINEL", "FAILOVER", SERVICE) == "OK"
            return False
        wait_for(is_begun, 20, what="the failover begins")
        return self.wait_other(old)

    def wait_other(self, old):
        def other():
            now = self.master()
            return now if now is not old else None
        return wait_for(other, 30, what="another master")
