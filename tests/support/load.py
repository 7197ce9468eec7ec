"""Mail from several threads, for tests in which a server dies meanwhile."""
import itertools
import threading
from http.client import HTTPException

from support.harness import wait_for


class Load:
    """Sends from four threads until the end of the block, or until is_over is set. accepted: (id, recipient) of each 202.
    refused: the number of 5xx responses."""

    def __init__(self, server, pause=0):
        self.server, self.pause, self.accepted, self.refused, self.is_over = server, pause, [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(4)]

    def run(self, sender):
        for number in itertools.count(1):
            if self.is_over.wait(self.pause):
                return
            to = f"s{sender}n{number}@d0.test"
            try:
                response = self.server.send(to, key=self.server.live_key, http_headers={"Idempotency-Key": to})
            except (OSError, HTTPException):
                continue
            if response.status == 202:
                self.accepted.append((response.json()["id"], to))
            self.refused += response.status >= 500

    def wait_more(self, n=30, timeout=40):
        """Waits until n more are accepted than now."""
        count = len(self.accepted)
        wait_for(lambda: len(self.accepted) >= count + n, timeout, what="mail is accepted")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def assert_delivered(server, messages, timeout=60):
    for message, _ in messages:
        assert server.wait_terminal(message, key=server.live_key, timeout=timeout)["recipients"][0]["status"] == "delivered"


def deliver(server):
    status = server.deliver("a@d0.test", key=server.live_key)["recipients"][0]["status"]
    assert status == "delivered"
