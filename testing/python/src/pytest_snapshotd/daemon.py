"""Starts a daemon in a folder of its own, tells how clients reach it, and stops it."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from .levers import Admin, Clock, Faults, Lag, LeverRefused, Locks, Requests

START_SECONDS = 30
STOP_SECONDS = 20
# The state right after the start, which a test begins with.
SAVED = "pytest-snapshotd"


class Refused(Exception):
    """A call was refused; `code`, `status` and `body` are those of the answer."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body.get('Code')}: {body.get('Message')}")
        self.status, self.code, self.body = status, body.get("Code"), body


class Snapshotd:
    """A running snapshotd whose clock stands still until `clock` moves it."""

    access_key_id = "testid"
    access_key_secret = "testsecret"
    region_id = "cn-hangzhou"

    def __init__(self, folder, binary=None, settings=None):
        """`folder` is made anew; `settings` are keys of the configuration, such as `{"lifecycle.snapshot_ms": 0}`."""
        self.binary = binary or find()
        self.folder = Path(folder)
        self.settings = {"clock.mode": "manual", "seed.ids": 1, **(settings or {})}
        self._process = None
        self._starts = 0
        self.start()

    def start(self):
        """Starts it on a new folder."""
        self._starts += 1
        self.data = data = self.folder / f"data-{self._starts}"
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SNAPSHOTD_")}
        for key, value in self.settings.items():
            name = "SNAPSHOTD_" + key.upper().replace(".", "__")
            environment[name] = str(value).lower() if isinstance(value, bool) else str(value)
        self.log = self.folder / "snapshotd.log"
        with self.log.open("ab") as log:
            command = [self.binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", data]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment
            )
        try:
            self._connect(data / "endpoint")
        except BaseException:
            self.kill()
            raise

    def _connect(self, published):
        deadline = time.monotonic() + START_SECONDS
        while not (published.exists() and published.read_text().endswith("\n")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"snapshotd did not start:\n{self.log.read_text()}")
            time.sleep(0.005)
        self.url = published.read_text().strip()
        # What SDKs take for an endpoint: host and port.
        self.endpoint = self.url.removeprefix("http://")
        self.admin = Admin(self.endpoint)
        self.clock, self.faults, self.locks = Clock(self.admin), Faults(self.admin), Locks(self.admin)
        self.lag, self.requests = Lag(self.admin), Requests(self.admin)
        try:
            self.admin("POST", "/savepoints", {"name": SAVED, "replace": True})
            self._is_saved = True
        except LeverRefused as refused:
            if refused.status != 404:
                raise
            self._is_saved = False
        self.requests.clear()

    def stop(self):
        """Asks it to stop and expects that it went well."""
        self.admin.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        finally:
            self.kill()
        if code != 0:
            raise RuntimeError(f"snapshotd ended with {code}:\n{self.log.read_text()}")

    def kill(self):
        """Makes sure that nothing is left behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def fresh(self):
        """Puts everything back to how it was at the start: resources, levers, ids, and the clock."""
        if not self._is_saved:
            self.stop()
            self.start()
            return
        self.faults.clear()
        self.lag.clear()
        self.clock.set_mode("manual")
        self.admin("POST", f"/savepoints/{SAVED}/restore")
        self.requests.clear()

    def reset(self, **which):
        """Takes all resources away, or those of an `account` or a `region`; the clock stands where it stood."""
        return self.admin("POST", "/reset", which)["removed"]

    def call(self, action, **parameters):
        """Signs a call and sends it, for tests without an SDK; the answer, or `Refused`."""
        fields = {
            "Action": action,
            "Version": "2014-05-26",
            "Format": "JSON",
            "RegionId": self.region_id,
            "AccessKeyId": self.access_key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        fields |= {name: _text(value) for name, value in parameters.items()}
        query = "&".join(f"{_encode(name)}={_encode(value)}" for name, value in sorted(fields.items()))
        key = f"{self.access_key_secret}&".encode()
        digest = hmac.new(key, f"GET&%2F&{_encode(query)}".encode(), hashlib.sha1).digest()
        signature = _encode(base64.b64encode(digest).decode())
        connection = http.client.HTTPConnection(self.endpoint, timeout=60)
        try:
            connection.request("GET", f"/?{query}&Signature={signature}")
            response = connection.getresponse()
            body = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status, body)
        return body


def find():
    """The binary: `SNAPSHOTD_BIN`, else `snapshotd` on the PATH."""
    named = os.environ.get("SNAPSHOTD_BIN")
    binary = shutil.which(named or "snapshotd")
    if binary is None:
        raise FileNotFoundError(f"{named or 'snapshotd on the PATH'}: no such program; SNAPSHOTD_BIN names it")
    return binary


def _text(value):
    """As the API reads it: lists and objects are JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, (list, dict)) else str(value)


def _encode(text):
    return quote(text, safe="-_.~")
