"""Wrong requests, by mistake or on purpose: each has a status, a problem type and a pointer that it must get, and nothing may be
stored."""
import copy
import gzip
import http.client
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

LEAST = {"from": "orders@shop.example", "to": ["ada@bad.example"], "text": "Hi.\n"}
EVERYTHING = {
    "from": {"email": "orders@shop.example", "name": "Shop"},
    "to": ["Ada <ada@bad.example>", {"email": "b@bad.example", "name": "B"}],
    "cc": ["c@bad.example"], "bcc": [{"email": "d@bad.example", "name": "D"}], "reply_to": ["e@bad.example"],
    "subject": "Hi", "text": "t", "html": "h",
    "attachments": [{"filename": "a.txt", "content": "aGk=", "content_type": "text/plain", "content_id": "c1",
                     "disposition": "inline"}],
    "headers": {"X-Shop": "1", "List-Unsubscribe": "<https://shop.example/u>", "References": "<a@b.example>"},
    "tags": ["t"], "metadata": {"k": "v"}, "lane": "otp", "deliver_within": "1h", "on_unknown": "fail",
}
MISSING = "msg_" + "0" * 26


def problem(answer, status, slug):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["code"], body["status"]) == (f"/problems/{slug}", slug.replace("-", "_"), status), body
    return body


def send(server, body, **more):
    return server.request("POST", "/v1/messages", json=body, **more)


def send_raw(server, data, **more):
    return server.request("POST", "/v1/messages", {"Content-Type": "application/json"}, data=data, **more)


def one_error(answer):
    errors = problem(answer, 422, "validation")["errors"]
    assert len(errors) == 1, errors
    return errors[0]


def stores(test):
    test.stores = True
    return test


@pytest.fixture(autouse=True)
def nothing_is_stored(request, postern):
    """The count of accepted messages must not change, except in tests marked with @stores."""
    before = postern.metric("postern_messages_accepted_total")
    yield
    if not hasattr(request.function, "stores"):
        assert postern.metric("postern_messages_accepted_total") == before


# ---- not JSON: 400 ----

