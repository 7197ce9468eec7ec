"""A write that a power failure cut off is removed from Redis's log before Redis starts; nothing else is changed."""
import shutil
import subprocess
from pathlib import Path

import pytest

from support import harness

MULTI, EXEC = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"
SELECT, SET = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\ny\r\n$1\r\n1\r\n"
WRITES = "redis.call('RPUSH', KEYS[1], 'one') redis.call('RPUSH', KEYS[2], 'two') redis.call('SET', KEYS[3], ARGV[1])"


def mend(directory, path=None):
    env = {"PATH": path or "/usr/bin:/bin", "ASAN_OPTIONS": "exitcode=99"}
    return subprocess.run([harness.binary(), "redis", "mend", str(directory)], env=env, capture_output=True, text=True, timeout=60,
                          check=False)


def write_some(redis):
    redis("SET", "before", "kept")
    for i in range(3):
        redis("EVAL", WRITES, "3", f"a{i}", f"b{i}", f"c{i}", "x" * 40)


@pytest.fixture
def log(make_redis, tmp_path):
    """The directory of a complete log, of a Redis that has ended."""
    redis = make_redis("whole")
    write_some(redis)
    redis.kill()
    return tmp_path / "whole" / "appendonlydir"


def incr(directory):
    return directory / "appendonly.aof.1.incr.aof"


def contents(directory):
    return {f.name: f.read_bytes() for f in directory.iterdir()}


def spoilt(log, tmp_path, spoil):
    """A copy of the log; spoil() has changed its last file."""
    copy = tmp_path / "spoilt" / "appendonlydir"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(log, copy)
    incr(copy).write_bytes(spoil(incr(log).read_bytes()))
    return copy


def test_an_incomplete_transaction_is_removed_as_a_whole(log, tmp_path):
    whole = incr(log).read_bytes()
    start = whole.rindex(MULTI)
    assert whole.endswith(EXEC) and len(whole) - start > 100
    for end in range(start, len(whole) + 1):
        copy = spoilt(log, tmp_path, lambda w, end=end: w[:end])
        done = mend(copy)
        assert done.returncode == 0, done
        kept = list(copy.glob("unfinished-*"))
        if end in (start, len(whole)):
            assert incr(copy).read_bytes() == whole[:end] and not kept and done.stderr == ""
        else:
            assert incr(copy).read_bytes() == whole[:start], end
            assert [f.read_bytes() for f in kept] == [whole[start:end]] and f"bytes={end - start}" in done.stderr


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nhalf", b"*", MULTI + b"\0" * 100])
def test_bytes_that_a_file_system_leaves_after_the_last_write_are_removed(log, tmp_path, tail):
    copy = spoilt(log, tmp_path, lambda w: w + tail)
    done = mend(copy)
    assert done.returncode == 0 and "redis.log_mended" in done.stderr, done
    assert incr(copy).read_bytes() == incr(log).read_bytes()


def begins_badly(w):
    return w.replace(b"$6\r\nbefore", b"$9\r\nbefore", 1)


@pytest.mark.parametrize("spoil", [
    lambda w: w[:w.rindex(MULTI) + 60] + w[w.rindex(MULTI):],  # as a Redis does that keeps the half, and goes on
    lambda w: w[:w.rindex(MULTI) + len(MULTI)] + SELECT + SET + MULTI + SET + EXEC,
    lambda w: w + MULTI + SET + SELECT + SET,
    lambda w: w + MULTI + SET.replace(b"$1\r\ny", b"$9000\r\ny") + EXEC + MULTI + SET + EXEC,    # a damaged length, then whole transactions
    begins_badly,
])
def test_a_log_with_other_damage_is_refused_and_not_changed(log, tmp_path, spoil):
    copy = spoilt(log, tmp_path, spoil)
    before = contents(copy)
    done = mend(copy)
    assert done.returncode == 1 and "is damaged" in done.stderr and "redis-check-aof" in done.stderr, done
    assert contents(copy) == before


def test_a_damaged_base_is_refused_and_not_changed(log, tmp_path):
    copy = spoilt(log, tmp_path, lambda w: w[:-5])
    base, = copy.glob("*.base.rdb")
    base.write_bytes(base.read_bytes()[:-4])
    before = contents(copy)
    done = mend(copy)
    assert done.returncode == 1 and "is damaged" in done.stderr, done
    assert contents(copy) == before


@pytest.fixture
def first_log(make_redis, tmp_path):
    """The directory of a log with one transaction, the first after a start: SELECT comes with it."""
    redis = make_redis("whole")
    redis("EVAL", WRITES, "3", "a", "b", "c", "x" * 40)
    redis.kill()
    return tmp_path / "whole" / "appendonlydir"


