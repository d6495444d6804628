"""The fixtures."""

import shutil
import tempfile
from pathlib import Path

import pytest

from .daemon import Snapshotd

# Where files never wait for a disk: nothing of a test has to survive.
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 256 * 1024 * 1024


def pytest_addoption(parser):
    group = parser.getgroup("snapshotd")
    group.addoption("--snapshotd-bin", metavar="FILE", help="the snapshotd to run [$SNAPSHOTD_BIN, else on the PATH]")
    group.addoption("--snapshotd-dir", metavar="DIR", help="where its data goes [memory where there is enough]")


@pytest.fixture(scope="session")
def snapshotd_settings():
    """Keys of the configuration of the daemon; override it in a conftest.py: `{"lifecycle.snapshot_ms": 0}`."""
    return {}


@pytest.fixture(scope="session")
def snapshotd_daemon(request, snapshotd_settings):
    """The daemon that all tests of the session share, one after the other."""
    above = request.config.getoption("--snapshotd-dir")
    if above is None and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES:
        above = MEMORY
    folder = tempfile.mkdtemp(prefix="pytest-snapshotd-", dir=above)
    try:
        daemon = Snapshotd(folder, request.config.getoption("--snapshotd-bin"), snapshotd_settings)
        yield daemon
        daemon.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def snapshotd(snapshotd_daemon):
    """A snapshotd as fresh as at its start: no resources, no rules, the clock at 2026-01-01T00:00:00Z and standing still."""
    if getattr(snapshotd_daemon, "is_used", False):
        snapshotd_daemon.fresh()
    snapshotd_daemon.is_used = True
    return snapshotd_daemon
