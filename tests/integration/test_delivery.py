"""From the API to a mail server and back: the mail that arrives, and the states that the API shows."""
import base64
import concurrent.futures
import datetime
import email
import email.policy
import hashlib
import os
import random
import subprocess

import dkim
import pytest

from support import harness
from support.words import Words


@pytest.fixture(scope="module")
def server(world, tmp_path_factory):
    s = harness.Postern(tmp_path_factory.mktemp("postern"), {**world.settings, "bounce_domain": "bounce.shop.example"})
    s.start().make_keys()
    yield s
    s.stop()


def state(message, rcpt=None):
    found = [r for r in message["recipients"] if rcpt in (None, r["email"])]
    assert len(found) == 1, message
    return found[0]


def parse(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def text_of(mail):
    return mail.get_body(("plain",)).get_content()


def seconds_until(time, now):
    def read(t):
        return datetime.datetime.fromisoformat(t.replace("Z", "+00:00"))
    return (read(time) - read(now)).total_seconds()


# ---- results ----

def test_a_mail_is_delivered_to_the_mx_of_its_domain(server, world):
    message = server.deliver("ok-one@d0.test", key=server.live_key)
    assert message["status"] == "delivered"
    assert state(message)["last_reply"]["code"] == 250
    row = world.sink.wait_taken("ok-one@d0.test")[0]
    assert row["message_id"] == message["internet_message_id"]
    assert row["helo"] == "postern.test"


@pytest.mark.parametrize("verb, code", [("rcpt550", 550), ("dot5xx", 554)])
def test_a_permanent_refusal_bounces_with_the_reply_of_the_server(server, verb, code):
    message = server.deliver(f"{verb}-x@d1.test", key=server.live_key)
    assert message["status"] == "bounced"
    assert state(message)["last_reply"]["code"] == code
    assert "no" in state(message)["last_reply"]["text"] or "refused" in state(message)["last_reply"]["text"]


@pytest.mark.parametrize("lane, verb, seconds", [
    ("otp", "rcpt450", 60), ("normal", "rcpt450", 300), ("bulk", "dot4xx", 300), ("normal", "421_rcpt", 300),
    ("normal", "close_body", 300)])
def test_a_temporary_refusal_defers_for_the_time_of_its_lane(server, lane, verb, seconds):
    answer = server.send(f"{verb}-{lane}@d2.test", key=server.live_key, lane=lane)
    message = server.wait_status(answer.json()["id"], "deferred", key=server.live_key)
    r = state(message)
    assert r["attempts"] == 1
    delay = seconds_until(r["next_attempt_at"], r["last_event_at"])
    assert seconds <= delay <= 1.2 * seconds + 1


def test_retries_are_spread(server):
    ids = [server.send(f"rcpt450-spread{i}@d3.test", key=server.live_key).json()["id"] for i in range(12)]
    seen = [state(server.wait_status(id, "deferred", key=server.live_key)) for id in ids]
    delays = [seconds_until(r["next_attempt_at"], r["last_event_at"]) for r in seen]
    assert max(delays) - min(delays) > 5


def test_each_recipient_has_its_own_result(server, world):
    to = ["ok-a@d4.test", "rcpt550-b@d4.test", "rcpt450-c@d4.test", "ok-d@d5.test", "dot5xx-e@d6.test", "ok-f@nullmx.test"]
    want = ["delivered", "bounced", "deferred", "delivered", "bounced", "bounced"]
    answer = server.send(to, key=server.live_key)
    message = server.wait_message(answer.json()["id"], lambda m: [r["status"] for r in m["recipients"]] == want,
                                  key=server.live_key)
    assert [r["email"] for r in message["recipients"]] == to
    assert message["status"] == "deferred"
    assert len(world.sink.wait_taken("ok-a@d4.test")) == 1
    assert len(world.sink.wait_taken("ok-d@d5.test")) == 1


def test_recipients_of_one_domain_share_a_transaction(server, world):
    server.deliver(["ok-same1@d7.test", "ok-same2@d7.test"], key=server.live_key)
    one, two = world.sink.taken("ok-same1@d7.test"), world.sink.taken("ok-same2@d7.test")
    assert [r["txn"] for r in one] == [r["txn"] for r in two]


def test_a_null_mx_bounces_without_a_connection(server):
    message = server.deliver("anyone@nullmx.test", key=server.live_key)
    assert message["status"] == "bounced"
    assert state(message)["last_reply"] == {"source": "local", "text": "nullmx.test accepts no mail (null MX)"}


def test_a_domain_that_does_not_exist_bounces(server):
    message = server.deliver("anyone@nowhere.test", key=server.live_key)
    assert message["status"] == "bounced"
    assert state(message)["last_reply"] == {"source": "local", "text": "nowhere.test does not exist in the DNS"}


def test_a_domain_without_mx_is_delivered_to_its_address(server, world):
    assert server.deliver("ok-x@onlya.test", key=server.live_key)["status"] == "delivered"


def test_the_second_mx_is_tried_when_the_first_refuses_connections(server, world):
    assert server.deliver("ok-x@twomx.test", key=server.live_key)["status"] == "delivered"


def test_a_reply_of_many_lines_is_a_reply(server):
    assert server.deliver("multiline5-x@d8.test", key=server.live_key)["status"] == "delivered"


def test_a_malformed_reply_is_not_a_delivery_and_affects_no_other_mail(server):
    odd = server.send("bad1-x@d9.test", key=server.live_key).json()["id"]
    server.wait_status(odd, "deferred", key=server.live_key)
    assert server.deliver("ok-after-bad@d9.test", key=server.live_key)["status"] == "delivered"


def test_a_server_that_hangs_up_after_its_250_has_delivered(server):
    message = server.deliver("close_after250-x@d10.test", key=server.live_key)
    assert message["status"] == "delivered"
    assert "possible_duplicate" not in state(message)


# ---- the window of the dot ----

def test_a_lost_reply_to_the_dot_is_tried_again_and_flagged(make_postern, world):
    server = make_postern({**world.settings, "retry_first_s": 1, "retry_first_otp_s": 1})
    message = server.deliver("firstlost1-again@d11.test", key=server.live_key)
    assert message["status"] == "delivered"
    assert state(message)["possible_duplicate"] is True
    rows = world.sink.taken("firstlost1-again@d11.test")
    assert [r["reply_lost"] for r in rows] == [True, False]
    assert rows[0]["sha"] == rows[1]["sha"]


def test_a_lost_reply_to_the_dot_fails_with_on_unknown_fail(server, world):
    message = server.deliver("close_afterdot-once@d11.test", key=server.live_key, on_unknown="fail")
    assert message["status"] == "failed"
    assert len(world.sink.taken("close_afterdot-once@d11.test")) == 1


def test_a_lost_connection_before_the_dot_is_not_flagged(server, world):
    large = [{"filename": "f", "content": base64.b64encode(os.urandom(4_000_000)).decode()}]
    answer = server.send("close_body-plain@d12.test", key=server.live_key, attachments=large)
    message = server.wait_status(answer.json()["id"], "deferred", key=server.live_key)
    assert "possible_duplicate" not in state(message)
    assert not world.sink.taken("close_body-plain@d12.test")


# ---- deadlines ----

def test_a_mail_not_delivered_by_its_deadline_expires(make_postern, world):
    server = make_postern({**world.settings, "default_deadline_s": 3, "retry_first_s": 1, "retry_first_otp_s": 1, "retry_max_s": 1})
    message = server.deliver("rcpt450-late@d13.test", key=server.live_key)
    assert message["status"] == "expired"
    assert state(message)["attempts"] >= 1


# ---- the mail on the wire ----

def test_bcc_recipients_get_the_mail_and_are_not_named_in_it(server, world):
    message = server.deliver("ok-vis@d14.test", key=server.live_key, cc=["ok-cc@d14.test"],
                             bcc=["ok-hidden.one@d14.test", "ok-hidden.two@d15.test"])
    assert message["status"] == "delivered"
    for rcpt in ("ok-vis@d14.test", "ok-hidden.one@d14.test", "ok-hidden.two@d15.test"):
        data = world.sink.mail(rcpt)
        assert b"hidden." not in data and b"bcc" not in data.lower()
        assert parse(data)["Cc"] == "ok-cc@d14.test"


def test_the_return_path_is_at_the_bounce_domain(server, world):
    server.deliver("ok-path@d16.test", key=server.live_key)
    sender = world.sink.wait_taken("ok-path@d16.test")[0]["from"]
    assert sender.startswith("b+") and sender.endswith("@bounce.shop.example")


def test_without_a_bounce_domain_the_return_path_is_the_author(make_postern, world):
    server = make_postern(world.settings)
    server.deliver("ok-author@d16.test", key=server.live_key)
    assert world.sink.wait_taken("ok-author@d16.test")[0]["from"] == "orders@shop.example"


DOTS = ".\n..\n...\n.hidden\nend.\n.\n\n.\n"
ODD_TEXTS = {
    "dots": DOTS,
    "smuggling": "a\r\n.\r\nMAIL FROM:<x@x.test>\r\nRCPT TO:<y@y.test>\r\nDATA\r\n",
    "bare-cr": "a\r.\rb\r",
    "bare-lf": "a\n.\nb\n",
    "mixed-ends": "a\r\n.\rb\n\r.\n",
    "long-line": "x" * 5000 + "\n" + "y" * 998 + "\n" + "z" * 999 + "\n",
    "utf8": "Grüße – 你好 – \U0001f4e6\n" * 40,
    "long-utf8": "ü" * 3000 + "\n",
    "trailing-blanks": "a  \nb\t\n \n",
    "from-line": "From the start\n>From\n",
    "equals": "=3D = =\n=\n",
    "no-end": "no line end",
    "controls": "bell \x07 escape \x1b[31m\n",
}


@pytest.mark.parametrize("name", sorted(ODD_TEXTS))
def test_odd_text_arrives_as_it_was_given(server, world, name):
    rcpt, text = f"ok-{name}@d17.test", ODD_TEXTS[name]
    assert server.deliver(rcpt, key=server.live_key, text=text)["status"] == "delivered"
    row, = world.sink.wait_taken(rcpt)
    assert row["longest"] <= 998 and not row["bare"]
    arrived = text_of(parse(world.sink.mail(rcpt)))
    assert unix(arrived).rstrip("\n") == unix(text).rstrip("\n")


def unix(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def test_all_parts_of_a_full_mail_arrive(server, world):
    picture, paper = os.urandom(3000), os.urandom(20000)
    message = server.deliver(
        [{"email": "ok-full@d18.test", "name": "Zoë Müller, Jr."}], key=server.live_key,
        subject="Bestellung №7 – danke! " + "lang " * 30, text="Plain\n", html='<p>Rich <img src="cid:logo"></p>',
        reply_to=["help@shop.example"], headers={"X-Campaign": "grün", "List-Id": "<orders.shop.example>"},
        tags=["order"], metadata={"order_id": "1001"},
        attachments=[
            {"filename": "logo.png", "content": base64.b64encode(picture).decode(), "content_type": "image/png",
             "content_id": "logo", "disposition": "inline"},
            {"filename": "Rechnung für Zoë.pdf", "content": base64.b64encode(paper).decode(),
             "content_type": "application/pdf"}])
    assert message["status"] == "delivered"
    mail = parse(world.sink.mail("ok-full@d18.test"))
    assert not mail.defects
    assert mail["To"].addresses[0].display_name == "Zoë Müller, Jr."
    assert mail["Subject"] == ("Bestellung №7 – danke! " + "lang " * 30).strip() or \
        mail["Subject"] == "Bestellung №7 – danke! " + "lang " * 30
    assert mail["X-Campaign"] == "grün"
    assert mail["Reply-To"] == "help@shop.example"
    assert text_of(mail).strip() == "Plain"
    assert "cid:logo" in mail.get_body(("html",)).get_content()
    found = {part.get_filename(): part.get_content() for part in mail.walk() if part.get_filename()}
    assert found == {"logo.png": picture, "Rechnung für Zoë.pdf": paper}


def test_an_attachment_of_five_megabytes_arrives_whole(server, world):
    content = random.Random(5).randbytes(5_000_000)
    message = server.deliver("ok-big@d19.test", key=server.live_key, timeout=60, attachments=[
        {"filename": "big.bin", "content": base64.b64encode(content).decode()}])
    assert message["status"] == "delivered"
    mail = parse(world.sink.mail("ok-big@d19.test"))
    part, = mail.iter_attachments()
    assert hashlib.sha256(part.get_content()).digest() == hashlib.sha256(content).digest()


# ---- DKIM ----

def make_dkim_key(directory, kind):
    path = str(directory / f"{kind}.pem")
    how = ["-algorithm", "ed25519"] if kind == "ed25519" else ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    subprocess.run(["openssl", "genpkey", *how, "-out", path], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True,
                            capture_output=True).stdout
    p = public[-32:] if kind == "ed25519" else public
    return path, f"v=DKIM1; k={kind}; p={base64.b64encode(p).decode()}".encode()


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_an_independent_verifier_accepts_the_signature(make_postern, world, tmp_path, kind):
    path, record = make_dkim_key(tmp_path, kind)
    server = make_postern({**world.settings, "dkim_key": path, "dkim_domain": "shop.example", "dkim_selector": "s1"})
    rcpt = f"ok-{kind}@d20.test"
    text = Words().text(random.Random(1), 3000) + DOTS + "  spaces  at  the end   \n\n\n"
    server.deliver(rcpt, key=server.live_key, subject="Ünterschrift " + "lang " * 30, text=text, html=f"<pre>{text}</pre>")
    data = world.sink.mail(rcpt)
    asked = []

    def dns_txt(name, timeout=5):
        asked.append(name)
        return record
    assert data.count(b"DKIM-Signature:") == 1
    assert dkim.verify(data, dnsfunc=dns_txt)
    assert asked == [b"s1._domainkey.shop.example."]
    assert not dkim.verify(data.replace(b"orders@shop.example", b"orders@evil.example"), dnsfunc=dns_txt)


def test_with_two_keys_both_sign_and_config_check_prints_their_records(make_postern, world, tmp_path):
    ed25519, rsa = (make_dkim_key(tmp_path, kind)[0] for kind in ("ed25519", "rsa"))
    server = make_postern({**world.settings, "dkim_key": f"{ed25519}, {rsa}", "dkim_domain": "shop.example",
                           "dkim_selector": "e1, r1", "retry_first_s": 2, "retry_first_otp_s": 2})
    printed = server.cli("config", "check").stdout.splitlines()
    printed = printed[printed.index("TXT records for DKIM:") + 1:]
    records = {name + ".": value.strip() for name, value in zip(printed[::2], printed[1::2], strict=True)}
    assert list(records) == ["r1._domainkey.shop.example.", "e1._domainkey.shop.example."]
    server.deliver("firstlost1-twokeys@d20.test", key=server.live_key)
    rows = world.sink.taken("firstlost1-twokeys@d20.test")
    assert len(rows) == 2 and rows[0]["sha"] == rows[1]["sha"]
    data = world.sink.mail("firstlost1-twokeys@d20.test")
    fields = [str(f) for f in parse(data).get_all("DKIM-Signature")]
    assert ["a=rsa-sha256" in f for f in fields] == [True, False]
    for index in range(2):
        verifier = dkim.DKIM(data)
        assert verifier.verify(index, dnsfunc=lambda name, timeout=5: records[name.decode()].encode())
        assert not dkim.DKIM(data.replace(b"Subject: ", b"Subject: x")).verify(
            index, dnsfunc=lambda name, timeout=5: records[name.decode()].encode())


def test_mail_from_a_domain_that_the_key_does_not_cover_is_sent_unsigned(make_postern, world, tmp_path):
    path, _ = make_dkim_key(tmp_path, "ed25519")
    server = make_postern({**world.settings, "dkim_key": path, "dkim_domain": "shop.example", "dkim_selector": "s1",
                           "workers_relay": 1})
    for number, sender in enumerate(["a@brand-two.example", "b@notshop.example", "c@news.shop.example"]):
        rcpt = f"ok-from{number}@d20.test"
        server.deliver(rcpt, key=server.live_key, **{"from": sender})
        assert world.sink.mail(rcpt).count(b"DKIM-Signature:") == (1 if sender.endswith(".shop.example") else 0)
    assert "postern_dkim_unsigned_total 2\n" in server.internal("/metrics").body.decode()
    assert server.log().count("dkim.unsigned") == 1


def test_a_second_try_carries_the_same_signature(make_postern, world, tmp_path):
    path, _ = make_dkim_key(tmp_path, "ed25519")
    server = make_postern({**world.settings, "dkim_key": path, "dkim_domain": "shop.example", "dkim_selector": "s1",
                           "retry_first_s": 2, "retry_first_otp_s": 2})
    server.deliver("firstlost1-signed@d20.test", key=server.live_key)
    rows = world.sink.taken("firstlost1-signed@d20.test")
    assert len(rows) == 2 and rows[0]["sha"] == rows[1]["sha"]


# ---- idempotency ----

def test_the_same_key_and_body_give_the_same_message(server, world):
    headers = {"Idempotency-Key": "order-1"}
    first = server.send("ok-idem@d21.test", key=server.live_key, http_headers=headers)
    server.wait_terminal(first.json()["id"], key=server.live_key)
    again = server.send("ok-idem@d21.test", key=server.live_key, http_headers=headers)
    assert again.status == first.status == 202
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Idempotent-Replayed"] is None
    assert len(world.sink.taken("ok-idem@d21.test")) == 1


def test_the_same_key_with_another_body_is_refused(server, world):
    headers = {"Idempotency-Key": "order-2"}
    assert server.send("ok-first@d21.test", key=server.live_key, http_headers=headers).status == 202
    answer = server.send("ok-second@d21.test", key=server.live_key, http_headers=headers)
    assert answer.status == 422
    assert answer.json()["type"] == "/problems/idempotency-mismatch"
    server.deliver("ok-third@d21.test", key=server.live_key)
    assert not world.sink.taken("ok-second@d21.test")


def test_a_key_of_another_project_is_another_key(server):
    server.cli("project", "create", "neighbour")
    neighbour = server.create_key("n", project="neighbour")
    headers = {"Idempotency-Key": "order-3"}
    first = server.send("ok-mine@d21.test", key=server.live_key, http_headers=headers)
    second = server.send("ok-theirs@d21.test", key=neighbour, http_headers=headers)
    assert second.status == 202 and second.json()["id"] != first.json()["id"]


def test_a_refused_request_leaves_its_key_usable(server):
    headers = {"Idempotency-Key": "order-4"}
    assert server.send("not an address", key=server.live_key, http_headers=headers).status == 422
    assert server.send("ok-mended@d21.test", key=server.live_key, http_headers=headers).status == 202


def test_fifty_at_once_with_one_key_are_one_message(server, world):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: server.send("ok-fifty@d22.test", key=server.live_key,
                                                      http_headers={"Idempotency-Key": "fifty"}), range(50)))
    assert {a.status for a in answers} == {202}
    assert len({a.body for a in answers}) == 1
    assert sum(a.headers["Idempotent-Replayed"] == "true" for a in answers) == 49
    server.wait_terminal(answers[0].json()["id"], key=server.live_key)
    assert len(world.sink.taken("ok-fifty@d22.test")) == 1


