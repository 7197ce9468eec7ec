"""Requests that libmicrohttpd refuses get a problem or a clean close, and never its HTML page: alone, as a later request of a
connection, and directly after another request; with and without the built-in TLS."""
import contextlib
import re
import socket
import ssl
import time

import pytest

from support import harness
from support.talk import Certificates

GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"
INVALID = {
    "no-version": b"GET /healthz\r\n\r\n",
    "version": b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
    "not-http": b"GET /healthz FTP/1.1\r\nHost: a\r\n\r\n",
    "long-target": b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "long-header": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
    "many-headers": b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
    "long-cookie": b"GET /healthz HTTP/1.1\r\nHost: a\r\nCookie: a=" + b"b" * 17000 + b"; c=d\r\n\r\n",
    "many-cookies": b"GET /healthz HTTP/1.1\r\nHost: a\r\nCookie: " + b"a;" * 4000 + b"\r\n\r\n",
    "no-colon": b"GET /healthz HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "no-host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "length": POST + b"Content-Length: abc\r\n\r\n",
    "length-sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "length-huge": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "length-twice": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "chunk-size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "chunk-huge": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "chunk-end": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
}


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    cert, key = Certificates(directory).files("ok")
    server = harness.Postern(directory, {"tls_cert": cert, "tls_key": key}).launch()
    server.test_key = "pn_test_none"
    harness.wait_for(lambda: b"200" in (talk(server, True, [GOOD], is_patient=False) or b""), 20)
    yield server
    server.stop()


def wrap(plain, is_tls):
    return ssl._create_unverified_context().wrap_socket(plain) if is_tls else plain


def talk(server, is_tls, parts, is_patient=True):
    """All octets that the server sends until it closes the connection. parts: sent with a pause between them."""
    said = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain, wrap(plain, is_tls) as s:
            for i, part in enumerate(parts):
                if i:
                    time.sleep(0.2)
                s.sendall(part)
            while octets := s.recv(65536):
                said += octets
                if not is_patient:
                    break
    return said


def bodies(said):
    """The status and the media type of each response."""
    return re.findall(rb"HTTP/1.1 (\d{3}) .*?\r\nContent-Type: ([^\r]*)\r\n", said, re.S)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("before", ["alone", "later", "pipelined"])
@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_request_gets_a_problem_or_a_close(request, name, before, is_tls):
    server = request.getfixturevalue("tls_server" if is_tls else "postern")
    bad = INVALID[name].replace(b"%s", server.test_key.encode())
    parts = {"alone": [bad], "later": [GOOD, bad], "pipelined": [GOOD + bad]}[before]
    said = talk(server, is_tls, parts)
    assert b"<html" not in said.lower(), said[:600]
    responses = bodies(said)
    if before != "alone":
        assert responses and responses.pop(0)[0] == b"200", said[:600]
    assert len(responses) <= 1
    assert all(kind == b"application/problem+json" and status[:1] in b"45" for status, kind in responses), responses
    assert responses or is_tls or before != "alone", "plain: a problem"


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("body", [b"2\n{}\n0\n\n", b"2;a=b\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\n0\r\n\r\n", b"002\r\n{}\r\n0\r\nA: b\n\r\n"],
                         ids=["bare LF", "extension", "LF after data", "LF after a trailer"])
def test_no_request_is_read_after_chunks_that_a_proxy_may_frame_differently(request, body, is_tls):
    server = request.getfixturevalue("tls_server" if is_tls else "postern")
    head = CHUNKED.replace(b"%s", server.test_key.encode())
    for parts in ([head + body + GOOD], [head, body + GOOD], [head + body, GOOD], [GOOD + head + body + GOOD]):
        said = talk(server, is_tls, parts)
        assert said.count(b"HTTP/1.1 ") <= 1 + parts[0].startswith(GOOD), said
        assert b"<html" not in said.lower()


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_a_good_chunked_body_ends_the_connection_only_with_tls(request, is_tls):
    server = request.getfixturevalue("tls_server" if is_tls else "postern")
    good = CHUNKED.replace(b"%s", server.test_key.encode()) + b"2\r\n{}\r\n0\r\n\r\n"
    said = talk(server, is_tls, [good + GOOD.replace(b"Host", b"Connection: close\r\nHost")])
    assert said.count(b"HTTP/1.1 ") == (1 if is_tls else 2), said