NOT_JSON = {
    "empty": b"", "white space": b" \r\n", "cut": b'{"from":"a@b.example"', "one quote": b'"', "not a word": b"nul",
    "a scalar: null": b"null", "a scalar: string": b'"x"', "a scalar: number": b"42", "true": b"true",
    "trailing bytes": json.dumps(LEAST).encode() + b"x", "two documents": json.dumps(LEAST).encode() * 2,
    "BOM": b"\xef\xbb\xbf" + json.dumps(LEAST).encode(), "UTF-16": json.dumps(LEAST).encode("utf-16"),
    "single quotes": b"{'from':'a@b.example'}", "trailing comma": b'{"text":"a",}', "comment": b'{"text":"a"/**/}',
    "NaN": b'{"x":NaN}', "leading zero": b'{"x":01}', "plus": b'{"x":+1}',
    "too large a real": b'{"x":1e999}', "too large an integer": b'{"x":9223372036854775808}',
    "name twice": b'{"to":["a@x.example"],"from":"a@b.example","text":"","to":["b@y.example"]}',
    "name twice, deeper": b'{"from":{"email":"a@b.example","email":"c@d.example"}}',
    "name twice, one escaped": b'{"text":"a","t\\u0065xt":"b"}',
    "NUL escaped": b'{"subject":"a\\u0000b"}', "NUL in a name": b'{"a\\u0000b":1}', "NUL raw": b'{"subject":"a\0b"}',
    "NUL behind": json.dumps(LEAST).encode() + b"\0", "a control": b'{"subject":"a\x01b"}',
    "raw line end": b'{"subject":"a\nb"}',
    "lone continuation": b'{"subject":"a\x80"}', "overlong": b'{"subject":"\xc0\xaf"}',
    "CESU surrogate": b'{"subject":"\xed\xa0\x80"}', "above U+10FFFF": b'{"subject":"\xf4\x90\x80\x80"}',
    "cut sequence": b'{"subject":"\xe2\x82"}', "Latin-1": '{"subject":"ä"}'.encode("latin-1"),
    "lone high surrogate": b'{"subject":"\\ud800"}', "lone low surrogate": b'{"subject":"\\udc00"}',
    "17 levels": b"[" * 17 + b"]" * 17, "2048 levels": b"[" * 2048 + b"]" * 2048, "2049 levels": b"[" * 2049 + b"]" * 2049,
    "a million levels": b"[" * 1_000_000, "a million objects": b'{"a":' * 1_000_000,
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_a_body_that_is_not_json_is_400(postern, name):
    problem(send_raw(postern, NOT_JSON[name]), 400, "invalid-json")


def test_an_error_never_quotes_the_body(postern):
    assert b"canary" not in send_raw(postern, b'{"text": canary-of-a-secret}').body


# ---- errors: 422 ----

def with_attachment(**fields):
    return {"attachments": [{"filename": "a.txt", "content": "aGk=", **fields}]}


# name: (the change of LEAST, or a whole body under None; the pointer of the only error)
ERRORS = {
    "an array": ({None: []}, ""),
    "no from": ({None: {"to": ["a@b.example"], "text": "t"}}, "/from"),
    "no recipient": ({None: {"from": "a@b.example", "text": "t"}}, "/to"),
    "an empty to": ({"to": []}, "/to"),
    "neither text nor html": ({None: {"from": "a@b.example", "to": ["a@b.example"]}}, "/text"),
    "one bad address for to": ({"to": "a"}, "/to"),
    "a number for to": ({"to": 5}, "/to"),
    "a number for a recipient": ({"to": [5]}, "/to/0"),
    "a number for an email": ({"to": [{"email": 5}]}, "/to/0/email"),
    "an empty address": ({"to": [""]}, "/to/0"),
    "no @": ({"to": ["ada@bad.example", "ada"]}, "/to/1"),
    "a group": ({"to": ["Team: a@x.example, b@y.example;"]}, "/to/0"),
    "two in one": ({"to": ["a@x.example, b@y.example"]}, "/to/0"),
    "a quoted local part": ({"to": ['"victim@good.example x"@evil.example']}, "/to/0"),
    "a comment": ({"to": ["user@good.example(x).evil.example"]}, "/to/0"),
    "an address literal": ({"to": ["u@[127.0.0.1]"]}, "/to/0"),
    "a port": ({"to": ["u@x.example:2525"]}, "/to/0"),
    "65 octets of local part": ({"to": ["a" * 65 + "@x.example"]}, "/to/0"),
    "an unknown field of an address": ({"to": [{"email": "a@b.example", "adress": "x"}]}, "/to/0/adress"),
    "text that is null": ({"text": None}, "/text"),
    "text that is empty": ({"text": ""}, "/text"),
    "text and html that are empty": ({"text": "", "html": ""}, "/text"),
    "null in a list": ({"cc": [None]}, "/cc/0"),
    "one-click without List-Unsubscribe": ({"headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}},
                                           "/headers/List-Unsubscribe-Post"),
    "References of 8,001 octets": ({"headers": {"References": "<" + "a" * 98 + "> " * 80 + "b" * 8000}}, "/headers/References"),
    "subject that is an array": ({"subject": ["a"]}, "/subject"),
    "a long subject": ({"subject": "x" * 5001}, "/subject"),
    "headers as an array": ({"headers": [["X-A", "b"]]}, "/headers"),
    "a header that is a number": ({"headers": {"X-A": 1}}, "/headers/X-A"),
    "a header name with a slash and a tilde": ({"headers": {"X/A~B": 1}}, "/headers/X~1A~0B"),
    "tags as a string": ({"tags": "a"}, "/tags"),
    "a tag with a comma": ({"tags": ["a,b"]}, "/tags/0"),
    "a long tag": ({"tags": ["x" * 65]}, "/tags/0"),
    "11 tags": ({"tags": list("abcdefghijk")}, "/tags"),
    "metadata with a number": ({"metadata": {"n": 1}}, "/metadata/n"),
    "metadata in metadata": ({"metadata": {"a": {"b": "c"}}}, "/metadata/a"),
    "21 names of metadata": ({"metadata": {str(i): "" for i in range(21)}}, "/metadata"),
    "much metadata": ({"metadata": {"k": "v" * 4096}}, "/metadata"),
    "a lane in capitals": ({"lane": "OTP"}, "/lane"),
    "deliver_within without a unit": ({"deliver_within": "600"}, "/deliver_within"),
    "deliver_within as a number": ({"deliver_within": 600}, "/deliver_within"),
    "deliver_within of a second": ({"deliver_within": "1s"}, "/deliver_within"),
    "deliver_within of a year": ({"deliver_within": "365d"}, "/deliver_within"),
    "deliver_within that overflows": ({"deliver_within": "9" * 30 + "d"}, "/deliver_within"),
    "deliver_within below zero": ({"deliver_within": "-10m"}, "/deliver_within"),
    "on_unknown": ({"on_unknown": True}, "/on_unknown"),
    "an unknown field": ({"idempotencyKey": "x"}, "/idempotencyKey"),
    "a field of later": ({"send_at": "2030-01-01T00:00:00Z"}, "/send_at"),
    "a template": ({"template": {"id": "tpl_1"}}, "/template"),
    "the empty name": ({"": 1}, "/"),
    "base64 without padding": (with_attachment(content="aGk"), "/attachments/0/content"),
    "base64 of the URL alphabet": (with_attachment(content="-_-_"), "/attachments/0/content"),
    "base64 with a line end": (with_attachment(content="aGkh\r\naGkh"), "/attachments/0/content"),
    "base64 with too much padding": (with_attachment(content="aGk=="), "/attachments/0/content"),
    "base64 with three": (with_attachment(content="a==="), "/attachments/0/content"),
    "base64 with stray bits": (with_attachment(content="aGl="), "/attachments/0/content"),
    "a data URI": (with_attachment(content="data:text/plain;base64,aGk="), "/attachments/0/content"),
    "an empty file name": (with_attachment(filename=""), "/attachments/0/filename"),
    "a file name of 501": (with_attachment(filename="x" * 501), "/attachments/0/filename"),
    "a file name that is a path": (with_attachment(filename="../../"), "/attachments/0/filename"),
    "a file name from right to left": (with_attachment(filename="a\u202efdp.exe"), "/attachments/0/filename"),
    "a content type with half a parameter": (with_attachment(content_type="text/plain; x"), "/attachments/0/content_type"),
    "a content type with a header": (with_attachment(content_type="text/plain; x=\"a\r\nBcc: b@c.test\""), "/attachments/0/content_type"),
    "an alternative that is no text": (with_attachment(content_type="image/png", disposition="alternative"), "/attachments/0/content_type"),
    "no file name": ({"attachments": [{"content": "aGk="}]}, "/attachments/0/filename"),
    "multipart": (with_attachment(content_type="multipart/mixed"), "/attachments/0/content_type"),
    "message/rfc822": (with_attachment(content_type="message/rfc822"), "/attachments/0/content_type"),
    "an empty content type": (with_attachment(content_type=""), "/attachments/0/content_type"),
    "a content id in brackets": (with_attachment(content_id="<a@b>"), "/attachments/0/content_id"),
    "no content": ({"attachments": [{"filename": "a"}]}, "/attachments/0/content"),
    "1,001 recipients": ({"to": [f"r{i}@bad.example" for i in range(1001)]}, "/to"),
    "51 recipients": ({"to": [f"r{i}@bad.example" for i in range(51)]}, "/to"),
    "51 recipients in three lists": ({"to": [f"r{i}@bad.example" for i in range(17)],
                                      "cc": [f"s{i}@bad.example" for i in range(17)],
                                      "bcc": [f"t{i}@bad.example" for i in range(17)]}, "/to"),
}
OURS = ["From", "to", "CC", "Bcc", "Subject", "Date", "Message-ID", "Reply-To", "Sender", "Return-Path", "Received",
        "Resent-From", "DKIM-Signature", "ARC-Seal", "Authentication-Results", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding"]
NO_NAMES = ["", "Foo bar", " Foo", "Foo:", "F\u00f6\u00f6", "x" * 77, "\tFoo"]
ERRORS |= {f"header {n}": ({"headers": {n: "x"}}, f"/headers/{n}") for n in OURS + NO_NAMES}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_422_at_its_pointer(postern, name):
    change, pointer = ERRORS[name]
    error = one_error(send(postern, change[None] if None in change else {**LEAST, **change}))
    assert error["pointer"] == pointer and error["detail"]


def test_a_limit_names_itself_and_the_count(postern):
    error = one_error(send(postern, {**LEAST, "to": [f"r{i}@bad.example" for i in range(51)]}))
    assert "51" in error["detail"] and "50" in error["detail"]


def test_all_errors_come_at_once(postern):
    body = {"form": "a@b.example", "to": ["x", {"name": 1}], "subject": 7, "tags": [None]}
    errors = [(e["pointer"], e["code"]) for e in problem(send(postern, body), 422, "validation")["errors"]]
    assert errors == [("/form", "unknown_field"), ("/to/0", "invalid"), ("/to/1/name", "wrong_type"), ("/to/1/email", "required"),
                      ("/subject", "wrong_type"), ("/tags/0", "wrong_type"), ("/from", "required"), ("/text", "invalid")]


def test_a_misspelled_field_gets_a_suggestion(postern):
    assert "`html`" in one_error(send(postern, {**LEAST, "htlm": "x"}))["detail"]
    assert one_error(send(postern, {**LEAST, "foo": "x"}))["detail"] == "unknown field"


def test_an_unknown_query_parameter_is_refused_and_nothing_is_sent(postern):
    answer = postern.request("POST", "/v1/messages?dry_run=true", json=LEAST)
    assert "`dry_run`" in problem(answer, 400, "bad-request")["detail"]


@pytest.mark.parametrize("body", [{f"k{i}": 1 for i in range(19_000)}, {"to": [5] * 1000, "cc": [5] * 1000}])
def test_many_errors_are_capped(postern, body):
    assert len(problem(send(postern, body), 422, "validation")["errors"]) == 100


@pytest.mark.parametrize("body", [b'{"x":[' + b"{}," * 5_000_000 + b"{}]}", b'{"x":[' + b"1," * 7_000_000 + b"1]}"],
                         ids=["objects", "numbers"])
def test_a_body_with_too_many_values_is_not_parsed(postern, body):
    assert "20000" in problem(send_raw(postern, body), 413, "too-large")["detail"]


def test_a_small_route_takes_64_kb(postern):
    body = {"email": "a@bad.example", "reason": "x" * 70_000}
    problem(postern.request("POST", "/v1/suppressions", json=body, key=postern.create_key("m", scopes="manage", test=True)),
            413, "too-large")


def test_a_name_of_10_mb_is_not_echoed(postern):
    answer = send(postern, {**LEAST, "k" * (10 << 20): 1})
    problem(answer, 422, "validation")
    assert len(answer.body) < 2000


# ---- line ends and other control characters in every string ----

def strings(value, path=()):
    if isinstance(value, str):
        yield path
    elif isinstance(value, (dict, list)):
        for k, v in value.items() if isinstance(value, dict) else enumerate(value):
            yield from strings(v, (*path, k))


def poisoned(path, poison):
    body = copy.deepcopy(EVERYTHING)
    parent = body
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] += poison
    return body


HARMLESS = {("text",), ("html",), ("metadata", "k")}
POISONS = ["\r\nBcc: v@evil.example", "\nX", "\rX", ">\r\nRCPT TO:<v@evil.example>", "\u2028X", "\u2029X", "\u0085X", "\x7f"]
MAY_HAVE_TABS = {("subject",)}  # and the values of headers


@pytest.mark.parametrize("path", [p for p in strings(EVERYTHING) if p not in HARMLESS], ids=lambda p: "/".join(map(str, p)))
def test_a_line_end_is_refused_in_every_field(postern, path):
    has_tabs = path in MAY_HAVE_TABS or path[0] == "headers"
    for poison in POISONS if has_tabs else [*POISONS, "\t"]:
        error = one_error(send(postern, poisoned(path, poison)))
        assert error["pointer"] == "/" + "/".join(map(str, path)), (poison, error)


def test_a_line_end_is_refused_in_header_names(postern):
    for poison in [*POISONS, "\t"]:
        assert one_error(send(postern, {**LEAST, "headers": {"X-A" + poison: "b"}}))["pointer"].startswith("/headers/X-A")


@stores
def test_bodies_and_metadata_may_hold_line_ends(postern):
    for path in HARMLESS:
        for poison in POISONS:
            assert send(postern, poisoned(path, poison)).status == 202


# ---- size, type, framing ----

def test_a_body_over_the_limit_is_413(postern):
    problem(send_raw(postern, b'{"text":"' + b"x" * (16 << 20) + b'"}'), 413, "too-large")


def test_a_mail_over_the_limit_is_422_with_both_numbers(postern):
    error = one_error(send(postern, {**LEAST, "text": "x" * (11 << 20)}))
    numbers = [int(w) for w in error["detail"].split() if w.isdigit()]
    assert error["pointer"] == "" and len(numbers) == 2 and numbers[0] > numbers[1] >= 10_000_000


def test_facts_over_the_limit_are_422(postern):
    name = "\U0001F600" * 80
    error = one_error(send(postern, {**LEAST, "bcc": [{"email": "r@bad.example", "name": name}] * 300}))
    assert error["pointer"] == "" and "65535" in error["detail"]


@pytest.mark.parametrize("headers", [
    {}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "application/json; charset=latin1"}, {"Content-Type": "application/jsonx"},
    {"Content-Type": "multipart/form-data; boundary=x"}], ids=str)
def test_another_content_type_is_415(postern, headers):
    problem(postern.request("POST", "/v1/messages", headers, data=json.dumps(LEAST).encode()), 415, "unsupported-type")


def test_a_compressed_body_is_415(postern):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = postern.request("POST", "/v1/messages", headers, data=gzip.compress(json.dumps(LEAST).encode()))
    problem(answer, 415, "unsupported-type")


# ---- keys and scopes ----

@pytest.mark.parametrize("header", [
    None, "", "Bearer", "Bearer ", "Basic cG46cG4=", "Bearer pn_test_", "Bearer pn_test_" + "0" * 40, "Bearer " + "x" * 5000,
    "pn_test_" + "0" * 40], ids=lambda h: str(h)[:24])
@pytest.mark.parametrize("method,path", [("POST", "/v1/messages"), ("GET", f"/v1/messages/{MISSING}"),
                                         ("GET", "/v1/test/inbox?to=a@b.example")])
def test_a_request_without_a_valid_key_is_401(postern, method, path, header):
    headers = {"Content-Type": "application/json"} | ({} if header is None else {"Authorization": header})
    body = problem(postern.request(method, path, headers, data=b"{}" if method == "POST" else None, key=None),
                   401, "unauthorized")
    assert "0" * 40 not in json.dumps(body)


def test_a_changed_or_revoked_key_gets_the_same_401(postern):
    bodies = []
    for key in (postern.test_key[:-1] + ("a" if postern.test_key[-1] != "a" else "b"), postern.test_key + "x",
                postern.test_key.replace("pn_test_", "pn_live_"), postern.revoked_key, "pn_test_" + "0" * 40):
        body = problem(send(postern, LEAST, key=key), 401, "unauthorized")
        bodies.append({k: v for k, v in body.items() if k != "request_id"})
    assert all(b == bodies[0] for b in bodies)


@pytest.mark.parametrize("scopes,method,path,status", [
    ("send", "GET", f"/v1/messages/{MISSING}", 403), ("send", "GET", "/v1/test/inbox?to=a@b.example", 403),
    ("read", "POST", "/v1/messages", 403), ("manage", "POST", "/v1/messages", 403),
    ("manage", "GET", f"/v1/messages/{MISSING}", 403), ("manage", "GET", "/v1/test/inbox?to=a@b.example", 403),
    ("read", "GET", f"/v1/messages/{MISSING}", 404), ("send", "POST", "/v1/messages", 422)])
def test_a_scope_allows_its_routes_and_no_others(postern, scopes, method, path, status):
    key = postern.create_key(f"only {scopes}", scopes=scopes, test=True)
    answer = postern.request(method, path, json={} if method == "POST" else None, key=key)
    problem(answer, status, {403: "forbidden", 404: "not-found", 422: "validation"}[status])


# ---- paths ----

def test_an_address_with_a_slash_is_suppressed_shown_and_removed(postern):
    key = postern.create_key("suppressions", scopes="read,manage", test=True)
    made = postern.request("POST", "/v1/suppressions", json={"email": "foo/bar@bad.example"}, key=key)
    assert made.status in (200, 201), made
    path = "/v1/suppressions/foo%2Fbar@bad.example"
    assert postern.request("GET", path, key=key).json()["email"] == "foo/bar@bad.example"
    assert postern.request("GET", path + "/", key=key).status == 200
    assert postern.request("DELETE", path, key=key).status == 204
    problem(postern.request("GET", path, key=key), 404, "not-found")


def test_a_target_or_head_that_is_too_long_is_a_problem(postern):
    for length in (8_192, 20_000, 70_000):
        problem(postern.request("GET", "/v1/events?cursor=" + "a" * length), 414, "uri-too-long")
    problem(postern.request("GET", "/v1/events?cursor=" + "a" * 5_000), 400, "bad-request")
    for length in (16_384, 70_000):
        problem(postern.request("GET", "/v1/events", {"X-Long": "a" * length}), 431, "head-too-large")


# ---- other projects ----

@stores
def test_a_message_of_another_project_is_404(postern):
    mine = send(postern, LEAST)
    assert mine.status == 202
    path = mine.headers["Location"]
    assert postern.request("GET", path).status == 200
    theirs = problem(postern.request("GET", path, key=postern.other_key), 404, "not-found")
    none = problem(postern.request("GET", f"/v1/messages/{MISSING}", key=postern.other_key), 404, "not-found")
    assert {**theirs, "request_id": ""} == {**none, "request_id": ""}


@stores
def test_an_idempotency_key_counts_in_one_project_and_one_mode(postern):
    headers = {"Idempotency-Key": "of-one-project"}
    keys = [postern.test_key, postern.other_key, postern.live_key]
    answers = [send(postern, LEAST, headers=headers, key=key) for key in keys]
    assert [a.status for a in answers] == [202] * 3
    assert len({a.json()["id"] for a in answers}) == 3
    other_body = {**LEAST, "text": "other"}
    problem(send(postern, other_body, headers=headers, key=postern.other_key), 422, "idempotency-mismatch")


@stores
def test_an_idempotency_key_is_shared_by_the_keys_of_a_project(postern):
    headers = {"Idempotency-Key": "of-two-keys"}
    first = send(postern, LEAST, headers=headers)
    again = send(postern, LEAST, headers=headers, key=postern.create_key("second", test=True))
    assert again.body == first.body and again.headers["Idempotent-Replayed"] == "true"


def test_the_inbox_shows_mail_of_its_project_to_test_keys_only(postern):
    problem(postern.request("GET", "/v1/test/inbox?to=a@b.example", key=postern.live_key), 403, "forbidden")


@pytest.mark.parametrize("query", [
    "?to=", "?since=yesterday", "?to=ada", "?to=a@b", "?to=a@b.example&limit=0", "?to=a@b.example&limit=101", "?to=a@b.example&limit=-1",
    "?to=a@b.example&limit=1e1", "?to=a@b.example&wait=10", "?to=a@b.example&wait=61s", "?to=a@b.example&wait=-1s",
    "?to=a@b.example&wait=2m", "?to=a@b.example&to=c@d.example", "?to=a%0d%0a@b.example", "?to=a%00@b.example",
    "?to=%ff@b.example", "?to=a+b@c.example"])
def test_a_bad_query_of_the_inbox_is_400(postern, query):
    problem(postern.request("GET", "/v1/test/inbox" + query), 400, "bad-request")


@pytest.mark.parametrize("id", ["msg_", "x", MISSING + "0", MISSING[:-1], "key_" + "0" * 26, "msg_" + "U" * 26, "..%2fx"])
def test_text_that_is_not_an_id_is_404(postern, id):
    problem(postern.request("GET", f"/v1/messages/{id}"), 404, "not-found")


# ---- Idempotency-Key ----

@pytest.mark.parametrize("value", ["", '""', "x" * 256, '"' + "x" * 256 + '"', '"open', '"a"b', '"a";p=1', '"a\\b"', "\u00e4",
                                   "a\tb"], ids=lambda v: v[:12])
def test_a_bad_idempotency_key_is_400(postern, value):
    problem(send(postern, LEAST, headers={"Idempotency-Key": value}), 400, "bad-request")


def test_two_idempotency_keys_are_400(postern):
    connection = http.client.HTTPConnection("127.0.0.1", postern.port, timeout=10)
    body = json.dumps(LEAST).encode()
    connection.putrequest("POST", "/v1/messages")
    for name, value in [("Authorization", f"Bearer {postern.test_key}"), ("Content-Type", "application/json"),
                        ("Content-Length", str(len(body))), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    assert answer.status == 400 and json.loads(answer.read())["type"] == "/problems/bad-request"
    connection.close()


@stores
@pytest.mark.parametrize("value", ["y", "y" * 255, '"' + "y" * 253 + '"', "order 1001", "~!@#$%^&*()"], ids=lambda v: v[:12])
def test_a_good_idempotency_key_is_taken_and_replayed(postern, value):
    first = send(postern, LEAST, headers={"Idempotency-Key": value})
    again = send(postern, LEAST, headers={"Idempotency-Key": value})
    assert (first.status, again.status) == (202, 202)
    assert first.headers["Idempotent-Replayed"] is None and again.headers["Idempotent-Replayed"] == "true"
    assert first.body == again.body


@stores
def test_a_refused_request_leaves_its_key_unused(postern):
    headers = {"Idempotency-Key": "used-after-an-error"}
    problem(send(postern, {**LEAST, "lane": "fast"}, headers=headers), 422, "validation")
    problem(send_raw(postern, b"{"), 400, "invalid-json")
    answer = send(postern, LEAST, headers=headers)
    assert answer.status == 202 and answer.headers["Idempotent-Replayed"] is None


@stores
def test_another_body_with_the_same_key_is_422_and_stores_nothing(postern):
    headers = {"Idempotency-Key": "one-body"}
    first = send(postern, LEAST, headers=headers)
    before = postern.metric("postern_messages_accepted_total")
    problem(send(postern, {**LEAST, "text": "Hi. \n"}, headers=headers), 422, "idempotency-mismatch")
    # The fingerprint is of the raw body: the same JSON in other bytes is another request.
    problem(postern.request("POST", "/v1/messages", {**headers, "Content-Type": "application/json"},
                            data=json.dumps(LEAST, indent=1).encode()), 422, "idempotency-mismatch")
    assert postern.metric("postern_messages_accepted_total") == before
    assert send(postern, LEAST, headers=headers).body == first.body


@stores
def test_fifty_at_once_with_one_key_are_one_message(postern):
    before = postern.metric("postern_messages_accepted_total")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: send(postern, EVERYTHING, headers={"Idempotency-Key": "fifty"}), range(50)))
    assert {a.status for a in answers} == {202}
    assert len({a.body for a in answers}) == 1
    assert sum(a.headers["Idempotent-Replayed"] is None for a in answers) == 1
    assert postern.metric("postern_messages_accepted_total") == before + 1


