"""Mail from Postern, read by independent code: Python's email package and dkimpy."""

import email
import email.header
import email.policy
import email.utils
import json
import pathlib
import random
import re
import subprocess

import dkim
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "mail_dump"
PACKAGES = ["libcrypto", "libidn2", "jansson"]
DOMAIN, SELECTOR = "shop.example", "s1"
KEYS = {"rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ed25519": ["-algorithm", "ed25519"]}

ALPHABETS = [
    "abc DEFGHI xyz 0123456789",
    "The quick brown fox, jumps: over; the \"lazy\" dog. \\ (really) <yes> @ [x] =?utf-8?Q?no?= %41",
    "Größe Füße Straße naïve Bestätigung für Ihre Bestellung äöüß",
    "Здравствуйте Ваш заказ подтверждён и отправлен",
    "ご注文ありがとうございます確認",
    "😀🎉👩\u200d👩\u200d👧 e\u0301\u0308 ́\u00a0\u00ad\ufeff\U0010fffd",
    "שלום עולם مرحبا بالعالم",
    "=_?.!#$%&'*+-/^`{|}~",
]


def words(rng, longest, alphabet=None):
    """One line of text: any alphabet, sometimes with odd spaces, sometimes without any."""
    letters = alphabet or rng.choice(ALPHABETS)
    text = "".join(rng.choice(letters) for _ in range(rng.randint(1, longest)))
    if rng.random() < 0.2:
        text = text.replace(" ", "  ")
    if rng.random() < 0.1:
        text = text.replace(" ", "")
    return text


LINES = [".", "..", ".foo", "", "", "From me", ">From me", " ", "ends in spaces   ", "ends in tab\t", "a=3Db =", "--", "=", "\t", "x" * 998, "x" * 999, "é" * 600]


def body(rng):
    """Lines with every line end there is, dots, long lines, text without a last line end."""
    lines = []
    for _ in range(rng.choice([0, 1, 3, 20, 60])):
        kind = rng.random()
        if kind < 0.3:
            lines.append(rng.choice(LINES))
        elif kind < 0.35:
            lines.append(words(rng, 5000))
        else:
            lines.append(words(rng, 90))
    return "".join(line + rng.choice(["\r\n", "\n", "\r"]) for line in lines) + rng.choice(["", "last", "."])


def address(rng, named=True):
    local = "".join(rng.choice("abcXYZ019.!#$%&'*+-/=^_`{|}~") for _ in range(rng.randint(1, 40))).strip(".")
    result = {"email": (re.sub(r"\.+", ".", local) or "a") + "@" + rng.choice(["x.test", "a-b.example.com", "xn--exmple-cua.test"])}
    if named and rng.random() < 0.7:
        result["name"] = words(rng, rng.choice([10, 40, 150])).encode()[:320].decode(errors="ignore").strip(" ")
    return result


def part(rng, number):
    data = rng.randbytes(rng.choice([0, 1, 2, 3, 56, 57, 58, 1000, 20000]))
    name = words(rng, rng.choice([5, 30, 120])).replace("/", "").replace("\\", "")
    is_inline = rng.random() < 0.4
    return {
        "filename": name.encode()[:1000].decode(errors="ignore") if name not in ("", ".", "..") else "a.bin",
        "content_type": rng.choice([None, "text/csv", "application/pdf", "image/png", "text/csv; charset=utf-8; header=present"]),
        "content_id": f"part{number}@x" if is_inline else None,
        "inline": is_inline,
        "hex": data.hex(),
    }


