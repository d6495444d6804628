"""The ways in which tools put a call on the wire, written after their sources: each parameter has its place.

`Tea` is what Terraform has (tea-rpc): signed by v1, common parameters and some others in the query, the rest in a
form, and `Format` in lower case. `Sdk` is alibaba-cloud-sdk-go of Packer, CSI, BOSH, Steampipe and the CLI: signed by
v1, all in the query, with RegionId and `SignatureType`. `Acs3` is darabonba-openapi of Velero and of nuke: signed by
ACS3, action and version in headers, nothing common in the query.
"""

import base64
import hashlib
import hmac
import http.client
import json
import uuid
from datetime import datetime, timezone
from urllib.parse import quote

from support.daemon import wait_until

REGION = "cn-hangzhou"
KEY, SECRET = "testid", "testsecret"
VERSION = "2014-05-26"
FORM = "application/x-www-form-urlencoded"


def instant(row):
    """When it was made; scripts and tools parse just this form."""
    return datetime.strptime(row["CreationTime"], "%Y-%m-%dT%H:%M:%SZ")


class Refused(Exception):
    """An answer that is an error, in the words that tools look at."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status, self.code, self.message, self.request_id = status, body["Code"], body["Message"], body["RequestId"]


def flat(parameters):
    """Lists become Name.1, maps Name.Key, and every value text, as each of the SDKs does it."""
    pairs = {}

    def add(name, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                add(f"{name}.{key}", inner)
        elif isinstance(value, list):
            for position, inner in enumerate(value, 1):
                add(f"{name}.{position}", inner)
        else:
            pairs[name] = str(value).lower() if isinstance(value, bool) else str(value)

    for name, value in (parameters or {}).items():
        add(name, value)
    return pairs


def tags(**pairs):
    """The parameter Tag with these pairs; an underscore stands for a dot."""
    return {"Tag": [{"Key": key.replace("_", "."), "Value": value} for key, value in pairs.items()]}


def text(pairs):
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(pairs.items()))


def v1(method, pairs):
    """The pairs with the signature of the RPC style."""
    what = f"{method}&%2F&{quote(text(pairs), safe='~')}"
    made = hmac.new(f"{SECRET}&".encode(), what.encode(), hashlib.sha1).digest()
    return pairs | {"Signature": base64.b64encode(made).decode()}


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Wire:
    """One call at a time, over a kept connection."""

    # The Go clients take these for a failure, whatever the status.
    failures = ("Code", "Success", "Message")

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.connection = http.client.HTTPConnection(endpoint)

    def send(self, method, query, body, headers):
        """The parsed answer; whatever comes must be JSON, for tools read an error page like an answer."""
        self.connection.request(method, f"/?{query}" if query else "/", body, headers)
        answer = self.connection.getresponse()
        body = json.loads(answer.read())
        assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
        if answer.status != 200:
            raise Refused(answer.status, body)
        assert body.keys().isdisjoint(self.failures), body
        assert body["RequestId"]
        return body

    def refused(self, action, *parameters):
        """Code and status of the refusal."""
        try:
            answer = self.call(action, *parameters)
        except Refused as refused:
            return refused.code, refused.status
        raise AssertionError(f"{action} was answered: {answer}")

    def listed(self, action, parameters=None):
        """The rows of a Describe... action, which stand in an array inside an object, even if there are none."""
        answer = self.call(action, parameters)
        (rows,) = [inner for value in answer.values() if isinstance(value, dict) for inner in value.values()]
        assert isinstance(rows, list)
        return rows

    def snapshots(self, *ids):
        return self.listed("DescribeSnapshots", {"RegionId": REGION, "SnapshotIds": json.dumps(ids)})

    def disks(self, *ids):
        return self.listed("DescribeDisks", {"RegionId": REGION, "DiskIds": json.dumps(ids)})

    def reaches(self, rows, status, *ids, delay="3s"):
        """The one row of `rows(*ids)` once its Status is this; the pauses of the tool pass on the daemon's clock."""

        def probe():
            (row,) = rows(*ids)
            if row["Status"] == status:
                return row
            self.later(delay)

        return wait_until(probe)

    def lever(self, path, **body):
        """Moves a lever of the daemon, which no tool does."""
        self.connection.request("POST", f"/_snapshotd{path}", json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        told = answer.read()
        assert answer.status < 300, told

    def later(self, by):
        """Lets time pass, as `1m` or `2h`."""
        self.lever("/clock/advance", by=by)

    def accomplished(self, snapshot):
        return self.reaches(self.snapshots, "accomplished", snapshot, delay="5s")


class Tea(Wire):
    """tea-rpc: `form` goes into the body, `query` beside the common parameters; no RegionId of its own."""

    def call(self, action, form=None, query=None):
        common = {"Action": action, "Format": "json", "Version": VERSION, "Timestamp": now(), "AccessKeyId": KEY}
        common |= {"SignatureNonce": uuid.uuid4().hex, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0"}
        common |= flat(query)
        form = flat(form)
        common["Signature"] = v1("POST", common | form)["Signature"]
        headers = {"Content-Type": FORM, "x-acs-version": VERSION, "x-acs-action": action}
        return self.send("POST", text(common), text(form), headers)


class Sdk(Wire):
    """alibaba-cloud-sdk-go: everything in the query of a POST whose form is empty."""

    def __init__(self, endpoint, region=REGION, version=VERSION, host=None):
        super().__init__(endpoint)
        self.region, self.version = region, version
        self.host = {"Host": host} if host else {}

    def call(self, action, parameters=None):
        common = {"Action": action, "Format": "JSON", "Version": self.version, "Timestamp": now(), "AccessKeyId": KEY}
        common |= {"SignatureNonce": uuid.uuid4().hex, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0"}
        common |= {"SignatureType": "", "RegionId": self.region} | flat(parameters)
        headers = {"Content-Type": FORM, "x-sdk-client": "golang/1.0.0", "x-sdk-invoke-type": "normal"}
        return self.send("POST", text(v1("POST", common)), "", headers | self.host)


class Sts(Sdk):
    """The STS product of that SDK, by the name that the cloud has for it unless told otherwise."""

    def __init__(self, endpoint, host="sts.aliyuncs.com"):
        super().__init__(endpoint, version="2015-04-01", host=host)


class Location(Sdk):
    """Its location service, whose answers say Success and are taken as they are."""

    failures = ("Code", "Message")

    def __init__(self, endpoint, host="location-readonly.aliyuncs.com"):
        super().__init__(endpoint, version="2015-06-12", host=host)


class Acs3(Wire):
    """darabonba-openapi: the parameters of the action alone, and a signature over headers."""

    def call(self, action, parameters=None):
        query = text(flat(parameters))
        empty = hashlib.sha256(b"").hexdigest()
        headers = {
            "host": self.endpoint,
            "x-acs-version": VERSION,
            "x-acs-action": action,
            "x-acs-date": now(),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": empty,
        }
        signed = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = "\n".join(["POST", "/", query, lines, signed, empty])
        what = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        made = hmac.new(SECRET.encode(), what.encode(), hashlib.sha256).hexdigest()
        headers["Authorization"] = f"ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={signed},Signature={made}"
        return self.send("POST", query, "", headers | {"accept": "application/json"})
