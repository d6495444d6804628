"""Starts and stops the release binary of snapshotd, and waits for what takes its time."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("SNAPSHOTD_TEST_BINARY", REPOSITORY / "target/release/snapshotd"))

CONFIGURATION = Path(__file__).with_name("snapshotd.toml")

START_SECONDS = 30
STOP_SECONDS = 20


class Daemon:
    """A running snapshotd; `endpoint` and `tls_endpoint` are host and port, `ca` is the certificate to trust there."""

    def __init__(self, folder):
        self.log = folder / "snapshotd.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SNAPSHOTD_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", CONFIGURATION, "--listen", "127.0.0.1:0", "--data-dir", folder / "data"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                bufsize=0,  # both lines may come at once, and select sees none that was read ahead
                stderr=log,
                env=inherited,
            )
        try:
            self.endpoint = self._line("listening on http://")
            self.tls_endpoint = self._line("listening on https://")
        except BaseException:
            self.kill()
            raise
        self.ca = folder / "data/tls/ca.pem"

    def _line(self, beginning):
        """What follows `beginning` on the next line of standard output."""
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode().strip() if ready else ""
        assert line.startswith(beginning), f"{line!r}\n{self.log.read_text()}"
        return line.removeprefix(beginning)

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
