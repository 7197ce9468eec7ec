"""Fixtures: the services of docker/compose.yaml with a sink beside them, and a container alone."""
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine import Engine, Services  # noqa: E402
from support import harness  # noqa: E402

FILES = [harness.ROOT / "docker" / "compose.yaml", harness.ROOT / "tests" / "image" / "compose.test.yaml"]
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

    def __init__(self, engine, directory):
        self.engine = engine
        self.directory = directory
        self.sink = harness.Sink(directory, keep=False)
        self.webhooks = directory / "webhooks.jsonl"
        port = harness.free_port()
        self.services = Services(engine, f"postern-test-{os.getpid()}", FILES, {
            "POSTERN_IMAGE": IMAGE, "SINK_IMAGE": SINK_IMAGE, "LEDGER_DIR": str(directory),
            "POSTERN_PUBLISH": f"127.0.0.1:{port}", "REDIS_PASSWORD": "only-for-this-test-0123456789",
            "POSTERN_SECRET": harness.SECRET, "POSTERN_LOG_FORMAT": "json"})
        self.gateway = Gateway(engine, lambda: self.container("postern"), port)

    def container(self, service):
        return self.services.container(service)

    def wait_healthy(self):
        self.engine.wait_healthy(self.container("redis"))
        self.engine.wait_healthy(self.container("postern"))


@pytest.fixture(scope="session")
def stack(engine, tmp_path_factory):
    s = Stack(engine, tmp_path_factory.mktemp("image"))
    try:
        s.services.up()
        s.gateway.make_keys()
        yield s
    finally:
        for service in s.services.spec["services"]:
            print(f"---- {service}\n{engine.logs(s.container(service))[-6000:]}")
        s.services.down(volumes=True)
