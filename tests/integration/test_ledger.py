"""The checker of the kill test must be able to fail: one seeded error for each figure."""
import copy

import pytest

from support.ledger import check

RCPT = "ok-t1-a@d1.test"
SECOND = "ok-t1-hidden.b@d2.test"


def clean_run():
    row = {"taken": True, "x_token": "t1", "leak": False, "text_sha": "T", "sha": "S", "bare": False,
           "message_id": "<m@x>", "code": 250}
    return {
        "injector": [{"e": "invoke", "token": "t1", "rcpts": [RCPT, SECOND], "text_sha": "T"},
                     {"e": "info", "token": "t1"},
                     {"e": "ok", "token": "t1", "id": "msg_1", "message_id": "<m@x>"},
                     {"e": "invoke", "token": "t2", "rcpts": ["ok-t2-a@d1.test"], "text_sha": "T"},
                     {"e": "fail", "token": "t2"}],
        "sink": [dict(row, rcpt=RCPT, txn=1), dict(row, rcpt=SECOND, txn=2)],
        "finals": [{"id": "msg_1", "recipients": [
            {"email": RCPT, "status": "delivered"}, {"email": SECOND, "status": "delivered"}]}],
    }


def first_state(run):
    return run["finals"][0]["recipients"][0]


def arrives_again(run):
    run["sink"].append(dict(run["sink"][0], txn=3))


def refused_with_503_arrives(run):
    run["sink"].append(dict(run["sink"][0], rcpt="ok-t2-a@d1.test", x_token="t2"))


def bounced_without_reason(run):
    del run["sink"][0]
    first_state(run)["status"] = "bounced"


def mail_for_nobody(run):
    run["sink"].append(dict(run["sink"][0], rcpt="ok-t9-a@d1.test"))


SEEDED = [
    ("lost", lambda run: run["sink"].pop(0)),
    ("lost", lambda run: run["finals"].clear()),
    ("lost", bounced_without_reason),
    ("unexpected", mail_for_nobody),
    ("unexpected", lambda run: run["sink"][0].update(x_token="t2")),
    ("unexpected", lambda run: run["sink"][0].update(leak=True)),
    ("corrupt", lambda run: run["sink"][0].update(text_sha="U")),
    ("corrupt", lambda run: run["sink"][0].update(sha="U")),
    ("corrupt", lambda run: run["sink"][0].update(bare=True)),
    ("corrupt", lambda run: run["sink"][0].update(message_id="<n@x>")),
    ("unexplained", arrives_again),
    ("phantom_fail", refused_with_503_arrives),
    ("state_divergence", lambda run: first_state(run).update(status="bounced")),
    ("state_divergence", lambda run: run["finals"][0]["recipients"].pop()),
    ("idem_violation", lambda run: run["injector"].append(
        {"e": "ok", "token": "t1", "id": "msg_2", "message_id": "<m@x>"})),
    ("stuck", lambda run: first_state(run).update(status="deferred")),
]


def test_a_correct_run_is_clean():
    report = check(**clean_run())
    assert report.is_clean, report.markdown()
    assert report.told["recovered"] == 1
    assert report.told["refused with 503"] == 1


@pytest.mark.parametrize("figure, seed", SEEDED, ids=[f"{i}-{name}" for i, (name, _) in enumerate(SEEDED)])
def test_a_seeded_error_shows_in_its_figure(figure, seed):
    run = copy.deepcopy(clean_run())
    seed(run)
    report = check(**run)
    assert report.bad[figure], report.markdown()


def test_a_flagged_duplicate_is_counted_but_allowed():
    run = clean_run()
    arrives_again(run)
    first_state(run)["possible_duplicate"] = True
    report = check(**run)
    assert report.is_clean, report.markdown()
    assert report.told["duplicates"] == 1


def test_at_most_once_allows_no_duplicate_even_when_it_is_flagged():
    run = clean_run()
    run["injector"][0]["on_unknown"] = "fail"
    arrives_again(run)
    first_state(run)["possible_duplicate"] = True
    assert check(**run).bad["unexplained"]


def test_a_bounce_after_a_refusal_is_not_a_loss():
    run = clean_run()
    bounced_without_reason(run)
    run["sink"].append({"taken": False, "rcpt": RCPT, "code": 550})
    report = check(**run)
    assert report.is_clean, report.markdown()
