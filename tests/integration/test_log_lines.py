"""The lines of the log that an operator looks for: the start, the requests, warnings, refusals."""
import os

from support import harness
from support.harness import wait_for


def lines_of(server, fact):
    return [line for line in server.log_lines() if line["fact"] == fact]


def test_the_start_names_version_address_file_roles_and_redis(make_postern, make_redis):
    server = make_postern(start=False)
    (server.directory / "postern.yaml").write_text("site_connections: 7\n")
    server.start()
    started, = lines_of(server, "postern.started")
    version = (harness.ROOT / "VERSION").read_text().strip()
    assert {name: started[name] for name in ("version", "listen", "config_file", "roles", "redis", "data_dir")} == {
        "version": version, "listen": server.host, "config_file": "postern.yaml", "roles": "api,relay,keeper,hooks", "redis": "embedded",
        "data_dir": server.settings["data_dir"]}
    redis = make_redis()
    apart = make_postern({"roles": "relay,keeper"}, redis=redis, start=False).launch()
    wait_for(lambda: lines_of(apart, "postern.started"), what="the line of the start")
    started, = lines_of(apart, "postern.started")
    assert (started["listen"], started["config_file"], started["roles"], started["redis"]) == ("", "", "relay,keeper", redis.socket)


def test_a_warning_of_the_start_is_written_once_and_not_by_each_process(make_postern, make_redis):
    redis = make_redis(aof_load_truncated="yes")
    server = make_postern({"workers_api": 3, "workers_relay": 3, "secret": None, "smtp_port": 26, "relay_url": "smtp://127.0.0.1:1"}, redis=redis)
    wait_for(lambda: len(server.children()) == 8, what="all processes")
    server.wait_ready()
    assert [x["setting"] for x in lines_of(server, "config.no_effect")] == ["smtp_port"]
    for fact in ("store.loads_halves", "store.no_memory_limit", "config.secret_missing"):
        assert len(lines_of(server, fact)) == 1, fact


def test_a_missing_secret_is_a_warning_only_if_webhooks_need_it(make_postern, make_redis):
    redis = make_redis()
    for settings in ({"secret": None, "roles": "relay,keeper"}, {}):
        server = make_postern(settings, redis=redis, start=False).launch()
        wait_for(lambda: lines_of(server, "postern.started") and server.children(), what="the start")
        assert not lines_of(server, "config.secret_missing"), settings
        server.stop()


def test_an_error_of_redis_names_its_host_and_port(make_postern):
    port = harness.free_port()
    server = make_postern({"redis_url": f"redis://user:password@127.0.0.1:{port}/3"}, start=False, crashes=True).launch()
    wait_for(lambda: lines_of(server, "store.cannot_connect"), what="the refusal")
    refused, = lines_of(server, "store.cannot_connect")
    assert refused["reason"] == f"Redis at 127.0.0.1:{port}/3: Connection refused"
    done = server.cli("key", "list", check=False)
    assert f"Redis at 127.0.0.1:{port}/3: Connection refused" in done.stderr and done.returncode == 1


def test_a_request_is_logged_with_client_key_and_problem(make_postern):
    server = make_postern()
    server.send("a@example.com", http_headers={"User-Agent": "shop/1.0 (test)"})
    server.send("not an address")
    server.request("GET", "/v1/messages", key="pn_live_" + "0" * 40)

    def requests():
        return [x for x in lines_of(server, "http.request") if x["route"] == "/v1/messages"]
    sent, invalid, unauthorized = wait_for(lambda: len(requests()) == 3 and requests(), what="three lines")
    key = server.key_id(server.test_key)
    assert (sent["client"], sent["user_agent"], sent["key"], sent["status"]) == ("127.0.0.1", "shop/1.0 (test)", key, 202)
    assert "problem" not in sent and "user_agent" not in invalid
    assert (invalid["problem"], invalid["key"], invalid["status"]) == ("validation", key, 422)
    assert (unauthorized["problem"], unauthorized["status"]) == ("unauthorized", 401) and "key" not in unauthorized


def test_a_user_agent_cannot_forge_a_line(make_postern):
    server = make_postern({"log_format": "text"})
    server.send("a@example.com", http_headers={"User-Agent": 'a" fact=forged \t' + "x" * 2000})
    wait_for(lambda: "user_agent=" in server.log(), what="the line")
    line, = [x for x in server.log().splitlines() if "user_agent=" in x]
    assert 'user_agent="a\\" fact=forged \\u0009xxx' in line and len(line) < 1500
    assert os.path.getsize(server.log_path) < 100_000
