"""Containers, by podman or docker, and the services of compose files, by `compose` or without it.

Where the engine has no `compose`, Services does what compose would with the keys that our files use;
a key that it does not know is an error, so that what is tested is what stands there.
"""
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import yaml

from support.harness import wait_for

SIMPLE = {"build"}  # the image is there already
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class Failed(Exception):
    pass


class Engine:
    def __init__(self, command):
        self.command = command
        self.is_podman = "podman" in os.path.basename(command)

    def __call__(self, *words, check=True, timeout=120, env=None):
        done = subprocess.run([self.command, *words], capture_output=True, text=True, timeout=timeout, check=False,
                              env=dict(os.environ, **(env or {})))
        if check and done.returncode != 0:
            raise Failed(f"{self.command} {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def has_compose(self):
        return self("compose", "version", check=False).returncode == 0

    def inspect(self, container):
        return json.loads(self("inspect", container).stdout)[0]

    def is_running(self, container):
        return self.inspect(container)["State"]["Running"]

    def is_healthy(self, container):
        """Runs the container's health check. (With podman systemd would run it.)"""
        test = self.inspect(container)["Config"]["Healthcheck"]["Test"]
        words = ["sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]
        return self("exec", container, *words, check=False).returncode == 0

    def wait_healthy(self, container, timeout=60):
        wait_for(lambda: self.is_healthy(container), timeout, 0.2, f"{container} is healthy")

    def kill(self, container):
        self("kill", "-s", "KILL", container)

    def start(self, container):
        """Also where the restart policy may have been quicker, or is at it."""
        def is_started():
            return self("start", container, check=False).returncode == 0 and self.is_running(container)
        wait_for(is_started, 30, 0.1, f"{container} runs")

    def stop(self, container):
        """SIGTERM, with the container's own grace period; returns the exit status."""
        self("stop", container, timeout=300)
        return self.inspect(container)["State"]["ExitCode"]

    def logs(self, container):
        done = self("logs", container, check=False)
        return done.stdout + done.stderr


class Services:
    """The services of some compose files: the later add to the earlier."""

    def __init__(self, engine, project, files, env):
        self.engine = engine
        self.project = project
        self.files = [Path(f).resolve() for f in files]
        self.env = env
        self.has_compose = engine.has_compose()
        self.spec = self.read()

    def read(self):
        spec = {}
        for file in self.files:
            merge(spec, interpolate(yaml.safe_load(file.read_text()), {**os.environ, **self.env}))
        return spec

    def compose(self, *words):
        files = [w for f in self.files for w in ("-f", str(f))]
        return self.engine("compose", "-p", self.project, *files, *words, env=self.env, timeout=600)

    def container(self, service):
        if self.has_compose:
            return self.compose("ps", "-aq", service).stdout.strip()
        return f"{self.project}-{service}-1"

    def up(self, services=None):
        """Starts these services, by default all, and waits until they are healthy."""
        wanted = services or list(self.spec["services"])
        if self.has_compose:
            self.compose("up", "-d", "--no-build", *wanted)
            for service in wanted:
                self.wait(service)
            return
        self.make_network()
        for service in self.in_order():
            if service not in wanted:
                continue
            name = self.container(service)
            if self.engine("inspect", name, check=False).returncode == 0:
                self.engine.start(name)
            else:
                self.engine("run", "-d", *self.run_words(service))
            self.wait(service)

    def wait(self, service):
        if "healthcheck" in self.spec["services"][service]:
            self.engine.wait_healthy(self.container(service))

    def in_order(self):
        """Those that others depend on first."""
        order = []

        def add(service):
            for other in self.spec["services"][service].get("depends_on", {}):
                add(other)
            if service not in order:
                order.append(service)
        for service in self.spec["services"]:
            add(service)
        return order

    def make_network(self):
        if self.engine("network", "inspect", self.project, check=False).returncode != 0:
            subnets = [c["subnet"] for c in self.network().get("ipam", {}).get("config", [])]
            self.engine("network", "create", *(f"--subnet={s}" for s in subnets), self.project)

    def network(self):
        networks = self.spec.get("networks", {})
        assert set(networks) <= {"default"}, networks
        return networks.get("default", {})

    def down(self, volumes=False):
        """Removes containers and network; the volumes stay by default."""
        if self.has_compose:
            self.compose("down", *(["-v"] if volumes else []))
            return
        for service in reversed(self.in_order()):
            name = self.container(service)
            if self.engine("inspect", name, check=False).returncode == 0:
                self.engine.stop(name)
                self.engine("rm", "-f", name)
        self.engine("network", "rm", self.project, check=False)
        for volume in self.spec["volumes"] if volumes else ():
            self.engine("volume", "rm", f"{self.project}_{volume}", check=False)

    # -- options of a service --

    def run_words(self, service):
        spec = self.spec["services"][service]
        words = ["--name", self.container(service), "--network", self.project, "--network-alias", service, *self.dns()]
        for key, value in spec.items():
            if key in ("image", "entrypoint", "command", "depends_on") or key in SIMPLE:
                continue
            words += getattr(self, "on_" + key)(value)
        entrypoint = spec.get("entrypoint", [])
        words += ["--entrypoint", entrypoint[0]] if entrypoint else []
        return [*words, spec["image"], *entrypoint[1:], *spec.get("command", [])]

    def dns(self):
        """Older podmans put the host's name servers beside the network's own, and they do not know our names."""
        if not self.engine.is_podman:
            return []
        network = json.loads(self.engine("network", "inspect", self.project).stdout)[0]
        return [f"--dns={network['subnets'][0]['gateway']}"]

    def on_environment(self, value):
        """A name without a value is passed on where it is set."""
        given = {k: self.env.get(k, os.environ.get(k)) if v is None else v for k, v in value.items()}
        return [w for k, v in given.items() if v is not None for w in ("-e", f"{k}={v}")]

    def on_ports(self, value):
        return [w for port in value for w in ("-p", port)]

    def on_networks(self, value):
        return [f"--ip={value['default']['ipv4_address']}"]

    def on_volumes(self, value):
        return [w for volume in value for w in ("-v", self.volume(volume))]

    def volume(self, text):
        source, rest = text.split(":", 1)
        if source in self.spec["volumes"]:
            return f"{self.project}_{source}:{rest}"
        return f"{(self.files[0].parent / source).resolve()}:{rest}"

    def on_read_only(self, value):
        return (["--read-only"] + ["--read-only-tmpfs=false"] * self.engine.is_podman) if value else []

    def on_cap_drop(self, value):
        return [f"--cap-drop={name}" for name in value]

    def on_security_opt(self, value):
        return [f"--security-opt={option.removesuffix(':true')}" for option in value]

    def on_restart(self, value):
        return [f"--restart={value}"]

    def on_stop_grace_period(self, value):
        return [f"--stop-timeout={value.removesuffix('s')}"]

    def on_working_dir(self, value):
        return [f"--workdir={value}"]

    def on_healthcheck(self, value):
        assert value["test"][0] == "CMD", value
        names = {"interval": "interval", "timeout": "timeout", "retries": "retries", "start_period": "start-period"}
        return ["--health-cmd", shlex.join(value["test"][1:])] + [
            f"--health-{names[key]}={v}" for key, v in value.items() if key != "test"]


def interpolate(tree, env):
    """${NAME}, ${NAME:-else} and ${NAME:?else it is an error}, as compose does."""
    if isinstance(tree, dict):
        return {k: interpolate(v, env) for k, v in tree.items()}
    if isinstance(tree, list):
        return [interpolate(v, env) for v in tree]
    if not isinstance(tree, str):
        return tree

    def value_of(m):
        if env.get(m[1]) or not m[2]:
            return env.get(m[1], "")
        if m[2] == "?":
            raise Failed(f"{m[1]}: {m[3]}")
        return m[3]
    return VARIABLE.sub(value_of, tree)


def merge(into, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