# ---- test mode ----

def test_mail_of_a_test_key_goes_to_the_inbox_and_to_no_mail_server(server, world):
    message = server.deliver("ok-test@d23.test", key=server.test_key)
    assert message["status"] == "delivered" and message["mode"] == "test"
    answer = server.request("GET", "/v1/test/inbox?to=ok-test@d23.test&wait=10s", key=server.test_key)
    assert answer.status == 200
    mail, = answer.json()["data"]
    assert mail["message_id"] == message["id"]
    assert not world.sink.rows("ok-test@d23.test")


def test_waiting_for_the_inbox_ends_when_the_mail_arrives(server):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.request, "GET", "/v1/test/inbox?to=ok-later@d23.test&wait=20s", key=server.test_key)
        answer = server.send("ok-later@d23.test", key=server.test_key)
        found = waiting.result(30).json()["data"]
    assert [m["message_id"] for m in found] == [answer.json()["id"]]


# ---- secrets ----

def test_no_log_line_has_a_key_a_body_or_a_header_of_the_mail(server):
    text = "canary-of-the-body-5f1c"
    server.deliver("ok-canary@d24.test", key=server.live_key, text=text, headers={"X-Canary": "canary-of-a-header"})
    server.request("GET", "/v1/messages", key="pn_live_canaryofawrongkey0000000000000000000000")
    log = server.log()
    assert "ok-canary" in log or "message." in log
    for secret in (server.live_key, server.test_key, harness.ROOT_KEY, harness.SECRET, text, "canary-of-a-header",
                   "canaryofawrongkey"):
        assert secret not in log


def test_a_hostile_reply_is_one_escaped_log_line(server):
    message = server.deliver("hostile-log@d24.test", key=server.live_key)
    assert message["status"] == "bounced"
    assert not set(server.log_path.read_bytes()) & (set(range(32)) - {10} | {127})
    assert not any(line.get("fake") for line in server.log_lines())
