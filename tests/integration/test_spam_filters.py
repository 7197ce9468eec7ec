"""Spam filters give our mail no more points than the same mail of other programs.

SpamAssassin and rspamd of Debian, with their local rules and without network. Each content is sent through
Postern to a server, and also built as Python's email package and nodemailer build it."""
import base64
import email.message
import email.policy
import email.headerregistry
import email.utils
import json
import re
import uuid

import pytest

from support import harness
from support.spam import Rspamd, spamassassin

RECEIVED = (b"Received: from mail.shop.example (mail.shop.example [93.184.216.34]) by mx.example.com (Postfix) with ESMTPS "
            b"id 4ABCDE for <user@example.com>; %s\r\n")
WORDS = "Thank you for your order. We have packed it today and it is on its way to you. "
INVITATION = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Shop//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:1@shop.example
DTSTAMP:20261101T120000Z
DTSTART:20261201T090000Z
DTEND:20261201T100000Z
SUMMARY:Fitting
ORGANIZER:mailto:orders@shop.example
ATTENDEE;RSVP=TRUE:mailto:user@example.com
END:VEVENT
END:VCALENDAR
"""
PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
LINK = "<https://shop.example/unsubscribe/1>"

CONTENTS = {
    "plain text": {},
    "a sender domain with a digit": {"from": "orders@shop24.example"},
    "one euro sign": {"text": "Your total is 10 €.\n"},
    "a short text with umlauts": {"subject": "Grüße", "text": "Schöne Grüße!\n"},
    "text and HTML": {"html": f"<html><body><p>{WORDS * 3}</p></body></html>"},
    "HTML alone": {"text": "", "html": f"<html><body><p>{WORDS * 3}</p></body></html>"},
    "Japanese": {"subject": "ご注文ありがとうございます" * 3, "text": "ご注文ありがとうございます。\n" * 5},
    "emoji": {"subject": "Your order is on its way 🎉🚚"},
    "an attachment": {"attachments": [{"filename": "invoice.pdf", "content_type": "application/pdf", "content": "JVBERi0xLjQKJSVFT0YK"}]},
    "an inline image": {"html": f'<html><body><p>{WORDS * 3}</p><img src="cid:logo" alt="Shop"></body></html>', "attachments": [
        {"filename": "logo.gif", "content_type": "image/gif", "content": PIXEL, "content_id": "logo", "disposition": "inline"}]},
    "an invitation": {"attachments": [
        {"content_type": "text/calendar; method=REQUEST", "content": base64.b64encode(INVITATION.encode()).decode(), "disposition": "alternative"}]},
    "a thread": {"subject": "Re: Your order 1001", "headers": {"In-Reply-To": "<1@mail.example.com>",
                                                               "References": " ".join(f"<{n}{'a' * 60}@mail.example.com>" for n in range(30))}},
    "a long ASCII name": {"from": {"email": "orders@shop.example", "name": "The Most Excellent Shop of Things for House and Garden and More Limited"}},
    "a name with a comma": {"from": {"email": "orders@shop.example", "name": "Shop, Inc."}},
    "a subject with doubled and trailing blanks": {"subject": "Your  order  1001  "},
    "a subject like an encoded word": {"subject": "Did you order 1001=? Yes"},
    "a long subject": {"subject": "Your order number 1001 of last Monday was packed and is on its way to you now, today, at last"},
    "a long word in the subject": {"subject": "See https://shop.example/orders/1001/details/that/are/long/0123456789abcdef0123456789abcdef"},
    "a list header": {"headers": {"List-Unsubscribe": LINK, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}},
    "bcc alone": {"to": [], "bcc": ["spam-bcc@d22.test"]},
}


def content(name):
    """The fields of POST /v1/messages."""
    number = list(CONTENTS).index(name)
    made = {"from": "Shop <orders@shop.example>", "to": [f"spam{number}@d22.test"], "subject": "Your order 1001",
            "text": WORDS * 3 + "\n", **CONTENTS[name]}
    return {field: value for field, value in made.items() if value not in ([], "")}


def sender(made):
    value = made["from"]
    name, address = (value.get("name", ""), value["email"]) if isinstance(value, dict) else email.utils.parseaddr(value)
    return name, address


def attach(mail, part):
    kind, data = part["content_type"].split(";")[0], base64.b64decode(part["content"])
    main, sub = kind.split("/")
    if part.get("disposition") == "alternative":
        mail.add_alternative(data.decode(), subtype=sub, params={"method": "REQUEST"})
    elif part.get("disposition") == "inline":
        mail.get_payload()[1].add_related(data, main, sub, cid=f"<{part['content_id']}>", filename=part["filename"], disposition="inline")
    else:
        mail.add_attachment(data, main, sub, filename=part["filename"])


def by_python(made):
    """As programs write it that use email.message.EmailMessage; 7-bit, because not every server takes 8BITMIME."""
    mail = email.message.EmailMessage(policy=email.policy.SMTP.clone(cte_type="7bit"))
    name, address = sender(made)
    mail["From"] = email.headerregistry.Address(name, addr_spec=address)
    if made.get("to"):
        mail["To"] = ", ".join(made["to"])
    mail["Subject"] = made["subject"].strip()
    mail["Date"] = email.utils.localtime()
    mail["Message-ID"] = email.utils.make_msgid(domain=address.split("@")[1])
    for field, value in made.get("headers", {}).items():
        mail[field] = value
    if "text" in made:
        mail.set_content(made["text"])
    if "html" in made and "text" in made:
        mail.add_alternative(made["html"], subtype="html")
    elif "html" in made:
        mail.set_content(made["html"], subtype="html")
    for part in made.get("attachments", []):
        attach(mail, part)
    return bytes(mail)


def by_nodemailer(made):
    """The same with the Message-ID, boundaries and order of fields of nodemailer."""
    mail = by_python(made)
    head, body = mail.split(b"\r\n\r\n", 1)
    domain = sender(made)[1].split("@")[1].encode()
    head = re.sub(rb"(?i)message-id: .*", b"Message-ID: <%s@%s>" % (str(uuid.uuid4()).encode(), domain), head)
    for number, boundary in enumerate(sorted(set(re.findall(rb"={15}\d+==", head + body)))):
        name = b"--_NmP-%s-Part_%d" % (uuid.uuid4().hex[:16].encode(), number + 1)
        head, body = head.replace(boundary, name), body.replace(boundary, name)
    fields = re.split(rb"\r\n(?![ \t])", head)
    order = [b"content-type", b"from", b"to", b"subject", b"message-id"]
    fields.sort(key=lambda f: order.index(f.split(b":")[0].lower()) if f.split(b":")[0].lower() in order else len(order))
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


def received(mail):
    date = re.search(rb"(?im)^date: (.*?)\r$", mail).group(1)
    return RECEIVED % date + mail


@pytest.fixture(scope="module")
def mails(world, tmp_path_factory):
    """{name: (ours, [others'])}, as the receiving server has them."""
    server = harness.Postern(tmp_path_factory.mktemp("postern"), world.settings).start().make_keys()
    made = {}
    for name in CONTENTS:
        fields = content(name)
        rcpt = (fields.get("to") or fields.get("bcc"))[0]
        server.deliver(fields.pop("to", []), key=server.live_key, **{"text": "", **fields})
        fields = content(name)
        made[name] = (received(world.sink.mail(rcpt)), [received(by_python(fields)), received(by_nodemailer(fields))])
    server.stop()
    return made


def compare(mails, scores):
    """scores: of a list of mails, [(score, rules)]."""
    rows = iter(scores([m for ours, others in mails.values() for m in (ours, *others)]))
    worse = {}
    for name, (_, others) in mails.items():
        ours, *theirs = [next(rows) for _ in range(1 + len(others))]
        if ours[0] > min(score for score, _ in theirs) + 0.001:
            worse[name] = (ours, theirs)
    assert not worse, json.dumps(worse, indent=1)


def test_spamassassin_gives_no_mail_a_higher_score_than_that_of_others(mails, tmp_path):
    compare(mails, lambda list_: spamassassin(list_, tmp_path))


def test_rspamd_gives_no_mail_a_higher_score_than_that_of_others(mails, tmp_path):
    with Rspamd(tmp_path) as rspamd:
        compare(mails, rspamd.scores)
