"""The fixture itself: what it gives, what each lever does, and that no test sees what another one did."""

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkecs.request.v20140526.DescribeSnapshotsRequest import DescribeSnapshotsRequest
from pytest_snapshotd import LeverRefused, Refused, Snapshotd

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_begins_with_nothing_and_at_the_start(snapshotd, time):
    assert snapshotd.call("DescribeSnapshots")["TotalCount"] == 0
    assert snapshotd.call("DescribeDisks")["TotalCount"] == 0
    assert snapshotd.clock.now == START
    assert snapshotd.faults.list() == [] and snapshotd.locks.list()["stored"] == []
    assert len(snapshotd.requests.list()) == 2
    snapshotd.call("CreateDisk", ZoneId="cn-hangzhou-h", Size=20, DiskCategory="cloud_essd")
    snapshotd.faults.add(error="InternalError")
    snapshotd.lag.set(1000)
    snapshotd.clock.set_mode("scaled", 60)
    snapshotd.clock.advance("400d")


def test_the_clock_is_moved_by_spans_to_instants_and_to_what_comes_next(snapshotd, disk):
    assert snapshotd.clock.advance("1h30m")["to"] == "2026-01-01T01:30:00.000Z"
    snapshotd.clock.advance(timedelta(days=1, milliseconds=7))
    assert snapshotd.clock.now == START + timedelta(days=1, hours=1, minutes=30, milliseconds=7)
    snapshotd.clock.advance_to(datetime(2026, 2, 1, 8, tzinfo=timezone(timedelta(hours=8))))
    assert snapshotd.clock.now == datetime(2026, 2, 1, tzinfo=timezone.utc)
    snapshotd.clock.advance_to("2026-03-01T00:00:00Z")
    with pytest.raises(ValueError):
        snapshotd.clock.advance_to(datetime(2027, 1, 1))
    with pytest.raises(LeverRefused, match="never runs backwards"):
        snapshotd.clock.advance_to("2026-01-01T00:00:00Z")
    with pytest.raises(LeverRefused, match="nothing is to come"):
        snapshotd.clock.advance_to_next()
    snapshotd.call("CreateSnapshot", DiskId=disk)
    assert snapshotd.clock.advance_to_next()["events"] == {"Snapshot:CreateSnapshotCompleted": 1}
    snapshotd.clock.set_mode("scaled", 1000)
    assert snapshotd.clock.freeze()["mode"] == "manual"
    assert snapshotd.clock.thaw()["factor"] == 1000


def test_faults_locks_and_the_log_of_requests(snapshotd, client, disk):
    rule = snapshotd.faults.add("DescribeSnapshots", error="Throttling.User", nth=1)
    with pytest.raises(ServerException) as refused:
        client.do_action_with_exception(DescribeSnapshotsRequest())
    assert refused.value.get_error_code() == "Throttling.User"
    client.do_action_with_exception(DescribeSnapshotsRequest())
    assert snapshotd.faults.list()[0]["hits"] == 1
    snapshotd.faults.remove(rule)
    (logged,) = snapshotd.requests.list(code="Throttling.User")
    assert (logged["action"], logged["status"]) == ("DescribeSnapshots", 400)
    with pytest.raises(TypeError):
        snapshotd.faults.add(eror="Throttling")
    snapshotd.locks.hold(disk, name="bench")
    with pytest.raises(Refused) as conflict:
        snapshotd.call("CreateSnapshot", DiskId=disk)
    assert (conflict.value.status, conflict.value.code) == (403, "Operation.Conflict")
    snapshotd.locks.release("bench")
    snapshotd.call("CreateSnapshot", DiskId=disk)


def test_settings_reach_a_daemon_of_ones_own(tmp_path):
    daemon = Snapshotd(tmp_path, settings={"clock.start": "2030-01-01T00:00:00Z", "fidelity.strict_region": True})
    try:
        assert daemon.clock.now == datetime(2030, 1, 1, tzinfo=timezone.utc)
    finally:
        daemon.stop()


def test_what_cannot_start_says_why(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="no_such_key"):
        Snapshotd(tmp_path, settings={"no_such_key": 1})
    monkeypatch.setenv("SNAPSHOTD_BIN", "/nowhere/snapshotd")
    with pytest.raises(FileNotFoundError, match="/nowhere/snapshotd"):
        Snapshotd(tmp_path)


def test_the_option_names_the_binary(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(snapshotd):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "--snapshotd-bin", "/nowhere/snapshotd", "-q", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 1 and "/nowhere/snapshotd" in told.stdout
