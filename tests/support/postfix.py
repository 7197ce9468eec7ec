"""A Postfix of our own: own configuration, queue and port on loopback; nothing of the system's is touched."""
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
from pathlib import Path

from support import harness

SMTP_SINK = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
SMTP_SOURCE = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")
POSTFIX = shutil.which("postfix", path="/usr/sbin:/usr/bin")

MAIN = """
compatibility_level = 3.6
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
queue_directory = {top}/queue
data_directory = {top}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.test
alias_maps =
alias_database =
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {top}/mail.log
maillog_file_prefixes = {top}
smtputf8_enable = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
virtual_mailbox_domains = mail.test
virtual_mailbox_base = {top}/boxes
virtual_mailbox_maps = static:inbox/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
message_size_limit = 50000000
"""
RELAY = """
relayhost = [127.0.0.1]:{port}
default_destination_concurrency_limit = 20
smtp_host_lookup = native
smtp_tls_security_level = none
"""
MASTER = """
127.0.0.1:{port} inet n - n - {smtpd} smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """relay_to: a port on 127.0.0.1 that gets everything; else mail.test is delivered to a Maildir."""

    def __init__(self, relay_to=None, chain_file=None, **settings):
        self.port = harness.free_port()
        self.top = Path(tempfile.mkdtemp(prefix="postern-postfix-", dir="/tmp"))
        self.top.chmod(0o755)
        user, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        for name, owner in (("data", user), ("boxes", nobody)):
            (self.top / name).mkdir()
            os.chown(self.top / name, owner.pw_uid, owner.pw_gid)
        for name in ("queue", "etc"):
            (self.top / name).mkdir()
        main = MAIN.format(top=self.top, uid=nobody.pw_uid, gid=nobody.pw_gid)
        if relay_to:
            main += RELAY.format(port=relay_to)
        if chain_file:
            main += f"smtpd_tls_chain_files = {chain_file}\nsmtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\n"
        main += "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.top / "etc" / "main.cf").write_text(main)
        (self.top / "etc" / "master.cf").write_text(MASTER.format(port=self.port, smtpd="100"))

    def command(self, word):
        return subprocess.run([POSTFIX, "-c", str(self.top / "etc"), word], capture_output=True, text=True, check=False)

    def start(self):
        done = self.command("start")
        assert done.returncode == 0, done.stderr + self.log()
        harness.wait_for(self.greets, 20, what="Postfix greets")
        return self

    def greets(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5) as c:
                return c.noop()[0] == 250
        except OSError:
            return False

    def log(self):
        path = self.top / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def mails(self):
        """Everything in the Maildir, as bytes."""
        return [p.read_bytes() for p in sorted((self.top / "boxes" / "inbox" / "new").glob("*"))]

    def master_pid(self):
        return int((self.top / "queue" / "pid" / "master.pid").read_text())

    def stop(self):
        self.command("stop")
        shutil.rmtree(self.top, ignore_errors=True)


class SmtpSink:
    """Postfix's smtp-sink: as fast a receiver as there is. Takes everything, keeps nothing."""

    def __init__(self, *options):
        self.options = options
        self.port = harness.free_port()
        self.process = None

    def start(self):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen([SMTP_SINK, *user, *self.options, f"127.0.0.1:{self.port}", "1000"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_for(self.listens, 10, what="smtp-sink listens")
        return self

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
