"""Every odd mail server of tests/talks against the real SMTP client, under ASan and UBSan."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import talk  # noqa: E402


@pytest.fixture(scope="session")
def client():
    return talk.build_client(ROOT / "build/talks/smtp_try")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return talk.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("path", sorted((ROOT / "tests/talks").glob("*.talk")), ids=lambda p: p.stem)
def test_talk(path, client, certificates):
    talk.run(path, client, certificates)
