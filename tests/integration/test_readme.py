"""What the README says, held against the product."""
import re
import subprocess

from support import harness

README = (harness.ROOT / "README.md").read_text()


def test_the_table_of_settings_is_the_program_s_own():
    shown = re.search(r"<!-- postern config table -->\n(.*?)<!-- end -->", README, re.S).group(1)
    table = subprocess.run([harness.binary(), "config", "table"], capture_output=True, text=True, check=True)
    assert shown.strip() == table.stdout.strip()


def test_the_first_mail_works_as_written(postern, tmp_path):
    blocks = re.findall(r"(?:^    .*\n)+", README, re.M)
    commands = [b for b in blocks if "curl" in b and "http://127.0.0.1:8080" in b]
    assert len(commands) == 3
    send, inbox, message = ("\n".join(line[4:] for line in b.splitlines()) for b in commands)
    key = f"KEY={postern.test_key}\n"

    def shell(script):
        script = key + script.replace("http://127.0.0.1:8080", postern.url)
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout

    answer = shell(send)
    assert '"status":"queued"' in answer and '"durability":"fsync"' in answer
    assert "It is on its way." in shell(inbox)
    id = re.search(r'"id":"(msg_\w+)"', answer).group(1)
    assert '"status":"delivered"' in shell(message.replace("msg_…", id))