@pytest.mark.parametrize("order", [SELECT + MULTI, MULTI + SELECT], ids=["Redis 7.0", "Redis 7.2"])
def test_the_first_transaction_after_a_start_is_removed_wherever_it_was_cut(first_log, tmp_path, order):
    whole = incr(first_log).read_bytes()
    whole = order + whole[whole.index(MULTI) + len(MULTI):].replace(SELECT, b"")
    before = SELECT if whole.startswith(SELECT) else b""
    for end in range(1, len(whole)):
        copy = spoilt(first_log, tmp_path, lambda w, end=end: whole[:end])
        done = mend(copy)
        assert done.returncode == 0 and incr(copy).read_bytes() == (before if end >= len(before) else b""), (end, done)


def test_no_text_of_a_mail_prevents_redis_from_starting(make_redis, tmp_path):
    """Users write these bytes. Cut off within or after them, the transaction is unfinished all the same. A file that ends exactly
    with them is refused, as they may be later writes: the octet of the cut is chance, and mails are stored compressed."""
    redis = make_redis("whole")
    write_some(redis)
    text = EXEC + SELECT + MULTI + EXEC
    redis("EVAL", WRITES, "3", "m", "n", "o", text + b"end of the mail")
    redis.kill()
    log = tmp_path / "whole" / "appendonlydir"
    whole = incr(log).read_bytes()
    start = whole.rindex(MULTI, 0, whole.rindex(text))
    for end in (whole.rindex(text) + len(text) - 1, whole.rindex(text) + len(text) + 1, whole.rindex(text) + len(text) + 7, len(whole) - 5):
        copy = spoilt(log, tmp_path, lambda w, end=end: w[:end])
        done = mend(copy)
        assert done.returncode == 0 and incr(copy).read_bytes() == whole[:start], done
    copy = spoilt(log, tmp_path, lambda w: w[:whole.rindex(text) + len(text)])
    assert mend(copy).returncode == 1 and incr(copy).read_bytes() == whole[:whole.rindex(text) + len(text)]


def test_mend_before_the_first_start_of_redis_changes_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    for directory in (tmp_path / "appendonlydir", tmp_path / "empty"):
        done = mend(directory)
        assert done.returncode == 0 and "nothing to mend" in done.stdout


def test_a_directory_that_is_not_that_of_a_log_is_refused(log, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    for directory, words in ((tmp_path / "other", "no appendonly.aof.manifest"), (tmp_path / "a" / "b", "no appendonly.aof.manifest"),
                             (log.parent, f"the log is in {log}"), (incr(log), "Not a directory")):
        done = mend(directory)
        assert done.returncode == 1 and words in done.stderr, done


def test_mend_without_redis_check_aof_names_the_package_to_install(log, tmp_path):
    done = mend(log, path=str(tmp_path))
    assert done.returncode == 1 and "apt-get install redis-tools" in done.stderr


def test_half_a_transaction_is_executed_neither_at_the_next_start_nor_at_the_one_after(make_redis, tmp_path):
    """Redis 7.0 alone would execute the half at the second start. `postern redis mend` prevents this."""
    redis = make_redis()
    write_some(redis)
    directory = tmp_path / "redis" / "appendonlydir"
    for n in range(3):
        redis.kill()
        whole = incr(directory).read_bytes()
        incr(directory).write_bytes(whole[:whole.rindex(MULTI) + 70])
        assert mend(directory).returncode == 0
        redis.start()
        assert redis("LLEN", "a2") == 0 and redis("LLEN", "b2") == 0 and redis("GET", "c1") == b"x" * 40
        redis("SET", f"alone{n}", "1")
        redis("EVAL", WRITES, "3", "a2", "b2", "c2", "y")
    assert redis("LLEN", "a2") == 1 and redis("LLEN", "a1") == 1 and redis("GET", "alone1") == b"1"


def test_the_embedded_redis_is_mended_before_it_starts(make_postern):
    server = make_postern()
    id = server.deliver("a@example.com")["id"]
    server.crash()
    log = Path(server.settings["data_dir"]) / "redis" / "appendonlydir"
    with open(incr(log), "ab") as f:
        f.write(MULTI + b"*3\r\n$5\r\nRPUSH\r\n$1\r\nz\r\n$1\r\n1\r\n*3\r\n$5\r\nRP")
    server.start()
    mended, = [line for line in server.log_lines() if line["fact"] == "redis.log_mended"]
    assert mended["level"] == "warn" and (log / mended["kept"]).stat().st_size == mended["bytes"]
    assert server.message(id)["recipients"][0]["status"] == "delivered"
    assert server.deliver("b@example.com")["recipients"][0]["status"] == "delivered"
    with harness.RedisClient(server.redis_socket) as r:
        assert r("CONFIG", "GET", "aof-load-truncated")[1] == b"no"


@pytest.mark.parametrize("value", ["yes", "no"])
def test_a_redis_that_would_keep_half_a_transaction_is_reported(make_redis, make_postern, value):
    server = make_postern(redis=make_redis(aof_load_truncated=value))
    assert server.deliver("a@example.com")["recipients"][0]["status"] == "delivered"
    hints = [line["hint"] for line in server.log_lines() if line["fact"] == "store.loads_halves"]
    assert bool(hints) == (value == "yes") and all("postern redis mend" in h for h in hints)
