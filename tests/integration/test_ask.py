"""Lists of messages, cancel, retry and suppressions, as a backend uses them."""
import time
import urllib.parse

import pytest

from support import harness


@pytest.fixture
def server(make_postern, world):
    return make_postern({**world.settings, "retry_first_s": 3600, "retry_max_s": 3600})


@pytest.fixture
def listed(make_postern):
    """Twelve messages to the sink, of three addresses and two tags, delivered."""
    server = make_postern()
    ids = []
    for i in range(12):
        tags = {"tags": [f"t{i % 2}", "all"]} if i else {}
        ids.append(server.deliver(f"User{i % 3}+x@list.test", **tags)["id"])
    server.ids = ids
    return server


def pages(server, key=None, limit=5, **query):
    """All ids of a list, page by page, and the number of pages."""
    ids, n, path = [], 0, "/v1/messages?" + urllib.parse.urlencode({"limit": limit, **query})
    while path:
        answer = server.request("GET", path, key=key or server.test_key)
        assert answer.status == 200, answer
        body, link = answer.json(), answer.headers["Link"]
        assert len(body["data"]) <= limit
        assert (link is None) == (body["next_cursor"] is None)
        ids += [m["id"] for m in body["data"]]
        path = link and link[1:link.index(">")]
        assert path is None or urllib.parse.quote(body["next_cursor"]) in path
        n += 1
        assert n < 50
    return ids, n


# ---- lists ----

def test_messages_come_newest_first_page_by_page(listed):
    ids, n = pages(listed)
    assert ids == listed.ids[::-1] and n >= 3
    assert pages(listed, limit=100)[0] == ids
    shown = listed.request("GET", "/v1/messages?limit=1").json()["data"][0]
    assert shown == listed.message(ids[0])


def test_filters_return_exactly_the_matching_messages(listed):
    newest = listed.ids[::-1]
    assert pages(listed, to="user1+x@list.test")[0] == [i for i in newest if listed.ids.index(i) % 3 == 1]
    assert pages(listed, to="USER1+X@LIST.TEST", tag="t0")[0] == [i for i in newest if listed.ids.index(i) in (4, 10)]
    assert pages(listed, tag="t0")[0] == [i for i in newest if listed.ids.index(i) % 2 == 0 and i != listed.ids[0]]
    assert pages(listed, tag="all", status="delivered", limit=2)[0] == newest[:-1]
    assert pages(listed, to="nobody@list.test")[0] == []
    assert pages(listed, tag="t")[0] == []
    for status in ("queued", "bounced", "mixed", "held", "scheduled"):
        assert pages(listed, status=status)[0] == []


def test_a_time_window_includes_its_start_and_excludes_its_end(listed):
    times = [listed.message(id)["created_at"] for id in listed.ids]
    assert pages(listed, since=times[3], until=times[8])[0] == [i for i, t in zip(listed.ids[::-1], times[::-1]) if times[3] <= t < times[8]]
    assert pages(listed, until="2020-01-01T00:00:00Z")[0] == []
    assert pages(listed, since="2099-01-01T00:00:00+02:00")[0] == []


@pytest.mark.parametrize("query,word", [
    ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("cursor=", "cursor"), ("cursor=%3Cx%3E", "cursor"), ("cursor=1.2", "cursor"),
    ("cursor=0.0.0", "cursor"), ("cursor=0_", "cursor"), ("cursor=5_0_0", "cursor"), ("cursor=5_0.0", "cursor"), ("cursor=99999999999999999999.0.1", "cursor"), ("status=sent", "status"), ("since=yesterday", "since"),
    ("until=1", "until"), ("to=x", "to"), ("tag=", "tag"), ("statsu=queued", "statsu")])
def test_a_bad_query_is_an_error_and_never_ignored(listed, query, word):
    answer = listed.request("GET", "/v1/messages?" + query)
    assert answer.status == 400 and word in answer.json()["detail"], answer


def test_a_project_sees_its_own_only(postern):
    id = postern.deliver("mine@list.test", tags=["secret-tag"])["id"]
    assert id in pages(postern, to="mine@list.test")[0]
    for query in ({"to": "mine@list.test"}, {"tag": "secret-tag"}, {}):
        assert id not in pages(postern, key=postern.other_key, **query)[0]


def test_a_state_list_has_each_message_once(server, world):
    """A message that is deferred several times, and only in part, still has one entry."""
    id = server.send(["ok-part@d10.test", "rcpt450-part@d10.test"], key=server.live_key).json()["id"]
    server.wait_message(id, lambda m: {r["status"] for r in m["recipients"]} == {"delivered", "deferred"}, server.live_key)
    for n in (2, 3):
        retry(server, id)
        server.wait_message(id, lambda m: max(r["attempts"] for r in m["recipients"]) == n, server.live_key)
    assert pages(server, server.live_key, status="deferred")[0] == [id]
    assert server.request("POST", f"/v1/messages/{id}/cancel", key=server.live_key).json()["status"] == "mixed"
    for status in ("mixed", "canceled", "delivered"):
        assert pages(server, server.live_key, status=status)[0] == [id], status
    assert pages(server, server.live_key, status="deferred")[0] == []


