"""A project that fills the queue for one mail server, which serves its mail and that of the others."""
import pytest
from support.harness import wait_for
from support.victim import hold

DOMAINS = 6000
A_MESSAGE = 50                                 # recipients, each of a domain of its own


def fill_queue(a, lane):
    """6,000 jobs for one smarthost. It takes 100 ms for each, on 20 connections."""
    for first in range(0, DOMAINS, A_MESSAGE):
        to = [f"slow_dot_100-x@d{n}.attacker.test" for n in range(first, first + A_MESSAGE)]
        assert a.server.send(to, key=a.key, lane=lane).status == 202


def hold_beside_a_full_queue(a, lane, seconds, report):
    alone = a.victim.measure("alone", seconds)
    fill_queue(a, lane)
    beside = a.victim.measure("beside", seconds)
    left = DOMAINS - len([row for row in a.outside.sink.taken() if row["rcpt"].endswith(".attacker.test")])
    report(alone, beside, left_of_attack=left)
    assert left > 0, "the queue was never full beside the victim"
    hold(beside, alone)


@pytest.mark.parametrize("lane", ["normal", "otp"])
def test_six_thousand_domains_at_one_smarthost_delay_others_by_a_turn(attacked, outside, seconds, report, lane):
    a = attacked({"relay_url": f"smtp://127.0.0.5:{outside.smtp_port}", "otp_waiting": DOMAINS}, lane=lane)
    hold_beside_a_full_queue(a, lane, seconds, report)


def test_a_project_that_sends_all_as_otp_delays_the_normal_mail_of_others_by_its_share(attacked, outside, seconds, report):
    a = attacked({"relay_url": f"smtp://127.0.0.5:{outside.smtp_port}", "otp_waiting": 50}, lane="normal")
    hold_beside_a_full_queue(a, "otp", seconds, report)
    wait_for(lambda: a.server.metric("postern_queue_otp_late_total") > 0, 30, what="the metric of the keeper")
