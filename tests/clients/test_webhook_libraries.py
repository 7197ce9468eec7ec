"""The official libraries of Standard Webhooks verify our webhooks, with the code of docs/webhooks.md.

Needs the npm registry, PyPI and the Go module proxy: `make test-clients`."""
import json
import subprocess

import pytest

from support import documentation, go, harness, registry
from support.receiver import Receiver

# Text that changes if the body is parsed and printed again.
SUBJECTS = ["Hello", "Gr\u00fc\u00dfe \u2603 \U0001d11e \ufeff e\u0301", "\"quoted\" \\back\\ /slash/ <a href='x'>&amp;</a> \\u0041 %41"]


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Webhook requests as they arrived: [secret, body, headers] of each."""
    server, receiver = harness.Postern(tmp_path_factory.mktemp("heard"), {"webhook_allow_private": True}), Receiver()
    try:
        server.start().make_keys()
        secret = server.request("POST", "/v1/webhooks", json={"url": receiver.url(), "events": ["message.delivered"]}).json()["secret"]
        for subject in SUBJECTS:
            server.deliver("verify@readme.test", subject=subject, metadata={"subject": subject, "n": "1.0"})
        harness.wait_for(lambda: len(receiver.requests()) == len(SUBJECTS), 20)
    finally:
        receiver.stop()
        server.stop()
    requests = receiver.requests()
    assert {e["data"]["metadata"]["subject"] for e in receiver.events()} == set(SUBJECTS)
    bodies = b"".join(r["body"] for r in requests)
    assert "\u2603 \U0001d11e".encode() in bodies and b'\\"quoted\\"' in bodies and b"\\\\u0041" in bodies
    return [[secret, r["body"].decode(), dict(r["headers"])] for r in requests]


# Prints the subject of each event that the library accepts, and "refused" for the same event with a changed body.
CHECK = {"python": """
import json, sys
for secret, body, headers in json.load(sys.stdin):
    print(receive(secret, body.encode(), headers)["data"]["metadata"]["subject"])
    try:
        receive(secret, body.replace("delivered", "bounced").encode(), headers)
    except Exception as e:
        print("refused")
""", "javascript": """
for (const [secret, body, headers] of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  console.log(receive(secret, body, headers).data.metadata.subject);
  try { receive(secret, body.replace("delivered", "bounced"), headers); } catch (e) { console.log("refused"); }
}
""", "go": """
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

func main() {
	var heard [][]json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&heard); err != nil {
		panic(err)
	}
	for _, h := range heard {
		var secret, body string
		var lines map[string]string
		var event struct{ Data struct{ Metadata map[string]string } }
		json.Unmarshal(h[0], &secret)
		json.Unmarshal(h[1], &body)
		json.Unmarshal(h[2], &lines)
		headers := http.Header{}
		for name, value := range lines {
			headers.Set(name, value)
		}
		if err := receive(secret, []byte(body), headers); err != nil {
			panic(err)
		}
		json.Unmarshal([]byte(body), &event)
		fmt.Println(event.Data.Metadata["subject"])
		if receive(secret, []byte(strings.Replace(body, "delivered", "bounced", 1)), headers) != nil {
			fmt.Println("refused")
		}
	}
}
"""}
GO_MODULE = "github.com/standard-webhooks/standard-webhooks/libraries v0.0.1"
GO_SUM = f"""{GO_MODULE} h1:uOfcYT+3QungH6tIGSVCR/Y3KJmgJiHcojJbMTPDZAI=
{GO_MODULE}/go.mod h1:L1MQhA6x4dn9r007T033lsaZMv9EmBAdXyU/+EF40fo=
"""


def hold(output, heard):
    told = [json.loads(body)["data"]["metadata"]["subject"] for _, body, _ in heard]
    assert output.split("\n") == [line for subject in told for line in (subject, "refused")] + [""]


def run_script(command, language, heard):
    script = documentation.block("webhooks", language) + CHECK[language]
    return subprocess.run([*command, script], input=json.dumps(heard), capture_output=True, encoding="utf-8", check=True).stdout


def test_the_python_library_verifies_a_webhook(heard):
    venv = harness.ROOT / "build" / "venv"
    if not (venv / "bin" / "pip").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", venv], check=True)
    registry.call("PyPI", [venv / "bin" / "pip", "-q", "install", "standardwebhooks==1.0.1"])
    hold(run_script([venv / "bin" / "python", "-X", "utf8", "-c"], "python", heard), heard)


def test_the_node_library_verifies_a_webhook(heard, monkeypatch):
    place = harness.ROOT / "build" / "node"
    place.mkdir(parents=True, exist_ok=True)
    registry.call("the npm registry", ["npm", "install", "--loglevel", "error", "--no-fund", "--no-audit", "--prefix", place, "standardwebhooks@1.1.1"])
    monkeypatch.chdir(place)
    hold(run_script(["node", "-e"], "javascript", heard), heard)


def test_the_go_library_verifies_a_webhook(heard):
    files = {"go.mod": f"module receive\n\ngo 1.21.0\n\nrequire {GO_MODULE}\n", "go.sum": GO_SUM,
             "receive.go": documentation.block("webhooks", "go"), "main.go": CHECK["go"]}
    hold(go.run("receive", files, stdin=json.dumps(heard)), heard)
