#!/usr/bin/python3
"""A small authoritative DNS server for tests, on loopback, UDP and TCP, with errors by name.

A zone is a dict (or a JSON file with the same):

    {"example.test": {"MX": ["10 mx1.example.test."], "A": ["192.0.2.1"], "ttl": 300},
     "www.example.test": {"CNAME": "example.test."},
     "*.many.test": {"A": ["192.0.2.9"]},
     "slow.test": {"A": ["192.0.2.2"], "delay": 0.5},
     "down.test": {"fault": "servfail"},
     "half.test": {"A": ["192.0.2.3"], "fault": {"AAAA": "timeout"}}}

A name that is not in the zone is NXDOMAIN; one that is, or that has names below it, without records
of the type asked for, is NODATA. "fault" is for all types, or a dict by type. Faults:

    servfail refused formerr notimp nxdomain nodata   that answer
    timeout                                           no answer
    truncated                                         TC over UDP, the whole answer over TCP
    tcp-refused                                       TC over UDP, TCP is closed at once
    wrong-id wrong-question                           an answer to something else
    loop                                              a compression pointer to itself
    garbage                                           bytes that are no DNS message

As a module: DnsServer(zone).start() or `with DnsServer(zone) as dns`, then dns.port, dns.zone (may be
changed while it runs), dns.queries (list of (name, type, "udp" | "tcp")), dns.stop().
From the command line: dns_server.py ZONE.json [--port N] [--log FILE] prints the port and serves;
the file is read again when it changes. Each query becomes a line "udp MX example.test" in FILE.
"""

import argparse
import json
import os
import socket
import struct
import sys
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

DEFAULT_TTL = 300
UDP_MAX = 1232
CNAMES_MAX = 16
RCODES = {
    "servfail": dns.rcode.SERVFAIL,
    "refused": dns.rcode.REFUSED,
    "formerr": dns.rcode.FORMERR,
    "notimp": dns.rcode.NOTIMP,
    "nxdomain": dns.rcode.NXDOMAIN,
}


def plain(name):
    return str(name).rstrip(".").lower()


class Zone:
    def __init__(self, names):
        self.names = names

    def find(self, name):
        """The entry of name, by itself or a wildcard; None if there is no such name."""
        if name in self.names:
            return self.names[name]
        if any(other.endswith("." + name) for other in self.names):
            return {}
        labels = name.split(".")
        for i in range(1, len(labels)):
            star = self.names.get("*." + ".".join(labels[i:]))
            if star is not None:
                return star
        return None

    def fault(self, name, rdtype):
        fault = (self.find(name) or {}).get("fault")
        return fault.get(rdtype) if isinstance(fault, dict) else fault


def records(entry, name, rdtype):
    values = entry.get(rdtype, [])
    values = [values] if isinstance(values, str) else values
    if not values:
        return None
    return dns.rrset.from_text_list(dns.name.from_text(name), entry.get("ttl", DEFAULT_TTL), "IN", rdtype, values)


def fill(zone, response, name, rdtype):
    """Adds the records, along the CNAMEs that are in the zone."""
    for _ in range(CNAMES_MAX):
        entry = zone.find(name)
        if entry is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return
        found = records(entry, name, rdtype)
        if found:
            response.answer.append(found)
            return
        alias = records(entry, name, "CNAME")
        if not alias:
            return
        response.answer.append(alias)
        name = plain(alias[0].target)


def soa(name):
    """Makes "no" last for a second, as a name server of the top-level domain would say it."""
    top = name.rsplit(".", 1)[-1] + "."
    return dns.rrset.from_text(top, 1, "IN", "SOA", "ns.%s root.%s 1 60 60 60 1" % (top, top))


def make_answer(zone, query, name, rdtype, fault):
    response = dns.message.make_response(query, recursion_available=True)
    if fault in RCODES:
        response.set_rcode(RCODES[fault])
    elif fault == "wrong-question":
        response.question = [dns.rrset.RRset(dns.name.from_text("other.test"), 1, query.question[0].rdtype)]
        fill(zone, response, name, rdtype)
    elif fault != "nodata":
        fill(zone, response, name, rdtype)
    if not response.answer and response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        response.authority.append(soa(name))
    if fault == "wrong-id":
        response.id = query.id ^ 0x5555
    return response


def make_loop(query):
    """One MX record whose host name is a compression pointer to itself."""
    question = query.question[0]
    wire = struct.pack("!HHHHHH", query.id, 0x8580, 1, 1, 0, 0) + question.name.to_wire()
    wire += struct.pack("!HH", question.rdtype, 1) + b"\xc0\x0c" + struct.pack("!HHIHH", question.rdtype, 1, 60, 4, 10)
    return wire + struct.pack("!H", 0xC000 | len(wire))


