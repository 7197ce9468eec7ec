"""The projects of the installation with their keys and webhooks, beside the messages of a partition: each reply is held against a model."""
import json

from snapshot import need

ROOT = "pn:{g}:"
NAMES = ("shop", "bank", "club")


class Project:
    def __init__(self, number, project_id, name):
        self.number, self.id, self.name = number, project_id, name
        self.keys, self.webhooks = set(), set()


class Installation:
    def __init__(self, client, scripts, rnd):
        self.client, self.scripts, self.rnd = client, scripts, rnd
        self.projects, self.n_numbers, self.n_ids = {}, 0, 0    # name -> Project; the default project is never deleted
        self.make("default")

    def call(self, name, *args):
        return self.scripts.on(ROOT, name, *args)

    def new_id(self, kind):
        self.n_ids += 1
        return f"{kind}_{self.n_ids}"

    def step(self):
        name = self.rnd.choice(("default",) + NAMES)
        project = self.projects.get(name)
        if not project:
            return self.make(name)
        self.rnd.choice((self.make_key, self.revoke_key, self.revoke_key, self.put_webhook, self.delete_webhook, self.delete_webhook, self.delete, self.delete))(project)
        return self.check()

    def make(self, name):
        self.n_numbers += 1
        project = self.projects[name] = Project(str(self.n_numbers), self.new_id("prj"), name)
        need(json.loads(self.call("project_make", project.id, name))["id"] == project.id, "project_make", name)
        need(self.call("project_make", self.new_id("prj"), name) == "", "project_make took a name twice", name)

    def make_key(self, project):
        key = self.new_id("key")
        made = json.loads(self.call("key_make", self.rnd.choice((project.name, project.id)), key, f"hash {key}", "n", "live", 1, 100))
        need(made["project"] == project.number and made["project_id"] == project.id, "key_make", made)
        project.keys.add(key)

    def revoke_key(self, project):
        if project.keys:
            need(self.call("key_revoke", project.keys.pop(), "", "") == 1, "key_revoke")

    def put_webhook(self, project):
        webhook = self.rnd.choice((project.number, project.number + "t")), self.new_id("whk")
        need(self.call("endpoint_put", *webhook, "", "{}", 100) == 1, "endpoint_put")
        project.webhooks.add(webhook)

    def delete_webhook(self, project):
        if project.webhooks:
            need(self.call("endpoint_delete", *project.webhooks.pop()) == 1, "endpoint_delete")

    def delete(self, project):
        """Its mail stays, and its number: sweep needs it."""
        answer = self.call("project_delete", self.rnd.choice((project.name, project.id)))
        if project.name == "default" or project.keys or project.webhooks:
            need(isinstance(answer, str), "project_delete answered", answer)
            return
        need(answer == 1, "project_delete answered", answer)
        del self.projects[project.name]
        for tenant in (project.number, project.number + "t"):
            need(self.call("endpoint_put", tenant, self.new_id("whk"), "", "{}", 100) == -2, "a deleted project has a new webhook", tenant)
        for name in (project.name, project.id):
            need(self.call("project_delete", name) == 0 and self.call("key_make", name, self.new_id("key"), "hash", "n", "live", 1, 100) == "", "a deleted project is known", name)

    def check(self):
        listed = {p["id"]: p for p in map(json.loads, self.call("project_list"))}
        need(len(listed) == self.n_numbers, "projects in the list", listed, self.n_numbers)
        alive = {p["id"] for p in listed.values() if "deleted" not in p}
        need(alive == {p.id for p in self.projects.values()}, "projects that are not deleted", alive)
        for p in self.projects.values():
            need([self.client("HGET", ROOT + "project_names", n) for n in (p.name, p.id)] == [p.number] * 2, "number of", p.name)
