"""Starts the release binary ten times on one store; prints the time to the first answered call and the memory then.

    cargo build --release && python3 benches/startup.py [DATA_DIR]
"""

import http.client
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BINARY = Path(__file__).parent.parent / "target" / "release" / "snapshotd"


def start_once(data_dir):
    """Milliseconds from the start of the process to an answer of the API, and resident memory in MB."""
    began = time.perf_counter()
    daemon = subprocess.Popen(
        [BINARY, "--listen", "127.0.0.1:0", "--data-dir", data_dir],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    address = daemon.stdout.readline().strip().rsplit("/", 1)[-1]
    connection = http.client.HTTPConnection(address)
    connection.request("GET", "/?Action=DescribeRegions&Format=JSON")
    assert b"RequestId" in connection.getresponse().read()
    elapsed = (time.perf_counter() - began) * 1000
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0
    return elapsed, int(resident.split()[1]) / 1024


data_dir = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
runs = [start_once(data_dir) for _ in range(10)]
times = sorted(elapsed for elapsed, _ in runs)
print(f"first answer: median {times[5]:.1f} ms, longest {times[-1]:.1f} ms (the first run makes the store)")
print(f"resident memory then: {max(resident for _, resident in runs):.1f} MB")
