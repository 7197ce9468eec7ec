"""Fixtures: the services of a compose file of docker/ with a sink beside them, and a container alone."""
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine import Engine, Services  # noqa: E402
from support import harness  # noqa: E402

IMAGE = os.environ.get("IMAGE", "postern")
SINK_IMAGE = os.environ.get("SINK_IMAGE", "postern-build")


@pytest.fixture(scope="session")
def engine():
    command = os.environ.get("CONTAINER") or shutil.which("podman") or shutil.which("docker")
    assert command, "neither podman nor docker is in PATH"
    return Engine(command)


class Gateway(harness.Postern):
    """A Postern in a container, reached by its published port."""

    def __init__(self, engine, container, port):
        self.engine = engine
        self.container = container
        self.port = port
        self.test_key = self.live_key = None

    def cli(self, *words, check=True):
        return self.engine("exec", self.container(), "postern", *words, check=check)

    def log(self):
        return self.engine.logs(self.container())


class Stack:
    """All of it: services, gateway, and what the sink took."""

    def __init__(self, engine, directory, file="compose.yaml"):
        self.engine = engine
        self.directory = directory
        files = [harness.ROOT / "docker" / file, harness.ROOT / "tests" / "image" / "compose.test.yaml"]
        self.sink = harness.Sink(directory, keep=False)
        self.webhooks = directory / "webhooks.jsonl"
        port = harness.free_port()
        self.services = Services(engine, f"postern-test-{os.getpid()}-{file.count('.')}", files, {
            "POSTERN_IMAGE": IMAGE, "SINK_IMAGE": SINK_IMAGE, "LEDGER_DIR": str(directory),
            "POSTERN_PUBLISH": f"127.0.0.1:{port}", "REDIS_PASSWORD": "only-for-this-test-0123456789",
            "POSTERN_SECRET": harness.SECRET, "POSTERN_LOG_FORMAT": "json"})
        self.gateway = Gateway(engine, lambda: self.container("postern"), port)

    def container(self, service):
        return self.services.container(service)

    def wait_healthy(self):
        self.engine.wait_healthy(self.container("redis"))
        self.engine.wait_healthy(self.container("postern"))


def run(stack, before_up=None):
    """Starts all services; removes them at the end, with their data."""
    try:
        if before_up:
            before_up(stack)
        stack.services.up()
        stack.gateway.make_keys()
        yield stack
    finally:
        for service in stack.services.spec["services"]:
            print(f"---- {service}\n{stack.engine.logs(stack.container(service))[-6000:]}")
        stack.services.down(volumes=True)


@pytest.fixture(scope="session")
def stack(engine, tmp_path_factory):
    yield from run(Stack(engine, tmp_path_factory.mktemp("image")))


def make_cluster(stack):
    stack.services.up([s for s in stack.services.spec["services"] if s != "postern"])
    for _ in range(2):    # the second time it finds that there is one
        stack.engine("exec", stack.container("redis-1"), "sh", "-c", "sh $CLUSTER_SH $CLUSTER_NODES")


@pytest.fixture(scope="module")
def cluster(engine, tmp_path_factory):
    yield from run(Stack(engine, tmp_path_factory.mktemp("cluster"), "compose.cluster.yaml"), make_cluster)
