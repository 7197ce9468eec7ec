"""Runs Go programs, all that Go keeps in build/go."""
import json
import os
import re
import subprocess
from pathlib import Path

from support import harness, registry

# Debian 12 has 1.19, which modules of the tests do not build with: Go's own module proxy has newer ones.
NEEDED, TOOLCHAIN = (1, 25), "golang.org/toolchain@v0.0.1-go1.25.5.linux-"
PROXY = "the Go module proxy (GOPROXY)"
PLACE = harness.ROOT / "build" / "go"
ENV = {"GOPATH": PLACE, "GOCACHE": PLACE / "cache", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}


def call(*words, go="go", **more):
    env = {**os.environ, **ENV, **more.pop("env", {})}
    done = subprocess.run([go, *words], env=env, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def toolchain():
    """A Go that is new enough, and the environment that it needs."""
    version = re.match(r"go(\d+)\.(\d+)", call("env", "GOVERSION"))
    if version and tuple(map(int, version.groups())) >= NEEDED:
        return {"go": "go"}
    wanted = TOOLCHAIN + call("env", "GOHOSTARCH").strip()
    root = Path(json.loads(registry.call(PROXY, ["go", "mod", "download", "-json", wanted], env={**os.environ, **ENV}))["Dir"])
    for program in [*(root / "bin").iterdir(), *(root / "pkg" / "tool").glob("*/*")]:
        program.chmod(0o755)        # a module's files are not executable
    return {"go": root / "bin" / "go", "env": {"GOROOT": root}}


def write(name, files):
    """Writes the files of a module to build/go/<name>."""
    folder = PLACE / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    return folder


def build(name, files):
    """Builds a program that needs only the standard library, with the Go that is installed. Returns its path."""
    folder = write(name, {"go.mod": f"module {name}\n\ngo 1.19\n", **files})
    call("build", "-o", name, ".", cwd=folder)
    return folder / name


def run(name, files, stdin=""):
    """The output of a program that needs modules of the Go module proxy, and perhaps a newer Go."""
    chain, folder = toolchain(), write(name, files)
    registry.call(PROXY, [chain["go"], "mod", "download"], cwd=folder, env={**os.environ, **ENV, **chain.get("env", {})})
    return call("run", ".", cwd=folder, input=stdin, **chain)
