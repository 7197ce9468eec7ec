"""A project that sends mail at a steady rate while another one attacks, and measures how long it takes."""
import collections
import contextlib
import http.client
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from support.harness import wait_for


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


class Figures:
    """Of the messages of one phase: statuses of the responses, seconds until the response and until the delivery."""

    def __init__(self, name):
        self.name = name
        self.due, self.statuses, self.accepts, self.deliveries = {}, collections.Counter(), [], []

    @property
    def sent(self):
        return len(self.due)

    @property
    def lost(self):
        """Accepted, and not delivered within the time that wait() had."""
        return self.statuses[202] - len(self.deliveries)

    @property
    def refused(self):
        return self.sent - self.statuses[202]

    def row(self):
        return {"phase": self.name, "sent": self.sent, "refused": self.refused, "lost": self.lost,
                **{f"{what}_{name}": round(percentile(values, part), 4)
                   for what, values in (("accept", self.accepts), ("delivery", self.deliveries))
                   for name, part in (("p50", 0.5), ("p99", 0.99))}}

    def __repr__(self):
        return str(self.row())


class Victim:
    """per_s messages a second to address, in a lane, from threads of its own, with a new connection for each.

    All times count from when the message was due."""

    THREADS = 32

    def __init__(self, server, sink, address="ada@victim.test", lane="otp", per_s=10, project="victim", source=None, timeout=15):
        self.server, self.sink, self.address, self.lane, self.per_s = server, sink, address, lane, per_s
        self.source, self.timeout, self.project = source, timeout, project
        self.tokens = itertools.count()
        server.cli("project", "create", project, check=False)
        self.key = server.create_key("victim", project=project, scopes="send,read")

    @contextlib.contextmanager
    def sending(self, name, within=60):
        """Sends during the block; then waits up to so many seconds until all is delivered. Gives the Figures of the phase."""
        figures, done = Figures(name), threading.Event()
        thread = threading.Thread(target=self.run, args=(figures, done), daemon=True)
        thread.start()
        try:
            yield figures
        finally:
            done.set()
            thread.join()
        self.wait(figures, within)

    def measure(self, name, seconds, within=60):
        with self.sending(name, within) as figures:
            time.sleep(seconds)
        return figures

    def run(self, figures, done):
        started = time.monotonic()
        with ThreadPoolExecutor(self.THREADS) as pool:
            for n in itertools.count():
                due = started + n / self.per_s
                if done.wait(max(0, due - time.monotonic())):
                    return
                pool.submit(self.send, figures, due)

    def send(self, figures, due):
        token = f"{self.project}-{next(self.tokens)}"
        figures.due[token] = due + (time.time() - time.monotonic())
        status = self.request({"from": "shop@shop.example", "to": [self.address], "subject": "Your code", "text": "123456\n",
                               "lane": self.lane, "headers": {"X-Token": token}})
        figures.statuses[status] += 1
        if status == 202:
            figures.accepts.append(time.monotonic() - due)

    def request(self, mail):
        """The status, or the name of the error in place of a response."""
        try:
            return self.server.request("POST", "/v1/messages", json=mail, key=self.key, timeout=self.timeout, source=self.source).status
        except (OSError, http.client.HTTPException) as e:
            return type(e).__name__

    def wait(self, figures, within):
        """Reads the deliveries of the phase from the ledger of the mail server."""
        def arrived():
            times = {row["x_token"]: row["t"] for row in self.sink.taken(self.address)}
            figures.deliveries = [times[token] - due for token, due in figures.due.items() if token in times]
            return figures.lost <= 0
        with contextlib.suppress(AssertionError):
            wait_for(arrived, within, 0.2)


QUIET_S = 0.005     # the median of an accept on a machine that does nothing else


def hold(beside, *others, times=2, least_s=1.0):
    """The promise of docs/limits.md: beside the attack, all mail is accepted and delivered, and the medians stay small.

    A median beside the attack may be at most `times` the slowest median of the other phases (alone, after the attack), or least_s if
    that is more. If the machine is slow without the attack too, least_s grows by the same factor."""
    assert beside.sent and beside.refused == 0 and beside.lost == 0, (beside, beside.statuses, others)
    least_s *= max(1, *(percentile(f.accepts, 0.5) / QUIET_S for f in others))
    for what in ("accepts", "deliveries"):
        limit = max(least_s, times * max(percentile(getattr(f, what), 0.5) for f in others))
        assert percentile(getattr(beside, what), 0.5) <= limit, f"{what}: {beside}, without the attack {others}"