# ---- cancel, retry ----

def retry(server, id):
    """Retries a message by request, after the wait that the server asks for."""
    path = f"/v1/messages/{id}/retry"
    answer = server.request("POST", path, key=server.live_key)
    if answer.status == 409 and "Retry-After" in answer.headers:
        time.sleep(int(answer.headers["Retry-After"]))
        answer = server.request("POST", path, key=server.live_key)
    assert answer.status == 200, answer.body


def test_a_deferred_message_is_canceled_and_stays_canceled(server, world):
    id = server.send("rcpt450-cancel@d11.test", key=server.live_key).json()["id"]
    server.wait_status(id, "deferred", server.live_key)
    answer = server.request("POST", f"/v1/messages/{id}/cancel", key=server.live_key)
    assert answer.status == 200 and answer.json()["recipients"][0]["status"] == "canceled"
    again = server.request("POST", f"/v1/messages/{id}/cancel", key=server.live_key)
    assert again.status == 409 and again.json()["type"] == "/problems/conflict"
    assert server.request("POST", f"/v1/messages/{id}/retry", key=server.live_key).status == 409
    assert not world.sink.taken("rcpt450-cancel@d11.test")


def test_a_message_at_its_dot_is_not_canceled(server, world):
    to = "slow_dot_2500-late@d11.test"
    id = server.send(to, key=server.live_key).json()["id"]
    world.sink.wait_begun(to)
    answer = harness.wait_for(lambda: (a := server.request("POST", f"/v1/messages/{id}/cancel", key=server.live_key)) and a, 10)
    if answer.status == 409:
        assert server.wait_terminal(id, key=server.live_key)["status"] == "delivered"
    else:                                      # before its dot: then it must not arrive
        assert server.wait_terminal(id, key=server.live_key)["status"] == "canceled"
        assert not world.sink.taken(to)