# ---- unusual but valid requests ----

@stores
def test_equal_recipients_get_one_copy(postern):
    body = {**LEAST, "to": ["A@Bad.Example", "a@bad.example"], "cc": ["A <A@bad.EXAMPLE>"], "bcc": ["a@bad.example"] * 900}
    answer = send(postern, body)
    assert answer.status == 202
    assert [r["email"] for r in answer.json()["recipients"]] == ["A@bad.example", "a@bad.example"]


@stores
@pytest.mark.parametrize("change", [
    {"to": [f"r{i}@bad.example" for i in range(50)]}, {"to": ["ada@ex\u00e4mple.example"]}, {"subject": "\U0001F600" * 5000},
    {"subject": ""}, {"html": ""}, {"text": "", "html": "<p>h</p>"}, {"headers": {}}, {"subject": None, "html": None, "cc": None},
    {"to": "a@bad.example", "cc": {"email": "c@bad.example"}, "reply_to": "r@bad.example"}, {"to": ["x==?y@bad.example"]},
    {"subject": "a\tb", "headers": {"X-A": "a\tb"}}, {"metadata": {"k": "v", "none": None}},
    {"headers": {"References": " ".join(["<" + "a" * 60 + "@outlook.example>"] * 100)}}, {"tags": []}, {"metadata": {}}, {"attachments": []}, {"cc": []},
    with_attachment(content_type="text/csv; charset=utf-8"),
    with_attachment(content=""), with_attachment(content_type="text/calendar; method=REQUEST; charset=UTF-8"),
    with_attachment(content_type='application/pdf; name="x.pdf"'), with_attachment(filename="\u00e4.pdf"), with_attachment(filename='a"b;c.pdf'),
    with_attachment(filename="../../etc/passwd"), with_attachment(filename="x" * 500), {"text": "x" * 100_000},
    {"text": "a\rb\nc\r\nd\r\r\n.\r\n..\r\n\u2028\u0001"}, {"metadata": {"k": "v" * 4095}}, {"deliver_within": "5d"},
    {"to": [f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.ee"]}], ids=lambda c: str(c)[:40])
def test_an_unusual_but_valid_request_is_accepted(postern, change):
    answer = send(postern, {**LEAST, **change})
    assert answer.status == 202, answer
    shown = postern.request("GET", answer.headers["Location"])
    assert shown.status == 200
    assert [r["email"] for r in shown.json()["recipients"]] == [r["email"] for r in answer.json()["recipients"]]


@stores
def test_the_api_logs_the_acceptance_and_no_content_of_the_mail(postern):
    body = {**EVERYTHING, "subject": "canary-subject", "text": "canary-text", "metadata": {"k": "canary-metadata"},
            "to": ["Canary Name <canary-address@bad.example>"]}
    answer = send(postern, body, headers={"X-Request-Id": "logged-once", "Idempotency-Key": "canary-key"})
    assert answer.status == 202
    lines = [line for line in postern.log_lines() if line.get("role") == "api"]
    accepted = [line for line in lines if line["fact"] == "message.accepted" and line["request"] == "logged-once"]
    assert len(accepted) == 1
    assert (accepted[0]["message"], accepted[0]["recipients"], accepted[0]["lane"]) == (answer.json()["id"], 3, "otp")
    assert accepted[0]["bytes"] > 0 and accepted[0]["project"].startswith("prj_")
    assert "canary" not in json.dumps(lines).lower()