class DnsServer:
    def __init__(self, zone=None, port=0, path=None, log=None):
        self.zone = zone if zone is not None else {}
        self.path = path
        self.log = open(log, "a", buffering=1) if log else None
        self.queries = []
        self.stamp = None
        self.stopping = False
        self.udp, self.tcp = self._bind(port)
        self.port = self.udp.getsockname()[1]
        self.threads = []

    @staticmethod
    def _bind(port):
        """One port number for both; a free one may be free for UDP alone."""
        for _ in range(50):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                udp.bind(("127.0.0.1", port))
                tcp.bind(udp.getsockname())
                tcp.listen(64)
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
                if port:
                    raise
        raise OSError("no port that is free for UDP and TCP")

    @property
    def address(self):
        """As POSTERN_DNS_SERVERS takes it."""
        return "127.0.0.1@%d" % self.port

    def start(self):
        self._reload()
        for serve in (self._serve_udp, self._serve_tcp):
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def stop(self):
        self.stopping = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", self.udp.getsockname())
        socket.create_connection(self.tcp.getsockname()).close()
        for thread in self.threads:
            thread.join(2)
        self.udp.close()
        self.tcp.close()
        if self.log:
            self.log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def count(self, name, rdtype=None):
        return sum(1 for q in list(self.queries) if q[0] == name and rdtype in (None, q[1]))

    def _reload(self):
        if not self.path:
            return
        stamp = os.stat(self.path).st_mtime_ns
        if stamp != self.stamp:
            with open(self.path) as file:
                self.zone = json.load(file)
            self.stamp = stamp

    def _answer(self, wire, transport):
        """(bytes to send or None, seconds to wait)."""
        self._reload()
        query = dns.message.from_wire(wire)
        name = plain(query.question[0].name)
        rdtype = dns.rdatatype.to_text(query.question[0].rdtype)
        self.queries.append((name, rdtype, transport))
        if self.log:
            self.log.write("%s %s %s\n" % (transport, rdtype, name))
        zone = Zone(self.zone)
        fault = zone.fault(name, rdtype)
        delay = (zone.find(name) or {}).get("delay", 0)
        if fault == "timeout" or (fault == "tcp-refused" and transport == "tcp"):
            return None, delay
        if fault == "garbage":
            return wire[:2] + b"\xff" * 37, delay
        if fault == "loop":
            return make_loop(query), delay
        response = make_answer(zone, query, name, rdtype, fault)
        if transport == "tcp":
            return response.to_wire(max_size=65535), delay
        return self._fit(query, response, fault in ("truncated", "tcp-refused")), delay

    @staticmethod
    def _fit(query, response, is_cut):
        if not is_cut:
            try:
                return response.to_wire(max_size=max(512, min(query.payload, UDP_MAX)))
            except dns.exception.TooBig:
                pass
        response.answer = []
        response.flags |= dns.flags.TC
        return response.to_wire()

    def _serve_udp(self):
        while not self.stopping:
            try:
                wire, peer = self.udp.recvfrom(65535)
                answer, delay = self._answer(wire, "udp")
            except (OSError, dns.exception.DNSException, IndexError, ValueError):
                continue
            if answer is None:
                continue
            if delay:
                threading.Timer(delay, self._send, (answer, peer)).start()
            else:
                self._send(answer, peer)

    def _send(self, answer, peer):
        try:
            self.udp.sendto(answer, peer)
        except OSError:
            pass

    def _serve_tcp(self):
        while not self.stopping:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            if self.stopping:
                conn.close()
                return
            threading.Thread(target=self._talk, args=(conn,), daemon=True).start()

    def _talk(self, conn):
        with conn, conn.makefile("rb") as stream:
            conn.settimeout(30)
            try:
                while True:
                    head = stream.read(2)
                    if len(head) < 2:
                        return
                    answer, delay = self._answer(stream.read(struct.unpack("!H", head)[0]), "tcp")
                    if answer is None:
                        return
                    time.sleep(delay)
                    conn.sendall(struct.pack("!H", len(answer)) + answer)
            except (OSError, dns.exception.DNSException, IndexError, ValueError):
                return


def main():
    parser = argparse.ArgumentParser(description="A small authoritative DNS server for tests, on 127.0.0.1")
    parser.add_argument("zone", help="JSON file; read again when it changes")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", help="a line for each query is appended to this file")
    options = parser.parse_args()
    server = DnsServer(path=options.zone, port=options.port, log=options.log).start()
    sys.stdout.write("%d\n" % server.port)  # in one piece: who reads it may close the pipe at once
    sys.stdout.flush()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
