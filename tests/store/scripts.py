"""The transitions as the server loads them, with a clock that the test moves, and with seeded bugs."""
import functools
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "server" / "store" / "lua"))
import generate
import library

ROOT = "pn:{p0}:"
REAL_CLOCK, TEST_CLOCK = "call('TIME')", "call('HMGET', 'clock' .. root:match('{.*}'), 's', 'us')"


source = functools.cache(generate.source)
compiled = functools.cache(generate.compiled)
LIBRARIES = itertools.count()
CLOCKS = ["g", *(f"p{p}" for p in range(4))]  # a transition may read keys of its root only


class Scripts:
    """Calls transitions on a partition. patch: (script, text, broken text), applied where script matches."""

    def __init__(self, client, patch=None, real_clock=False):
        self.client, self.suffix = client, f"_{next(LIBRARIES)}"
        applied, texts = 0, {}
        for name in generate.names():
            text = source(name)
            if not real_clock:
                if REAL_CLOCK not in text:
                    raise AssertionError(f"{name}.lua does not read the clock as the test expects")
                text = text.replace(REAL_CLOCK, TEST_CLOCK)
            if patch and name in patch[0].split() and patch[1] in text:
                text = text.replace(patch[1], patch[2])
                applied += 1
            texts[name] = compiled(text)
        if patch and applied != len(patch[0].split()):
            raise AssertionError(f"the seeded bug does not apply: {patch[1]!r}")
        client("FUNCTION", "LOAD", "REPLACE", library.library(texts, self.suffix))

    def __call__(self, name, *args):
        return self.at(0, name, *args)

    def at(self, partition, name, *args):
        return self.on(f"pn:{{p{partition}}}:", name, *args)

    def on(self, root, name, *args):
        return self.client("FCALL", name + self.suffix, 1, root, *args)


class Clock:
    """Redis time for the transitions, in ms."""

    def __init__(self, client, now):
        self.client, self.now = client, now
        self.move(0)

    def move(self, ms):
        self.now += ms
        for root in CLOCKS:
            self.client("HSET", f"clock{{{root}}}", "s", self.now // 1000, "us", self.now % 1000 * 1000)
