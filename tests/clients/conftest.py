"""What both suites share: a daemon of its own for each test, and an environment that does not lead the SDKs elsewhere."""

import pytest

from support.daemon import Daemon

# Read by the SDKs: proxies even for loopback addresses, and keys that win over those given in code.
MISLEADING = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """No proxy and no key comes from outside."""
    for name in MISLEADING:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def daemon(tmp_path):
    """A daemon on a free port and an empty folder; it must stop in order when the test is over."""
    running = Daemon(tmp_path)
    try:
        yield running
    except BaseException:
        running.kill()
        raise
    running.stop()
