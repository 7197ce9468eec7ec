"""Compares the accepted messages (injector), the delivered mail (sink) and the states of the API (finals).

The unit is one recipient address; the load makes every address unique, so it names its message.
Injector lines: {"e": "invoke", "token", "rcpts", "text_sha"}, then {"e": "ok", "token", "id",
"message_id"}, {"e": "fail", "token"} (a definite "not accepted") or {"e": "info", "token"} (nobody
knows; retried with the same key until definite). Finals: {"id", "recipients": [{"email", "status",
"possible_duplicate"}]} from GET /v1/messages/{id} after the drain.
"""
import collections
import json

TERMINAL = {"delivered", "bounced", "expired", "canceled", "suppressed", "failed"}
FIGURES = ("lost", "unexpected", "corrupt", "unexplained", "phantom_fail", "state_divergence",
           "idem_violation", "stuck")


def read(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


class Report:
    """Violations by figure, with examples, and the counts that are allowed but reported."""

    def __init__(self):
        self.bad = {name: [] for name in FIGURES}
        self.told = collections.Counter()

    @property
    def is_clean(self):
        return not any(self.bad.values())

    def rows(self):
        return [(name, len(found), 0) for name, found in self.bad.items()] + \
            [(name, n, None) for name, n in sorted(self.told.items())]

    def markdown(self):
        lines = ["| figure | count | allowed |", "|---|---:|---:|"]
        lines += [f"| {name} | {n} | {'' if allowed is None else allowed} |" for name, n, allowed in self.rows()]
        for name, found in self.bad.items():
            lines += [""] * bool(found) + [f"{name}, e.g. {example}" for example in found[:5]]
        return "\n".join(lines)


class Message:
    def __init__(self, invoke):
        self.token = invoke["token"]
        self.rcpts = invoke["rcpts"]
        self.text_sha = invoke["text_sha"]
        self.at_most_once = invoke.get("on_unknown") == "fail"
        self.ids = set()
        self.message_id = None
        self.has_failed = False
        self.had_info = False

    @property
    def is_accepted(self):
        return bool(self.ids)


def read_injector(lines):
    messages = {}
    for line in lines:
        if line["e"] == "invoke":
            messages.setdefault(line["token"], Message(line))
            continue
        m = messages[line["token"]]
        if line["e"] == "ok":
            m.ids.add(line["id"])
            m.message_id = line["message_id"]
        m.has_failed |= line["e"] == "fail"
        m.had_info |= line["e"] == "info"
    return messages


def check(injector, sink, finals):
    r = Report()
    messages = read_injector(injector)
    owner = {rcpt: m for m in messages.values() for rcpt in m.rcpts}
    taken, refused = collections.defaultdict(list), collections.defaultdict(list)
    for row in sink:
        (taken if row["taken"] else refused)[row["rcpt"]].append(row)
    states = {f["id"]: {x["email"]: x for x in f["recipients"]} for f in finals}
    for rcpt, rows in taken.items():
        check_arrivals(r, owner.get(rcpt), rcpt, rows)
    check_bytes(r, messages, taken)
    for m in messages.values():
        check_message(r, m, states)
        if m.is_accepted:
            for rcpt in m.rcpts:
                check_recipient(r, m, rcpt, states, taken[rcpt], refused[rcpt])
    r.told["messages"] = len(messages)
    r.told["recipients"] = len(owner)
    r.told["accepted"] = sum(m.is_accepted for m in messages.values())
    r.told["recovered"] = sum(m.had_info and m.is_accepted for m in messages.values())
    r.told["refused with 503"] = sum(m.has_failed for m in messages.values())
    return r


def check_arrivals(r, m, rcpt, rows):
    for row in rows:
        if m is None or row["x_token"] != m.token or row.get("leak"):
            r.bad["unexpected"].append((rcpt, row["x_token"]))
        elif m.has_failed and not m.is_accepted:
            r.bad["phantom_fail"].append((rcpt, m.token))
        elif row["text_sha"] != m.text_sha or row["bare"] or \
                (m.message_id and row["message_id"] != m.message_id):
            r.bad["corrupt"].append((rcpt, row["txn"]))


def check_bytes(r, messages, taken):
    """All copies of one message that arrive have the same bytes."""
    for m in messages.values():
        hashes = {row["sha"] for rcpt in m.rcpts for row in taken.get(rcpt, ())}
        if len(hashes) > 1:
            r.bad["corrupt"].append((m.token, f"{len(hashes)} versions"))


def check_message(r, m, states):
    if len(m.ids) > 1:
        r.bad["idem_violation"].append((m.token, sorted(m.ids)))
    for id in m.ids:
        if id not in states:
            r.bad["lost"].append((id, "the API does not know it"))
        elif set(states[id]) != set(m.rcpts):
            r.bad["state_divergence"].append((id, "other recipients"))


def check_recipient(r, m, rcpt, states, taken, refused):
    x = states.get(min(m.ids), {}).get(rcpt)
    if x is None:
        return
    state, is_flagged = x["status"], bool(x.get("possible_duplicate"))
    r.told["state " + state] += 1
    r.told["flagged possible_duplicate"] += is_flagged
    if state not in TERMINAL:
        r.bad["stuck"].append((min(m.ids), rcpt, state))
    if not taken and not is_truthful(m, state, refused):
        r.bad["lost"].append((min(m.ids), rcpt, state))
    if taken and state in TERMINAL - {"delivered"} and not is_flagged and not m.at_most_once:
        r.bad["state_divergence"].append((min(m.ids), rcpt, state, "but it arrived"))
    if len(taken) > 1:
        r.told["duplicates"] += len(taken) - 1
        if not is_flagged or m.at_most_once:
            r.bad["unexplained"].append((min(m.ids), rcpt, [row["txn"] for row in taken]))


def is_truthful(m, state, refused):
    """No mail arrived: a bounce must have a refusal, and `failed` is allowed only with on_unknown: fail."""
    if state == "bounced":
        return any(row["code"] >= 500 for row in refused)
    return state == "failed" and m.at_most_once or state not in TERMINAL
