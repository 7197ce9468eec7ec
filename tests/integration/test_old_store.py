"""A store that an earlier version wrote: data/store-of-schema-1.rdb has a message that waits, and one that was delivered."""
import shutil
from pathlib import Path

from support import harness
from support.harness import wait_for

STORE = Path(__file__).parent / "data" / "store-of-schema-1.rdb"


def test_a_store_of_an_earlier_version_is_refused_unchanged_with_what_to_do(tmp_path, stack, make_postern):
    (tmp_path / "redis").mkdir()
    shutil.copy(STORE, tmp_path / "redis" / "dump.rdb")
    redis = stack.add(harness.Redis(tmp_path / "redis", appendonly="no", enable_debug_command="local")).start()
    redis("CONFIG", "SET", "appendonly", "yes")
    wait_for(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0", 20, what="the log is written")
    before = redis("DEBUG", "DIGEST")
    server = make_postern(redis=redis, start=False, crashes=True)
    server.launch()

    def refusals():
        return [line["reason"] for line in server.log_lines() if line["fact"] == "store.cannot_connect"]
    reason = wait_for(refusals, 20, what="the store is refused")[0]
    assert "the store has schema 1" in reason
    assert "deliver its mail with the version that wrote it" in reason
    assert "docs/upgrading.md" in reason
    assert server.request("GET", "/readyz", key=None).status == 503
    server.crash()
    assert redis("DEBUG", "DIGEST") == before
