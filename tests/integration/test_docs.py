"""Compares the documentation with the product: its commands and examples run as written, and its tables are complete."""
import json
import os
import re
import subprocess

from support import documentation, go, harness

PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "BENCHMARKS.md", "SECURITY.md",
         *sorted(str(p.relative_to(harness.ROOT)) for p in (harness.ROOT / "docs").glob("*.md"))]


def test_the_table_of_settings_is_the_program_s_own():
    shown = re.search(r"<!-- postern config table -->\n(.*?)<!-- end -->", documentation.text("settings"), re.S).group(1)
    table = subprocess.run([harness.binary(), "config", "table"], capture_output=True, text=True, check=True)
    assert shown.strip() == table.stdout.strip()


def test_the_table_of_metrics_is_the_program_s_own(postern):
    shown = re.search(r"<!-- postern metrics -->\n(.*?)<!-- end of metrics -->", documentation.text("metrics"), re.S).group(1)
    text = postern.internal("/metrics").body.decode()
    rows = re.findall(r"(?m)^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$", text)
    assert shown == "| metric | type | |\n|---|---|---|\n" + "".join(f"| `{name}` | {kind} | {words}. |\n" for name, words, kind in rows)


def log_events():
    """The names in all calls of LOG and of the functions that call log_write."""
    call = re.compile(r"\b(?:LOG|LOG_ONCE|log_\w+)\s*\(")
    found = set()
    for folder in ("server", "smtp", "api"):
        for file in (harness.ROOT / folder).rglob("*.c"):
            code = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.S)
            for match in call.finditer(code):
                first = re.split(r"LOG_[SBN]\(|;", code[match.end():match.end() + 200])[0]
                found |= set(re.findall(r'"([a-z]+\.[a-z_]+)"', first))
            found |= set(re.findall(r'\[OUTCOME_\w+\] = "([a-z]+\.[a-z_]+)"', code))  # a table of names
    return found


def test_every_log_event_is_explained_and_no_other():
    section = documentation.text("operating").split("## Log events")[1]
    cells = re.findall(r"(?m)^\| (`[^|]*) \| [a-z, ]+ \| ", section)
    explained = {name for cell in cells for name in re.findall(r"`([a-z._]+)`", cell)}
    events = log_events()
    assert len(events) > 60
    assert explained == events, f"docs/operating.md lacks {events - explained}, and explains {explained - events}, which no code logs"


def test_the_routes_of_each_scope_are_those_of_the_table_of_routes():
    found = {}
    for method, path, scopes in re.findall(r'\{HTTP_(\w+), "([^"]+)", ([A-Z_ |]+|0),', (harness.ROOT / "api/routes.c").read_text()):
        for scope in re.findall(r"SCOPE_(\w+)", scopes):
            found.setdefault(scope.lower(), set()).add(f"{method} {path}")
    shown = {}
    for name, routes in re.findall(r"(?m)^\| (`?[a-z ]+`?) \| (`[A-Z]+ /.*) \|$", documentation.text("SECURITY.md")):
        shown[name.strip("`").split()[0]] = set(re.findall(r"`([A-Z]+ /[^`]*)`", routes))
    assert shown == found


def test_every_test_and_fuzz_target_that_the_limits_name_exists():
    text = documentation.text("limits")
    named = set(re.findall(r"`(?:tests/[\w/]+/)?(test_\w+\.(?:py|c)|fuzz_\w+\.c)`", text)) | set(re.findall(r"`(test_\w+\.py)`: ", text))
    assert len(named) > 12
    assert not {name for name in named if not list((harness.ROOT / "tests").rglob(name))}


def test_the_readme_is_short():
    assert len(documentation.text("README.md").splitlines()) <= 200


def anchor(heading):
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def test_every_link_leads_to_a_page_and_a_heading_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", documentation.text(page)):
            if re.match(r"https?://", target):
                continue
            name, _, heading = target.partition("#")
            file = (harness.ROOT / page).parent / name if name else harness.ROOT / page
            assert file.exists(), f"{page}: {target}"
            if heading:
                assert heading in map(anchor, re.findall(r"(?m)^#+ (.*)$", file.read_text())), f"{page}: {target}"


def shell(postern, script):
    environment = {**os.environ, "POSTERN_URL": postern.url, "POSTERN_KEY": postern.test_key}
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout


def test_the_first_mail_of_the_readme_works_as_written(postern):
    send, inbox, message = [c for c in documentation.commands("README.md") if "curl" in c]
    response = json.loads(shell(postern, send))
    assert response["status"] == "queued" and response["durability"] == "fsync"
    assert "It is on its way." in shell(postern, inbox)
    assert json.loads(shell(postern, message.replace("msg_…", response["id"])))["status"] == "delivered"


def test_the_response_that_the_readme_shows_has_the_fields_of_a_response(postern):
    shown = next(c for c in documentation.commands("README.md") if c.startswith('{"id"'))
    response = postern.send(to=["ada@example.com"]).json()
    assert re.findall(r'"(\w+)":', shown) == list(response)[:-1] + ["recipients", "email", "status"]


def test_the_webhook_of_the_documentation_works_as_written(postern):
    create = next(c for c in documentation.commands("webhooks") if "curl" in c)
    made = json.loads(shell(postern, create))
    assert made["secret"].startswith("whsec_") and made["events"] == ["message.delivered", "message.bounced"]
    assert postern.request("DELETE", f"/v1/webhooks/{made['id']}").status == 204


def test_the_inbox_of_the_documentation_works_as_written(postern):
    postern.deliver("someone@example.com")
    inbox = next(c for c in documentation.commands("test-mode") if "curl" in c)
    assert json.loads(shell(postern, inbox))["data"]


# ---- examples in other languages ----


def run_example(postern, command, status=0):
    environment = {**os.environ, "POSTERN_URL": postern.url, "POSTERN_KEY": postern.test_key if status == 0 else "pn_test_wrong"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == (status != 0), done.stderr
    return done.stdout.strip() if status == 0 else done.stdout + done.stderr


def hold_example(postern, command):
    """It sends a message; with a wrong key it prints status and problem, and fails."""
    assert postern.message(run_example(postern, command))["subject"] == "Hello"
    refused = run_example(postern, command, 401)
    assert "401" in refused and "/problems/unauthorized" in refused


def test_sending_from_python_works_as_written(postern):
    hold_example(postern, ["/usr/bin/python3", "-c", documentation.block("sending", "python")])


def test_sending_from_node_works_as_written(postern, tmp_path):
    (tmp_path / "send.mjs").write_text(documentation.block("sending", "javascript"))
    hold_example(postern, ["node", tmp_path / "send.mjs"])


def test_sending_from_php_works_as_written(postern, tmp_path):
    (tmp_path / "send.php").write_text(documentation.block("sending", "php"))
    hold_example(postern, ["php", tmp_path / "send.php"])


def test_sending_from_go_works_as_written(postern):
    hold_example(postern, [go.build("send", {"main.go": documentation.block("sending", "go")})])
