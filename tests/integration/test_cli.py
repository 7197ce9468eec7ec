"""The command line and the configuration, by the real binary."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from support import harness

CANARY = "canary7canary7canary7canary7"
COMMANDS = ["serve", "dev", "key create", "key list", "key revoke", "version", "project create", "project list", "project set",
            "project delete", "config check", "config show", "config table", "health", "redis mend",
            "partitions", "partitions set", "message show", "store dump"]


@pytest.fixture
def run(tmp_path):
    """run("config", "check", drain_s="x") -> CompletedProcess, in a directory of its own."""
    def do(*words, cwd=tmp_path, timeout=20, stdout=subprocess.PIPE, **settings):
        env = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
        env.update({"POSTERN_" + k.upper(): v for k, v in settings.items()})
        return subprocess.run([harness.binary(), *words], cwd=cwd, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True,
                              timeout=timeout, check=False)
    return do


def test_every_command_shows_its_help_with_an_example(run):
    overview = run("help")
    assert overview.returncode == 0
    for command in COMMANDS:
        assert f"postern {command} " in overview.stdout
        shown = run(*command.split(), "--help")
        assert shown.returncode == 0 and "Usage: postern " + command in shown.stdout
        assert "Example:\n  " in shown.stdout, command
    assert "api,relay,keeper,hooks" in run("serve", "--help").stdout


def test_version(run):
    version = (harness.ROOT / "VERSION").read_text().strip()
    for word in ("version", "--version"):
        assert run(word).stdout == f"postern {version}\n"


@pytest.mark.parametrize("words, sentence", [
    ([], "postern serve"),
    (["sreve"], 'unknown command "sreve"; did you mean `postern serve`?'),
    (["srve"], "did you mean `postern serve`?"),
    (["keys", "create"], "did you mean `postern key create`?"),
    (["projct", "list"], "did you mean `postern project list`?"),
    (["frobnicate"], "`postern help` lists all commands"),
    (["key"], "postern key create"),
    (["key", "crate"], 'unknown command "key crate". Commands:\n  postern key create'),
    (["serve", "--rolse", "api"], "--rolse: unknown option; did you mean --roles?"),
    (["serve", "--frobnicate"], "--frobnicate: unknown option\n"),
    (["message", "show"], "the id of a message is expected"),
    (["message", "show", "evt_06evzfk4p8a2j0v6n1y3t5w700"], "the id of a message is expected"),
    (["store", "dump", "x"], "the id of a message is expected"),
    (["serve", "now"], "now: one argument too many"),
    (["serve", "--config"], "--config needs a value"),
    (["key", "create", "--scopes", "send,fly"], "some of send,read,manage"),
    (["key", "create", "--scopes", ""], "some of send,read,manage"),
    (["key", "create", "--test=1"], "--test takes no value"),
    (["key", "create", "--name", "x" * 101], "1 to 100 characters"),
    (["key", "create", "--name", "a\nb"], "--name has a line break"),
    (["key", "create", "--name", b"\xff"], "--name is not valid UTF-8"),
    (["project", "create", "a\nb"], "the name has a line break"),
    (["key", "revoke"], "the id of a key"),
    (["key", "revoke", "pn_live_x"], "the id of a key"),
    (["key", "list", "shop"], "shop"),
    (["version", "now"], "no arguments"),
    (["help", "frobnicate"], 'unknown command "frobnicate"'),
    (["project", "list", "shop"], "shop: one argument too many"),
    (["project", "delete"], "a name"),
    (["project", "create"], "a name"),
    (["redis", "mend"], "the directory of the log"),
    (["redis", "mend", "a", "b"], "b: one argument too many"),
])
def test_wrong_usage_exits_with_2_and_a_hint(run, words, sentence):
    done = run(*words)
    assert done.returncode == 2
    assert sentence in done.stderr and done.stdout == ""


@pytest.mark.parametrize("group", ["key", "project", "config", "redis"])
@pytest.mark.parametrize("words", [["{}", "--help"], ["{}", "-h"], ["help", "{}"]])
def test_the_help_of_a_group_lists_its_commands(run, group, words):
    shown = run(*(word.format(group) for word in words))
    assert shown.returncode == 0 and shown.stderr == ""
    listed = [line.split("  ")[1].removeprefix("postern ") for line in shown.stdout.splitlines() if line.startswith("  ")]
    assert listed == [c for c in COMMANDS if c.startswith(group + " ")]


def test_help_command_and_the_option_help_print_the_same(run):
    assert run("help", "key", "list").stdout == run("key", "list", "--help").stdout


def test_config_check_refuses_one_address_for_both_listeners(run):
    done = run("config", "check", listen="127.0.0.1:8080", metrics_listen="127.0.0.1:9464,127.0.0.1:8080")
    assert done.returncode == 1 and "POSTERN_METRICS_LISTEN and POSTERN_LISTEN have the same address" in done.stderr


def test_config_check_of_a_valid_configuration_exits_with_0(run):
    done = run("config", "check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("settings, warned", [
    ({}, []),
    ({"smtp_port": "26"}, []),
    ({"smtp_port": "26", "relay_url": "smtp://127.0.0.1:1"}, ["setting=smtp_port"]),
    ({"mx_allow_private": "true", "tls_policy": "required", "relay_url": "smtps://127.0.0.1:1"},
     ["setting=mx_allow_private", "setting=tls_policy"]),
    ({"assert_redis_settings": "true"}, ["setting=assert_redis_settings"]),
    ({"require_verified_domain": "true"}, ["setting=require_verified_domain"]),
    ({"redis_url": "redis://h"}, ["config.secret_missing"]),
    ({"redis_url": "redis://h", "roles": "api", "helo_name": "", "workers_relay": "2", "secret": harness.SECRET, "webhook_retry_s": "2"},
     ["setting=workers_relay", "setting=webhook_retry_s"]),
])
def test_config_check_names_settings_that_have_no_effect(run, settings, warned):
    done = run("config", "check", **{"helo_name": "mail.example.com", **settings})
    assert done.returncode == 0 and "usable" in done.stdout, done
    lines = done.stderr.splitlines()
    assert len(lines) == len(warned) and all(words in line for words, line in zip(warned, lines)), lines


@pytest.mark.parametrize("settings, sentence", [
    ({"listen": "8080"}, "address:port is expected"),
    ({"listen": "::1:8080"}, "address:port is expected"),
    ({"listen": "127.0.0.1:0"}, "address:port is expected"),
    ({"listen": "127.0.0.1:65536"}, "address:port is expected"),
    ({"metrics_listen": "9464"}, "POSTERN_METRICS_LISTEN: \"9464\" is wrong: address:port is expected"),
    ({"trusted_proxies": "10.0.0.0/33"}, "addresses and networks, like 10.0.0.0/8"),
    ({"listn": "127.0.0.1:1"}, "did you mean POSTERN_LISTEN?"),
    ({"drain_s": "-1"}, "a time like 30s"),
    ({"data_dir": "/dev/null/x"}, "/dev/null"),
    ({"relay_url": "smtp://:bad:url"}, "POSTERN_RELAY_URL"),
    ({"dns_servers": "nowhere"}, "POSTERN_DNS_SERVERS"),
    ({"redis_url": "redis://h:99999"}, "port"),
    ({"roles": "api"}, "no other process could use the embedded Redis"),
    ({"tls_cert": "absent.pem", "tls_key": "absent.pem"}, "absent.pem"),
    ({"dkim_key": "absent.pem", "dkim_domain": "shop.example", "dkim_selector": "s1"}, "absent.pem"),
])
@pytest.mark.parametrize("words", [["config", "check"], ["serve"]])
def test_a_bad_setting_stops_the_start_with_an_error_text(run, words, settings, sentence):
    done = run(*words, **settings)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_an_error_in_the_file_names_its_line(run, tmp_path):
    (tmp_path / "postern.yaml").write_text("listen: 127.0.0.1:1\n# comment\nlisten_addr: x\n")
    done = run("config", "check")
    assert done.returncode == 1
    assert "postern.yaml:3: listen_addr: unknown key; did you mean listen?" in done.stderr
    (tmp_path / "other.yaml").write_text("drain_s: soon\n")
    done = run("config", "check", "--config", "other.yaml")
    assert "other.yaml:1: drain_s: \"soon\" is refused" in done.stderr


def test_config_show_masks_secrets_and_names_the_source_of_each_value(run, tmp_path):
    (tmp_path / "postern.yaml").write_text("drain_s: 5m\n")
    done = run("config", "show", root_key=CANARY, relay_url=f"smtp://u:{CANARY}@h", listen="[::1]:1")
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert 'root_key: "********" # POSTERN_ROOT_KEY' in done.stdout
    assert "drain_s: 5m # postern.yaml:1" in done.stdout
    assert 'listen: "[::1]:1" # POSTERN_LISTEN' in done.stdout


def test_key_create_without_a_store_explains_how_to_get_one(run):
    done = run("key", "create")
    assert done.returncode == 1
    assert "POSTERN_REDIS_URL" in done.stderr and done.stdout == ""


def test_keys_and_projects_on_a_redis_of_ones_own(make_redis, run):
    redis = make_redis()
    done = run("project", "create", "shop", redis_url=redis.url)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"Created the project shop \(prj_\w+\)\.\n", done.stdout)
    again = run("project", "create", "shop", redis_url=redis.url)
    assert again.returncode == 1 and "shop" in again.stderr
    live = run("key", "create", "--project", "shop", "--name", "web", redis_url=redis.url)
    test = run("key", "create", "--test", redis_url=redis.url)
    assert re.fullmatch(r"pn_live_\S{40}\n", live.stdout), live.stderr
    assert re.fullmatch(r"pn_test_\S{40}\n", test.stdout), test.stderr
    listed = run("key", "list", "--project", "shop", redis_url=redis.url)
    id, mode, scopes, created, name = listed.stdout.split()
    assert (mode, scopes, name) == ("live", "send,read", "web") and created.endswith("Z") and live.stdout.strip() not in listed.stdout
    revoked = run("key", "revoke", id, redis_url=redis.url)
    assert revoked.returncode == 0 and f"Revoked {id}." in revoked.stdout
    assert run("key", "list", "--project", "shop", redis_url=redis.url).stdout == ""
    missing = run("key", "create", "--project", "absent", redis_url=redis.url)
    assert missing.returncode == 1 and missing.stdout == ""


def test_a_project_without_keys_and_webhooks_can_be_deleted(make_redis, run):
    redis = make_redis()

    def do(*words):
        return run(*words, redis_url=redis.url)

    def names():
        return [line.split("  ")[2] for line in do("project", "list").stdout.splitlines()]
    id = json.loads(do("project", "create", "shop", "--json").stdout)["id"]
    assert names() == ["shop", "default"]
    key = json.loads(do("key", "create", "--project", "shop", "--json").stdout)
    refused = do("project", "delete", "shop")
    assert refused.returncode == 1 and "shop: it still has keys" in refused.stderr
    do("key", "revoke", key["id"])
    hooks = "pn:{g}:hook:" + redis("HGET", "pn:{g}:project_names", "shop").decode()
    redis("HSET", hooks, "whk_1", "{}")
    assert "it still has webhooks" in do("project", "delete", id).stderr
    redis("DEL", hooks)
    deleted = do("project", "delete", "shop")
    assert deleted.returncode == 0 and deleted.stdout == "Deleted the project shop.\n"
    assert names() == ["default"]
    for words in (["project", "delete", "shop"], ["project", "delete", id], ["key", "create", "--project", id]):
        assert "no such project" in do(*words).stderr
    again = json.loads(do("project", "create", "shop", "--json").stdout)
    assert again["id"] != id and names() == ["shop", "default"]
    assert "cannot be deleted" in do("project", "delete", "default").stderr


def test_the_limits_of_a_project_can_be_set_and_reset(make_redis, run):
    redis = make_redis()

    def do(*words):
        return run("project", *words, redis_url=redis.url)

    def limits(name="shop"):
        project = next(p for p in json.loads(do("list", "--json").stdout)["data"] if p["name"] == name)
        return project["queued_messages"], project["stored_bytes"]
    id = json.loads(do("create", "shop", "--json").stdout)["id"]
    assert limits() == (None, None)
    changed = do("set", "shop", "--queued-messages", "200000", "--stored-bytes", "1GB")
    assert changed.returncode == 0 and "queued messages: 200000\n  stored bytes: 1073741824\n" in changed.stdout
    assert limits() == (200_000, 1 << 30) and limits("default") == (None, None)
    again = json.loads(do("set", id, "--queued-messages", "default", "--json").stdout)
    assert (again["queued_messages"], again["stored_bytes"]) == (None, 1 << 30) and limits() == (None, 1 << 30)
    for words, status, said in ((["nobody", "--stored-bytes", "1"], 1, "nobody: no such project"), (["shop"], 2, "a setting is expected"),
                                (["--stored-bytes", "1"], 2, "the name of a project is expected"),
                                (["shop", "--queued-messages", "0"], 2, "--queued-messages: \"0\" is refused: a whole number from 1 to"),
                                (["shop", "--stored-bytes", "much"], 2, "--stored-bytes: \"much\" is refused: a size like")):
        refused = do("set", *words)
        assert refused.returncode == status and said in refused.stderr, refused
    assert limits() == (None, 1 << 30)


def test_the_weight_of_a_project_is_in_all_partitions_for_both_modes(make_redis, run):
    redis = make_redis()

    def do(*words):
        return run("project", *words, redis_url=redis.url, partitions="3")

    def weights():
        return [redis("HGETALL", f"pn:{{p{p}}}:weights") for p in range(3)]
    assert do("create", "shop").returncode == 0 and weights() == [[]] * 3
    changed = do("set", "shop", "--weight", "3")
    assert changed.returncode == 0 and changed.stdout.endswith("  weight: 3\n"), changed
    assert weights() == [[b"2", b"3", b"2t", b"3"]] * 3
    assert [p["weight"] for p in json.loads(do("list", "--json").stdout)["data"]] == [3, None]
    assert do("set", "shop", "--weight", "default").returncode == 0 and weights() == [[]] * 3
    for wrong in ("0", "101", "-1", "1.5", "heavy"):
        refused = do("set", "shop", "--weight", wrong)
        assert refused.returncode == 2 and "--weight:" in refused.stderr and "1 to 100" in refused.stderr, refused
    # One partition cannot store it.
    redis("SET", "pn:{p1}:weights", "of another type")
    stopped = do("set", "shop", "--weight", "7")
    assert stopped.returncode == 1 and "stored in 2 of 3 partitions; set it again to store it in all: " in stopped.stderr, stopped
    redis("DEL", "pn:{p1}:weights")
    assert weights() == [[b"2", b"7", b"2t", b"7"], [], [b"2", b"7", b"2t", b"7"]]
    assert do("set", "shop", "--weight", "7").returncode == 0 and weights() == [[b"2", b"7", b"2t", b"7"]] * 3


def test_json_output_can_be_parsed(make_redis, run):
    redis = make_redis()

    def do(*words):
        done = run(*words, "--json", redis_url=redis.url)
        assert done.returncode == 0 and done.stdout.count("\n") == 1, done
        return json.loads(done.stdout)
    project = do("project", "create", "shop")
    assert sorted(project) == ["created_at", "id", "name", "queued_messages", "stored_bytes", "weight"] and project["created_at"].endswith("Z")
    made = do("key", "create", "--project", "shop", "--name", "web", "--test")
    text = made.pop("key")
    assert re.fullmatch(r"pn_test_\S{40}", text)
    assert do("key", "list", "--project", "shop") == {"data": [made]}
    assert (made["name"], made["mode"], made["scopes"], made["project_id"]) == ("web", "test", ["send", "read"], project["id"])
    assert do("key", "revoke", made["id"]) == {"id": made["id"], "revoked": True}
    assert do("project", "list")["data"][0] == project
    assert do("project", "delete", "shop") == {"name": "shop", "deleted": True}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_key_that_could_not_be_printed_is_revoked_again(make_redis, run, options):
    redis = make_redis()
    with open("/dev/full", "w", encoding="ascii") as full:
        done = run("key", "create", *options, redis_url=redis.url, stdout=full)
    assert done.returncode == 1 and "No space left" in done.stderr and "the new key was revoked" in done.stderr
    assert run("key", "list", redis_url=redis.url).stdout == ""


def test_a_revoked_key_is_refused_within_a_second(make_postern):
    server = make_postern()
    key = server.create_key("soon gone", test=True)
    assert server.request("GET", "/v1/test/inbox?to=a@b.example", key=key).status == 200
    server.cli("key", "revoke", server.key_id(key))
    time.sleep(1.1)
    assert server.request("GET", "/v1/test/inbox?to=a@b.example", key=key).status == 401
    gone = server.cli("key", "revoke", "key_" + "0" * 26, check=False)
    assert gone.returncode == 1


# ---- postern dev ----

class Dev:
    def __init__(self, directory, **settings):
        self.port = harness.free_port()
        self.directory = directory
        env = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
        env.update({"POSTERN_LISTEN": f"127.0.0.1:{self.port}"})
        env.update({"POSTERN_" + k.upper(): v for k, v in settings.items()})
        self.process = subprocess.Popen([harness.binary(), "dev"], cwd=directory, env=env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def banner(self):
        lines = []
        while len([line for line in lines if line.startswith("curl ")]) < 2:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            lines.append(line)
        return lines

    def stop(self, sig=signal.SIGINT):
        if self.process.poll() is None:
            os.killpg(self.process.pid, sig)
        self.process.wait(20)
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert not harness.SANITIZER.search(errors), errors
        return errors


@pytest.fixture
def make_dev(tmp_path):
    devs = []

    def make(**settings):
        devs.append(Dev(tmp_path, **settings))
        return devs[-1]
    yield make
    for dev in devs:
        if dev.process.poll() is None:
            dev.stop()


def test_message_show_prints_states_events_and_attempts(make_postern):
    """Of any project and mode; never the content."""
    server = make_postern({"retry_first_s": "1h", "relay_url": f"smtp://127.0.0.1:{harness.free_port()}"})

    def show(key, status):
        sent = server.send("ada@d0.test", key=key, text="the secret code is 4711").json()
        server.wait_status(sent["id"], status, key=key)
        shown = server.cli("message", "show", sent["id"]).stdout
        assert shown.startswith(f"{sent['id']}  {status}\n") and "4711" not in shown
        assert re.search(r"events\n  1  20\S+  queued  the message\n  2  20\S+  " + status + "  ada@d0.test  ", shown), shown
        return shown
    delivered = show(server.test_key, "delivered")
    assert "  project number 1, test, lane normal\n" in delivered and "  0  sink/d0.test  done\n" in delivered
    assert re.search(r"\n  ada@d0.test  delivered  job 0, attempts 1, 20\S+  250  2.0.0 ", delivered), delivered
    assert re.search(r"attempts\n  job 0  20\S+  \d+ ms  .* steps in ms:.* reply \d", delivered), delivered
    deferred = show(server.live_key, "deferred")
    assert "  content " not in delivered and re.search(r"  content \d+ bytes in Redis", deferred)
    assert ", live, lane" in deferred and re.search(r"  0  d0.test  open, next attempt 20\d\d-", deferred), deferred
    for words in (("message", "show"), ("store", "dump")):
        missing = server.cli(*words, "msg_" + "0" * 26, check=False)
        assert missing.returncode == 1 and "No message has this id." in missing.stderr


def test_store_dump_prints_the_record_and_the_keys_of_a_message(make_postern):
    server = make_postern({"retry_first_s": "1h", "relay_url": f"smtp://127.0.0.1:{harness.free_port()}"})
    id = server.send("ada@d0.test", key=server.live_key, text="the secret code is 4711").json()["id"]
    server.wait_status(id, "deferred", key=server.live_key)
    record, _, lines = server.cli("store", "dump", id).stdout.partition("\n\n")
    assert record.startswith("1 normal live ") and "\ndeferred 0 1 " in record and "4711" not in record + lines
    for key in "mc":
        assert re.search(rf"^key pn:{{p0}}:{key}:{id} string, bytes \d+$", lines, re.M), lines
    assert re.search(r"^job 000 is due at \d{13} ms$", lines, re.M), lines


def test_dev_prints_two_lines_that_work_when_pasted(make_dev, tmp_path):
    dev = make_dev()
    lines = [line for line in dev.banner() if line.startswith("curl ")]
    sent = subprocess.run(["sh", "-c", lines[0]], capture_output=True, text=True, timeout=20, check=True).stdout
    assert '"msg_' in sent, sent
    read = subprocess.run(["sh", "-c", lines[1]], capture_output=True, text=True, timeout=20, check=True).stdout
    assert "It works." in read or "Hello" in read, read
    assert (tmp_path / "postern-data" / "dev-key").stat().st_mode & 0o777 == 0o600
    start = time.monotonic()
    assert dev.stop() == ""  # Ctrl-C to the whole group: quiet, and quick
    assert dev.process.returncode == 0
    assert time.monotonic() - start < 5


def test_dev_keeps_its_key_even_if_the_store_was_wiped(make_dev, tmp_path):
    def key_of(dev):
        return re.search(r"pn_test_\w{40}", "".join(dev.banner())).group()
    first = make_dev()
    key = key_of(first)
    first.stop()
    shutil.rmtree(tmp_path / "postern-data" / "redis")
    (tmp_path / "postern-data" / "instance").unlink()
    second = make_dev()
    assert key_of(second) == key
    assert re.search(r"pn_test_\w{40}", (tmp_path / "postern-data" / "dev-key").read_text()).group() == key


def test_dev_uses_a_redis_that_it_is_given(make_redis, make_dev, tmp_path):
    redis = make_redis()
    dev = make_dev(redis_url=redis.url)
    dev.banner()
    assert not (tmp_path / "postern-data" / "redis.sock").exists()
    assert int(redis.info("clients")["connected_clients"]) > 1


def test_dev_reports_that_its_port_is_in_use_and_what_to_do(make_dev):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        dev = make_dev(listen=f"127.0.0.1:{port}")
        dev.process.wait(20)
    errors = dev.stop()
    assert dev.process.returncode == 1
    assert f"127.0.0.1:{port} is in use" in errors and f"POSTERN_LISTEN=127.0.0.1:{port + 1}" in errors


def test_dev_ends_with_its_terminal(make_dev):
    dev = make_dev()
    dev.banner()
    os.kill(dev.process.pid, signal.SIGHUP)
    dev.process.wait(20)
    assert dev.process.returncode == 0
