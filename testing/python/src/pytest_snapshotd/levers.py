"""What a test may do to a running daemon: one class for each group of levers of `/_snapshotd/`."""

import http.client
import json
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlencode


class LeverRefused(Exception):
    """A lever was not moved; `status` is that of the answer, the text says why."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Admin:
    """A kept connection to the levers."""

    def __init__(self, endpoint):
        host, port = endpoint.rsplit(":", 1)
        self._connection = http.client.HTTPConnection(host, int(port), timeout=600)

    def __call__(self, method, path, body=None):
        """Moves a lever; its answer."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, f"/_snapshotd{path}", content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read()
        try:
            answer = json.loads(text) if text else None
        except ValueError:
            answer = None
        if response.status >= 300:
            why = answer.get("error") if isinstance(answer, dict) else None
            raise LeverRefused(response.status, why or f"{method} {path}: {response.status}")
        return answer

    def close(self):
        self._connection.close()


class Group:
    """Levers that belong together."""

    def __init__(self, admin):
        self._admin = admin


class Clock(Group):
    """The clock of the resources. Signatures keep to the machine's, so that clients need not know of this one."""

    def status(self):
        """What it says, how it runs and what happens next."""
        return self._admin("GET", "/clock")

    @property
    def now(self):
        """The present instant of the resources, a `datetime` in UTC."""
        return datetime.strptime(self.status()["now"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)

    def advance(self, by):
        """Moves it on by `30d`, `90m`, `1h30m` or a `timedelta`; returns what happened, after it has."""
        if isinstance(by, timedelta):
            by = f"{by // timedelta(milliseconds=1)}ms"
        return self._admin("POST", "/clock/advance", {"by": by})

    def advance_to(self, instant):
        """Moves it on to an instant: a `datetime` with a time zone, or text such as `2027-01-01T00:00:00Z`."""
        if isinstance(instant, datetime):
            if instant.tzinfo is None:
                raise ValueError("a datetime without a time zone could be any instant")
            instant = instant.isoformat()
        return self._admin("POST", "/clock/advance", {"to": instant})

    def advance_to_next(self):
        """Moves it on to the next thing that happens; `LeverRefused` where nothing is to come."""
        return self._admin("POST", "/clock/next")

    def freeze(self):
        """Stops it where it stands."""
        return self._admin("POST", "/clock/freeze")

    def thaw(self):
        """Lets it run again as it ran before it was stopped."""
        return self._admin("POST", "/clock/thaw")

    def set_mode(self, mode, factor=None):
        """`system`, `manual`, or `scaled` with so many seconds to each second of the machine."""
        body = {"mode": mode} if factor is None else {"mode": mode, "factor": factor}
        return self._admin("POST", "/clock/mode", body)


class Faults(Group):
    """Rules that disturb calls, or how what they began ends."""

    CONDITIONS = ("nth", "from", "every", "probability", "seed", "progress")
    EFFECTS = ("error", "latency_ms", "drop", "ends")
    REST = ("resource", "account", "max_hits", "expires_ms")

    def add(self, action="*", **rule):
        """Makes a rule stand: `add("DeleteSnapshot", error="Throttling.User", nth=2)`.

        Conditions: nth, from_, every, probability, seed, progress. Effects: error, latency_ms, drop, ends. Also:
        resource, account, max_hits, expires_ms.
        """
        rule = {name.rstrip("_"): value for name, value in rule.items()}
        unknown = set(rule) - {*self.CONDITIONS, *self.EFFECTS, *self.REST}
        if unknown:
            raise TypeError(f"no such part of a rule: {', '.join(sorted(unknown))}")
        body = {"action": action} | {name: rule[name] for name in self.REST if name in rule}
        body["when"] = {name: rule[name] for name in self.CONDITIONS if name in rule}
        body["effect"] = {name: rule[name] for name in self.EFFECTS if name in rule}
        return self._admin("POST", "/faults", body)

    def list(self):
        """The rules that stand, with their hits."""
        return self._admin("GET", "/faults")

    def remove(self, rule):
        """Takes a rule away: its id, or what `add` returned."""
        return self._admin("DELETE", f"/faults/{rule['id'] if isinstance(rule, dict) else rule}")

    def clear(self):
        return self._admin("DELETE", "/faults")


class Locks(Group):
    """Rows that are held: calls that need them are refused with `Operation.Conflict`."""

    def hold(self, resource, **more):
        """Holds a resource by its id; more: name, mode (`exclusive` or `shared`), account, expires_ms."""
        return self._admin("POST", "/locks", {"resource": resource, **more})

    def list(self):
        return self._admin("GET", "/locks")

    def release(self, name):
        """Releases a lock by its name, which is the id of its resource unless it has another."""
        return self._admin("DELETE", f"/locks/{quote(name)}")

    def clear(self):
        return self._admin("DELETE", "/locks")


class Lag(Group):
    """Reads that trail the writes."""

    def set(self, ms, **which):
        """Lets reads trail by so many milliseconds; which: action, account."""
        return self._admin("POST", "/lag", {"ms": ms, **which})

    def clear(self):
        return self._admin("DELETE", "/lag")


class Requests(Group):
    """The log of requests."""

    def list(self, **which):
        """The last requests, the oldest first; which: action, code, account, since, after, limit."""
        return self._admin("GET", f"/requests?{urlencode(which)}")

    def clear(self):
        return self._admin("DELETE", "/requests")
