"""What the README says, held against the product."""
import json
import os
import re
import shutil
import subprocess

import pytest

from support import harness
from support.receiver import Receiver

README = (harness.ROOT / "README.md").read_text()


def test_the_table_of_settings_is_the_program_s_own():
    shown = re.search(r"<!-- postern config table -->\n(.*?)<!-- end -->", README, re.S).group(1)
    table = subprocess.run([harness.binary(), "config", "table"], capture_output=True, text=True, check=True)
    assert shown.strip() == table.stdout.strip()


def test_the_table_of_metrics_is_the_program_s_own(postern):
    shown = re.search(r"<!-- postern metrics -->\n(.*?)<!-- end of metrics -->", README, re.S).group(1)
    text = postern.request("GET", "/metrics", key=None).body.decode()
    rows = re.findall(r"(?m)^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$", text)
    assert shown == "| metric | type | |\n|---|---|---|\n" + "".join(f"| `{name}` | {kind} | {words}. |\n" for name, words, kind in rows)


def test_the_first_mail_works_as_written(postern, tmp_path):
    blocks = re.findall(r"(?:^    .*\n)+", README, re.M)
    commands = [b for b in blocks if "curl" in b and "http://127.0.0.1:8080" in b]
    assert len(commands) == 4
    send, inbox, message, hook = ("\n".join(line[4:] for line in b.splitlines()) for b in commands)
    key = f"KEY={postern.test_key}\n"

    def shell(script):
        script = key + script.replace("http://127.0.0.1:8080", postern.url)
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout

    answer = shell(send)
    assert '"status":"queued"' in answer and '"durability":"fsync"' in answer
    assert "It is on its way." in shell(inbox)
    id = re.search(r'"id":"(msg_\w+)"', answer).group(1)
    assert '"status":"delivered"' in shell(message.replace("msg_…", id))
    made = json.loads(shell(hook))
    assert made["secret"].startswith("whsec_") and made["events"] == ["message.delivered", "message.bounced"]
    assert postern.request("DELETE", f"/v1/webhooks/{made['id']}").status == 204


# ---- the code blocks ----

def block(language, nth=0):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M)[nth]


def test_sending_from_python_works_as_written(postern):
    env = {**os.environ, "POSTERN_URL": postern.url, "KEY": postern.test_key}
    id = subprocess.run(["/usr/bin/python3", "-c", block("python")], env=env, capture_output=True, text=True, check=True).stdout.strip()
    assert postern.message(id)["subject"] == "Hello"


def test_sending_from_node_works_as_written_where_there_is_node(postern, tmp_path):
    if not shutil.which("node"):
        pytest.skip("there is no node here")
    (tmp_path / "send.mjs").write_text(block("javascript"))
    env = {**os.environ, "POSTERN_URL": postern.url, "KEY": postern.test_key}
    id = subprocess.run(["node", tmp_path / "send.mjs"], env=env, capture_output=True, text=True, check=True).stdout.strip()
    assert postern.message(id)["subject"] == "Hello"


@pytest.fixture
def heard(make_postern, stack):
    """A webhook request as it came, and its secret."""
    server, receiver = make_postern({"webhook_allow_private": True}), Receiver()
    stack.add(receiver)
    secret = server.request("POST", "/v1/webhooks", json={"url": receiver.url(), "events": ["message.delivered"]}).json()["secret"]
    server.deliver("verify@readme.test", subject="Gr\u00fc\u00dfe", tags=["t"])
    harness.wait_for(receiver.requests, 20)
    request, = receiver.requests()
    return secret, request["body"].decode(), request["headers"]


CHECK = {"python": """
import json, sys
secret, body, headers = json.load(sys.stdin)
print(receive(secret, body.encode(), headers)["type"])
try:
    receive(secret, body.replace("delivered", "bounced").encode(), headers)
except Exception as e:
    print("refused")
""", "javascript": """
const [secret, body, headers] = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(receive(secret, body, headers).type);
try { receive(secret, body.replace("delivered", "bounced"), headers); } catch (e) { console.log("refused"); }
"""}


def verified(command, language, heard):
    script = block(language, 1) + CHECK[language]
    done = subprocess.run([*command, script], input=json.dumps(heard), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["message.delivered", "refused"]


def test_the_python_library_verifies_a_webhook(heard):
    venv = harness.ROOT / "build" / "venv"
    if not (venv / "bin" / "pip").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "-q", "install", "standardwebhooks==1.0.1"], check=True)
    verified([venv / "bin" / "python", "-c"], "python", heard)


def test_the_node_library_verifies_a_webhook_where_there_is_npm(heard, monkeypatch):
    if not shutil.which("npm"):
        pytest.skip("there is no npm here")
    place = harness.ROOT / "build" / "node"
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", place, "standardwebhooks@1.1.1"], check=True)
    monkeypatch.chdir(place)
    verified(["node", "-e"], "javascript", heard)
