"""Schemathesis calls every operation of openapi.yaml, with requests that the document allows and others, and finds no failure.

Needs PyPI: `make test-contract`."""
import os
import subprocess

from support import harness, registry

CONFIG = harness.ROOT / "tests" / "contract" / "schemathesis.toml"
VENV = harness.ROOT / "build" / "venv-contract"


def test_the_server_does_what_openapi_says(make_redis, make_postern):
    if not (VENV / "bin" / "pip").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", VENV], check=True)
    registry.call("PyPI", [VENV / "bin" / "pip", "-q", "install", "schemathesis==4.32.5"])
    server = make_postern(redis=make_redis(), keys=False)
    server.cli("project", "create", "contract")
    key = server.create_key("contract", project="contract", test=True)
    env = {**os.environ, "POSTERN_KEY": key, "POSTERN_ROOT_KEY": harness.ROOT_KEY, "PYTHONPATH": f"{CONFIG.parent}:{CONFIG.parent.parent}"}
    command = [VENV / "bin" / "schemathesis", "--no-color", "--config-file", CONFIG, "run", "--url", server.url, harness.ROOT / "openapi" / "openapi.yaml"]
    done = subprocess.run(command, cwd=server.directory, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