def message(rng):
    made = {
        "from": address(rng),
        "to": [address(rng) for _ in range(rng.choice([0, 1, 1, 2, 30]))],
        "cc": [address(rng) for _ in range(rng.choice([0, 0, 1, 5]))],
        "reply_to": [address(rng) for _ in range(rng.choice([0, 0, 1, 2]))],
        "headers": [["X-Note", words(rng, 300)]] if rng.random() < 0.5 else [],
        "parts": [part(rng, n) for n in range(rng.choice([0, 0, 0, 1, 2, 5]))],
        "message_id": f"<{rng.getrandbits(64):x}@shop.example>",
        "date_ms": rng.randint(0, 4 * 10**12),
        "t": 1764000000,
    }
    if rng.random() < 0.9:
        made["subject"] = words(rng, rng.choice([1, 10, 70, 90, 500, 1500]))
    kind = rng.choice(["text", "html", "both", "both", "none"])
    if kind in ("text", "both"):
        made["text"] = body(rng)
    if kind in ("html", "both"):
        made["html"] = "<p>" + body(rng)
    if rng.random() < 0.3:
        made["headers"] += [
            ["List-Unsubscribe", "<https://shop.example/u/" + "a" * 300 + ">, <mailto:u@shop.example>"],
            ["List-Unsubscribe-Post", "List-Unsubscribe=One-Click"],
            ["References", " ".join(f"<{n}.{'r' * 40}@x.test>" for n in range(20))],
        ]
    return made


