"""Scores of spam filters, with the rules that Debian ships and without network."""
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

PROGRAM = r"""
use strict; use warnings; use Mail::SpamAssassin;
my $sa = Mail::SpamAssassin->new({ local_tests_only => 1, dont_copy_prefs => 1, userprefs_filename => '/dev/null',
  userstate_dir => $ARGV[0], post_config_text => "use_bayes 0\nuse_auto_whitelist 0\n" });
$sa->init(1);
binmode STDIN;
local $/;
for my $text (split /\0/, <STDIN>) {
  my $mail = $sa->parse($text);
  my $status = $sa->check($mail);
  printf "%.3f %s\n", $status->get_score, $status->get_names_of_tests_hit;
  $status->finish;
  $mail->finish;
}
"""


def spamassassin(mails, directory):
    """[(score, rules)], one a mail."""
    run = subprocess.run(["/usr/bin/perl", "-e", PROGRAM, str(directory)], input=b"\0".join(mails), stdout=subprocess.PIPE,
                         check=True, timeout=120)
    rows = [line.split(" ", 1) for line in run.stdout.decode().splitlines()]
    assert len(rows) == len(mails)
    return [(float(score), rules) for score, rules in rows]


# What asks the network, or remembers earlier mails.
OFF = ["rbl", "dkim", "dkim_signing", "spf", "dmarc", "arc", "phishing", "asn", "fuzzy_check", "mx_check", "hfilter", "replies",
       "greylist", "ratelimit", "neural", "antivirus", "elastic", "external_relay", "reputation", "url_redirector",
       "maillist", "history_redis", "milter_headers", "worker-controller", "worker-proxy", "worker-fuzzy"]


class Rspamd:
    """with Rspamd(directory) as r: r.scores(mails) -> [(score, rules)]"""

    def __init__(self, directory):
        self.directory = directory / "rspamd"

    def configure(self):
        local = self.directory / "conf/local.d"
        local.mkdir(parents=True)
        for name in ("run", "db", "log"):
            (self.directory / name).mkdir()
        for name in OFF:
            (local / (name + (".inc" if name.startswith("worker") else ".conf"))).write_text("enabled = false;\n")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        (local / "options.inc").write_text('dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }\n')
        (local / "worker-normal.inc").write_text(f'bind_socket = "127.0.0.1:{self.port}";\ncount = 1;\n')

    def __enter__(self):
        self.configure()
        where = [f"--var={name}={self.directory / path}"
                 for name, path in (("LOCAL_CONFDIR", "conf"), ("RUNDIR", "run"), ("DBDIR", "db"), ("LOGDIR", "log"))]
        user = ["-i", "-u", "root", "-g", "root"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen([shutil.which("rspamd"), "-f", *user, *where],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120  # it compiles its expressions first
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.2)
        self.process.kill()
        raise AssertionError((self.directory / "log/rspamd.log").read_text()[-2000:])

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def scores(self, mails):
        return [self.score(m) for m in mails]

    def score(self, mail):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/checkv2", mail, timeout=60) as answer:
            found = json.load(answer)
        rules = {name: s["score"] for name, s in found["symbols"].items() if s["score"]}
        return found["score"], " ".join(f"{name}={score}" for name, score in sorted(rules.items()))