def test_a_second_retry_within_ten_seconds_is_refused_and_changes_nothing(server, world):
    id = server.send("rcpt450-often@d12.test", key=server.live_key).json()["id"]
    server.wait_status(id, "deferred", server.live_key)
    retry(server, id)
    server.wait_message(id, lambda m: m["recipients"][0]["attempts"] == 2, server.live_key)
    events = server.request("GET", f"/v1/messages/{id}/events", key=server.live_key).body
    answer = server.request("POST", f"/v1/messages/{id}/retry", key=server.live_key)
    assert answer.status == 409 and answer.json()["type"] == "/problems/conflict" and "moment ago" in answer.json()["detail"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert server.request("GET", f"/v1/messages/{id}/events", key=server.live_key).body == events


def test_retry_does_not_wait_for_the_next_attempt(server, world):
    id = server.send("first2fail-again@d12.test", key=server.live_key).json()["id"]
    first = server.wait_status(id, "deferred", server.live_key)
    assert first["recipients"][0]["next_attempt_at"]
    for n in (1, 2):
        server.wait_message(id, lambda m: m["recipients"][0]["attempts"] == n, server.live_key)
        retry(server, id)
    assert server.wait_terminal(id, key=server.live_key)["status"] == "delivered"
    assert len(world.sink.taken("first2fail-again@d12.test")) == 1


# ---- suppressions ----

def suppressions(server, key, limit=2):
    found, cursor = [], None
    while True:
        body = server.request("GET", f"/v1/suppressions?limit={limit}" + (f"&cursor={cursor}" if cursor else ""), key=key).json()
        found += body["data"]
        cursor = body["next_cursor"]
        if not cursor:
            return found


def test_a_hard_bounce_of_the_address_suppresses_it_and_nothing_else_does(server, world):
    live = server.live_key
    bounced = server.send("rcpt550-Gone@d13.test", key=live).json()["id"]
    message = server.wait_terminal(bounced, key=live)
    assert message["status"] == "bounced"
    entry, = suppressions(server, live)
    assert entry["email"] == "rcpt550-gone@d13.test" and entry["reason"] == "bounce" and entry["message_id"] == bounced
    again = server.send(["RCPT550-gone@d13.test", "ok-beside@d13.test"], key=live).json()["id"]
    message = server.wait_terminal(again, key=live)
    assert [r["status"] for r in message["recipients"]] == ["suppressed", "delivered"] and message["status"] == "mixed"
    assert "suppression list" in message["recipients"][0]["last_reply"]["text"]
    other = server.send("dot554-policy@d13.test", key=live).json()["id"]
    assert server.wait_terminal(other, key=live)["status"] == "bounced"
    assert len(suppressions(server, live)) == 1
    assert suppressions(server, server.test_key) == []
    assert server.request("DELETE", "/v1/suppressions/rcpt550-gone@d13.test", key=live).status == 204
    third = server.send("rcpt550-Gone@d13.test", key=live).json()["id"]
    assert server.wait_terminal(third, key=live)["status"] == "bounced"


def test_suppressions_are_listed_added_and_removed(server):
    key = server.test_key
    for i in range(5):
        assert server.request("POST", "/v1/suppressions", json={"email": f"S{i}@sup.test"}).status == 201
    assert [s["email"] for s in suppressions(server, key)] == [f"s{i}@sup.test" for i in (4, 3, 2, 1, 0)]
    again = server.request("POST", "/v1/suppressions", json={"email": "s2@SUP.test"})
    assert again.status == 200 and again.json()["reason"] == "manual"
    assert server.request("GET", "/v1/suppressions/s2%40sup.test").json() == again.json()
    id = server.send("s2@sup.test").json()["id"]
    assert server.message(id)["status"] == "suppressed"
    assert server.request("DELETE", "/v1/suppressions/S2@sup.test").status == 204
    assert server.request("DELETE", "/v1/suppressions/s2@sup.test").status == 404
    assert server.deliver("s2@sup.test")["status"] == "delivered"
    assert [s["email"] for s in suppressions(server, key)] == [f"s{i}@sup.test" for i in (4, 3, 1, 0)]


def test_a_full_suppression_list_takes_no_more_by_request_until_one_is_removed(make_postern):
    server = make_postern({"project_suppressions": 2, "partitions": 3})

    def add(name, key=server.test_key):
        return server.request("POST", "/v1/suppressions", json={"email": f"{name}@full.example"}, key=key)
    assert [add(name).status for name in "aba"] == [201, 201, 200]
    refused = add("c")
    assert refused.status == 409 and refused.json()["detail"] == "The suppression list has 2 addresses; it may have at most 2. Remove some first."
    assert add("c", server.create_key("live", scopes="send,read,manage")).status == 201
    assert server.request("DELETE", "/v1/suppressions/a@full.example").status == 204
    assert [add(name).status for name in "cd"] == [201, 409]


@pytest.mark.parametrize("listed,whole", [(["b"], "queued"), (["a", "c"], "queued"), (["a", "b", "c"], "suppressed")], ids=["one", "two", "all"])
def test_a_202_and_its_replay_list_suppressed_recipients(postern, listed, whole):
    name = f"truth{len(listed)}"
    for who in listed:
        assert postern.request("POST", "/v1/suppressions", json={"email": f"{who}@{name}.test"}).status == 201
    to = [f"A@{name}.test", f"b@{name}.test", f"c@{name}.test"]
    headers = {"Idempotency-Key": name}
    first = postern.send(to, http_headers=headers)
    assert first.status == 202 and first.json()["status"] == whole
    states = ["suppressed" if e[0].lower() in listed else "queued" for e in to]
    assert [r["status"] for r in first.json()["recipients"]] == states
    message = postern.wait_terminal(first.json()["id"])
    assert [r["status"] for r in message["recipients"]] == [s.replace("queued", "delivered") for s in states]
    for who in listed:
        assert postern.request("DELETE", f"/v1/suppressions/{who}@{name}.test").status == 204
    for who in {"a", "b", "c"} - set(listed):
        assert postern.request("POST", "/v1/suppressions", json={"email": f"{who}@{name}.test"}).status == 201
    again = postern.send(to, http_headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true" and again.body == first.body


def test_an_address_suppressed_while_its_mail_waits_gets_none(server, world):
    live, to = server.live_key, ["rcpt450-late@d14.test", "first2fail-beside@d14.test"]
    id = server.send(to, key=live).json()["id"]
    server.wait_status(id, "deferred", live)
    assert server.request("POST", "/v1/suppressions", json={"email": "RCPT450-late@d14.test"}, key=live).status == 201
    assert server.message(id, live)["recipients"][0]["status"] == "deferred"
    retry(server, id)
    message = server.wait_message(id, lambda m: m["recipients"][0]["status"] == "suppressed" and m["recipients"][1]["attempts"] == 2, live)
    assert message["recipients"][0]["attempts"] == 1 and message["recipients"][0]["last_reply"]["source"] == "remote"
    retry(server, id)
    assert [r["status"] for r in server.wait_terminal(id, key=live)["recipients"]] == ["suppressed", "delivered"]
    events = server.request("GET", f"/v1/messages/{id}/events", key=live).json()["data"]
    own = [e for e in events if e["data"].get("recipient") == to[0]]
    assert [e["type"] for e in own] == ["message.deferred", "message.suppressed"]
    assert "suppression list" in own[1]["data"]["reply"]["text"] and own[1]["data"]["reply"]["source"] == "local"
    assert pages(server, live, status="suppressed")[0] == [id]


def test_another_projects_suppressions_are_its_own(postern):
    assert postern.request("POST", "/v1/suppressions", json={"email": "shared@sup.test"}).status == 201
    assert postern.request("GET", "/v1/suppressions/shared@sup.test", key=postern.other_key).status == 404
    assert postern.request("DELETE", "/v1/suppressions/shared@sup.test", key=postern.other_key).status == 404
    assert postern.deliver("shared@sup.test", key=postern.other_key)["status"] == "delivered"
    assert postern.message(postern.send("shared@sup.test").json()["id"])["status"] == "suppressed"
