"""Starts and stops the release binary of snapshotd, and waits for what takes its time."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("SNAPSHOTD_TEST_BINARY", REPOSITORY / "target/release/snapshotd"))

# Short, and long enough that a snapshot is seen while it is being made.
SETTINGS = {"SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS": "1500", "SNAPSHOTD_LIFECYCLE__IMAGE_MS": "500"}

START_SECONDS = 30
STOP_SECONDS = 20


class Daemon:
    """A running snapshotd with the shipped key; `endpoint` is its host and port."""

    def __init__(self, folder):
        self.log = folder / "snapshotd.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SNAPSHOTD_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder / "data"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=inherited | SETTINGS,
            )
        try:
            self.endpoint = self._first_line().removeprefix("listening on http://")
        except BaseException:
            self.kill()
            raise

    def _first_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode().strip() if ready else ""
        assert line.startswith("listening on http://127.0.0.1:"), f"{line!r}\n{self.log.read_text()}"
        return line

    def stop(self):
        """Asks it to stop, as a service manager does, and expects that it went well."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        finally:
            self.kill()
        assert code == 0, f"exit {code}\n{self.log.read_text()}"

    def kill(self):
        """Makes sure that nothing is left behind."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def wait_until(probe, seconds=20):
    """What `probe` gives, as soon as that is something true."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"nothing within {seconds} s"
        time.sleep(0.05)
    return found