@pytest.fixture(scope="session")
def program():
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", *PACKAGES], text=True).split()
    archives = [str(ROOT / "build/asan" / name) for name in ("server_mail.a", "server_base.a")]  # made by `make asan`
    PROGRAM.parent.mkdir(exist_ok=True)
    subprocess.check_call(
        ["cc", "-std=c17", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
        + ["-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", f"-I{ROOT}", "-o", str(PROGRAM)]
        + [str(ROOT / "tests/support/mail_dump.c"), *archives, *flags]
    )
    return PROGRAM


@pytest.fixture(scope="session", params=sorted(KEYS))
def key(request, program, tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / f"{request.param}.pem"
    subprocess.check_call(["openssl", "genpkey", "-out", str(file), *KEYS[request.param]], stderr=subprocess.DEVNULL)
    name, record = subprocess.check_output([str(program), "records", str(file), DOMAIN, SELECTOR]).splitlines()
    assert name.decode() == f"{SELECTOR}._domainkey.{DOMAIN}"
    record = record.strip()
    return [str(file), DOMAIN, SELECTOR], record


def build(program, messages, *arguments):
    """The mails; for a refused one the reason, as str."""
    lines = "".join(json.dumps(m) + "\n" for m in messages)
    out = subprocess.run([str(program), *arguments], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    results = []
    while out:
        head, out = out.split(b"\n", 1)
        word, rest = head.split(b" ", 1)
        if word == b"refused":
            results.append(rest.decode())
            continue
        results.append(out[: int(rest)])
        out = out[int(rest) :]
    return results


def messages(seed, n=150):
    rng = random.Random(seed)
    return [message(rng) for _ in range(n)]


def newlines(text):
    return re.sub("\r\n|\r|\n", "\n", text)


def read_text(leaf):
    """The text of a part, its own line ends included: get_content() would drop none, but add one."""
    return newlines(leaf.get_payload(decode=True).decode("utf-8"))


def same_text(leaf, wanted, is_only):
    got, wanted = read_text(leaf), newlines(wanted)
    return got == wanted or (is_only and got == wanted + "\n" and not wanted.endswith("\n"))


def squeeze(name):
    return re.sub(r"\s", "", name)


def addresses(parsed, field):
    """Python's new parser changes the spaces of a display name (it puts one between two encoded
    words); the old one does not. So the old one must give the name, the new one all the rest."""
    header = parsed[field]
    if not header:
        return []
    old = email.message_from_bytes(bytes(parsed.raw), policy=email.policy.compat32)[field]
    pairs = email.utils.getaddresses([re.sub("\r\n(?=[ \t])", "", old)])
    pairs = [(str(email.header.make_header(email.header.decode_header(name))), spec) for name, spec in pairs]
    modern = [(squeeze(a.display_name), a.addr_spec) for a in header.addresses]
    assert modern == [(squeeze(name), spec) for name, spec in pairs if spec]
    return [pair for pair in pairs if pair[1]]


def parse(raw):
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    parsed.raw = raw.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n"
    return parsed


def wanted_addresses(made, field):
    return [(a.get("name") or "", a["email"]) for a in made[field]]


def check_bytes(raw):
    assert all(byte < 128 for byte in raw)
    assert raw.endswith(b"\r\n")
    stripped = raw.replace(b"\r\n", b"")
    assert b"\r" not in stripped and b"\n" not in stripped and b"\0" not in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    head = raw.split(b"\r\n\r\n", 1)[0]
    for line in head.split(b"\r\n"):
        assert line.strip(), "a folded line of nothing but white space"
        is_one_token = b" " not in line.split(b": ", 1)[-1].strip() or b'"' in line  # a quoted string is not folded
        assert len(line) <= 78 or is_one_token or line.startswith((b"X-", b"List-", b"References")), line
        for word in re.findall(rb"=\?utf-8\?[QB]\?[^?]*\?=", line):
            assert len(word) <= 75


def trimmed(value):
    return value and value.strip(" \t")


def check_head(parsed, made):
    assert parsed["subject"] == trimmed(made.get("subject"))
    assert parsed["message-id"] == made["message_id"]
    assert int(parsed["date"].datetime.timestamp()) == made["date_ms"] // 1000
    assert addresses(parsed, "from") == [(made["from"].get("name") or "", made["from"]["email"])]
    if made["to"] or made["cc"]:
        assert addresses(parsed, "to") == wanted_addresses(made, "to")
    else:
        assert addresses(parsed, "to") == []
    assert addresses(parsed, "cc") == wanted_addresses(made, "cc")
    assert addresses(parsed, "reply-to") == wanted_addresses(made, "reply_to")
    for name, value in made["headers"]:
        assert parsed[name] == trimmed(value), name


def leaves(part, path=()):
    if not part.is_multipart():
        yield path, part
        return
    for child in part.iter_parts():
        yield from leaves(child, path + (part.get_content_subtype(),))


def wanted_leaves(made):
    """(path, kind) of each leaf, in order: the expected structure."""
    inline = [p for p in made["parts"] if p["inline"] and "html" in made]
    attached = [p for p in made["parts"] if p not in inline]
    root = ("mixed",) if attached else ()
    core = root + (("related",) if inline else ())
    both = core + (("alternative",) if "text" in made and "html" in made else ())
    texts = [(both, kind) for kind in ("text", "html") if kind in made]
    if not texts and not attached:
        texts = [((), "text")]
    return texts + [(core, p) for p in inline] + [(root, p) for p in attached]


def check_part(leaf, wanted):
    assert leaf.get_payload(decode=True) == bytes.fromhex(wanted["hex"])
    assert leaf["content-disposition"].params["filename"] == wanted["filename"]
    kind, *parameters = (wanted["content_type"] or "application/octet-stream").split("; ")
    assert leaf.get_content_type() == kind
    assert dict(leaf["content-type"].params) == dict(p.split("=") for p in parameters)
    assert leaf.get_content_disposition() == ("inline" if wanted["inline"] else "attachment")
    assert leaf["content-id"] == (f"<{wanted['content_id']}>" if wanted["content_id"] else None)


def check_parts(parsed, made):
    found, wanted = list(leaves(parsed)), wanted_leaves(made)
    assert len(found) == len(wanted)
    for (path, leaf), (wanted_path, kind) in zip(found, wanted):
        assert path == wanted_path
        if isinstance(kind, dict):
            check_part(leaf, kind)
        else:
            assert leaf.get_content_type() == ("text/plain" if kind == "text" else "text/html")
            assert same_text(leaf, made.get(kind, ""), len(wanted) == 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_python_reads_back_exactly_the_given_fields(program, seed):
    made = messages(seed)
    for wanted, raw in zip(made, build(program, made), strict=True):
        assert isinstance(raw, bytes), raw
        check_bytes(raw)
        parsed = parse(raw)
        check_head(parsed, wanted)
        check_parts(parsed, wanted)


@pytest.mark.parametrize("seed", [3, 4])
def test_dkimpy_verifies_every_signature(program, key, seed):
    arguments, record = key
    asked = set()

    def dns(name, timeout=5):
        asked.add(name)
        return record

    for raw in build(program, messages(seed), *arguments):
        assert isinstance(raw, bytes), raw
        check_bytes(raw)
        assert dkim.verify(raw, dnsfunc=dns)
    assert {n.decode() if isinstance(n, bytes) else n for n in asked} == {f"{SELECTOR}._domainkey.{DOMAIN}."}


def test_a_changed_or_added_field_breaks_the_signature(program, key):
    arguments, record = key
    made = {**messages(5, 1)[0], "subject": "Hello", "text": "Hello", "headers": []}
    raw = build(program, [made], *arguments)[0]
    verify = lambda mail: dkim.verify(mail, dnsfunc=lambda name, timeout=5: record)

    assert verify(raw)
    assert not verify(raw.replace(b"Hello", b"Hallo", 1))
    for field in (b"From: evil@x.test", b"Subject: Won", b"Cc: v@x.test", b"List-Unsubscribe: <https://x.test>"):
        assert not verify(field + b"\r\n" + raw), field
    assert verify(b"Received: from a by b\r\n" + raw)
    assert verify(raw.replace(b"Subject: Hello", b"SUBJECT:  \t Hello "))


def test_an_invitation_is_the_last_form_of_the_text(program):
    calendar = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nSUMMARY:Größe\nEND:VCALENDAR\n"
    made = {"from": {"email": "a@x.test"}, "to": [{"email": "b@x.test"}], "message_id": "<1@x.test>", "date_ms": 0, "text": "Come.",
            "html": "<p>Come.", "parts": [
                {"filename": "invite.ics", "content_type": "text/calendar", "hex": calendar.encode().hex()},
                {"content_type": 'text/calendar; method=REQUEST; name="a; b.ics"', "alternative": True, "hex": calendar.encode().hex()}]}
    raw = build(program, [made])[0]
    check_bytes(raw)
    found = list(leaves(parse(raw)))
    both = ("mixed", "alternative")
    assert [(path, leaf.get_content_type()) for path, leaf in found] == [
        (both, "text/plain"), (both, "text/html"), (both, "text/calendar"), (("mixed",), "text/calendar")]
    invitation = found[2][1]
    assert dict(invitation["content-type"].params) == {"method": "REQUEST", "name": "a; b.ics", "charset": "utf-8"}
    assert invitation["content-disposition"] is None
    assert read_text(invitation) == calendar
    assert found[3][1]["content-disposition"].params["filename"] == "invite.ics"


def test_the_same_mail_signed_twice_gives_the_same_bytes(program, key):
    made = {**messages(6, 1)[0], "parts": [], "text": "one"}
    made.pop("html", None)
    first, second = build(program, [made, made], *key[0])
    assert first == second


def test_long_and_hostile_input(program):
    base = {"from": {"email": "a@x.test"}, "to": [{"email": "b@x.test"}], "message_id": "<1@x.test>", "date_ms": 0}
    cases = [
        {**base, "subject": "A" * 5000},
        {**base, "subject": "😀" * 5000},
        {**base, "subject": " lead and trail "},
        {**base, "to": [{"email": f"user{n}@x.test", "name": f"User, {n}"} for n in range(500)]},
        {**base, "text": "x" * 100_000},
        {**base, "text": "a\r\r\nb\n\n.\r.\r\n"},
    ]
    for case, raw in zip(cases, build(program, cases), strict=True):
        assert isinstance(raw, bytes), raw
        check_bytes(raw)
        parsed = parse(raw)
        if "subject" in case:
            assert parsed["subject"] == trimmed(case["subject"])
        assert addresses(parsed, "to") == wanted_addresses(case, "to")
        assert same_text(parsed, case.get("text", ""), True)
