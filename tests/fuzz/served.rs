//! Properties of the whole service, in process and over a socket: an answer in the vendor's form, never its own failure.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::Value;
use snapshotd::api::registry;
use snapshotd::clock::{Clock, Timestamp};
use snapshotd::config::Config;
use snapshotd::wire::server::{self, Listeners};
use snapshotd::wire::{form, http, signature_v1};
use snapshotd::{App, ids};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::xml;

const NOW: &str = "2026-01-01T00:00:00Z";
/// After so many inputs the service is made anew: what calls leave behind is not what is looked at.
const RENEWED: u64 = 20_000;

struct Served {
    runtime: Runtime,
    app: Arc<App>,
    router: Router,
    _folder: TempDir,
    inputs: u64,
}

struct Answered {
    status: u16,
    content_type: String,
    text: String,
}

impl Served {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::embedded();
        config.data_dir = folder.path().join("data");
        config.lifecycle.snapshot_ms = 0;
        change(&mut config);
        let now = Timestamp::parse(NOW).expect("a time");
        let opening = App::open_with_clock(config, Clock::manual(now).with_wall(now));
        let app = runtime.block_on(opening).expect("it opens");
        let router = http::router(Arc::clone(&app));
        Self { runtime, app, router, _folder: folder, inputs: 0 }
    }

    /// With an instance whose disk has more snapshots than a page.
    fn furnished() -> Self {
        let served = Self::new(|_| {});
        let instance = [
            ("Action", "RunInstances"),
            ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
            ("InstanceType", "ecs.g7.large"),
            ("SystemDisk.Category", "cloud_essd"),
        ];
        assert_eq!(served.call(&owned(&instance)).status, 200);
        let disks = served.call(&owned(&[("Action", "DescribeDisks"), ("RegionId", "cn-hangzhou")])).body();
        let disk = disks["Disks"]["Disk"][0]["DiskId"].as_str().expect("a disk").to_owned();
        for number in 0..25 {
            let name = format!("name-{number}");
            let snapshot =
                [("Action", "CreateSnapshot"), ("DiskId", &disk), ("SnapshotName", &name), ("Tag.1.Key", &name)];
            assert_eq!(served.call(&owned(&snapshot)).status, 200);
        }
        served
    }

    fn is_used_up(&mut self) -> bool {
        self.inputs += 1;
        self.inputs.is_multiple_of(RENEWED)
    }

    fn send(&self, request: Request<Body>) -> Answered {
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
            let status = response.status().as_u16();
            let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
            let text = String::from_utf8(bytes.into()).expect("UTF-8");
            Answered { status, content_type, text }
        })
    }

    /// Signs the parameters, without those that are not the caller's to choose here, and sends them as a form.
    fn call(&self, params: &[(String, String)]) -> Answered {
        let nonce = ids::nonce();
        let common = [
            ("Version", "2014-05-26"),
            ("AccessKeyId", "testid"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", NOW),
        ];
        let is_taken = |name: &str| {
            let spoils = ["Signature", "SignatureType", "BearerToken", "SecurityToken"];
            let taken = common.iter().map(|(taken, _)| *taken).chain(spoils);
            taken.into_iter().any(|taken| taken.eq_ignore_ascii_case(name))
        };
        let own = params.iter().filter(|(name, _)| !is_taken(name)).cloned();
        let mut pairs: Vec<_> = owned(&common).into_iter().chain(own).collect();
        if !pairs.iter().any(|(name, _)| name == "Format") {
            pairs.push(("Format".to_owned(), "JSON".to_owned()));
        }
        let text = signature_v1::string_to_sign("POST", &pairs);
        pairs.push(("Signature".to_owned(), signature_v1::sign("testsecret", &text)));
        let body = form::encoded_pairs(&pairs);
        let request = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        self.send(request.header("host", "localhost").body(Body::from(body)).expect("a request"))
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Answered {
    fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Judges the form of the answer; its code, empty for a success.
    fn judged(&self) -> String {
        assert!((200..500).contains(&self.status), "{} {}", self.status, self.text);
        let leaves = match self.content_type.as_str() {
            "application/json;charset=utf-8" => {
                let body: Value = serde_json::from_str(&self.text).expect("what JSON is");
                let members = body.as_object().expect("an object").iter();
                members.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
            }
            "text/xml;charset=utf-8" => {
                let leaves = xml::leaves(&self.text).unwrap_or_else(|why| panic!("{why}: {}", self.text));
                leaves
                    .into_iter()
                    .map(|(path, text)| (path.split_once('/').expect("a root").1.to_owned(), text))
                    .collect()
            }
            other => panic!("{other}: {}", self.text),
        };
        let leaves: Vec<(String, String)> = leaves;
        let of = |name: &str| leaves.iter().find(|(at, _)| at == name).map(|(_, text)| text.clone());
        assert_eq!(of("RequestId").map(|id| id.len()), Some(36), "{}", self.text);
        if self.status == 200 {
            assert_eq!(of("Code"), None, "{}", self.text);
            return String::new();
        }
        for name in ["HostId", "Message", "Recommend"] {
            assert!(of(name).is_some_and(|text| !text.is_empty()), "{name}: {}", self.text);
        }
        of("Code").filter(|code| !code.is_empty()).expect("a code")
    }
}

/// The parameters that the input is, with this action unless it names one of these.
fn parameters(input: &[u8], is_fine: fn(&str) -> bool, default: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    form::decode(input, &mut pairs, 500).ok()?;
    if !pairs.iter().any(|(name, value)| name == "Action" && is_fine(value)) {
        pairs.retain(|(name, _)| !name.eq_ignore_ascii_case("Action"));
        pairs.push(("Action".to_owned(), default.to_owned()));
    }
    Some(pairs)
}

fn is_reading(action: &str) -> bool {
    action.starts_with("Describe") || action.starts_with("List")
}

/// Filters and page tokens: a token that was given out is taken, and whatever else is sent is no failure.
pub fn pages() -> impl FnMut(&[u8]) -> String {
    let mut served = Served::furnished();
    move |input| {
        if served.is_used_up() {
            served = Served::furnished();
        }
        let Some(pairs) = parameters(input, is_reading, "DescribeSnapshots") else { return "not decoded".to_owned() };
        let answer = served.call(&pairs);
        let code = answer.judged();
        let token = answer.body()["NextToken"].as_str().unwrap_or_default().to_owned();
        if !token.is_empty() {
            let mut next = pairs.clone();
            next.retain(|(name, _)| !name.eq_ignore_ascii_case("NextToken"));
            next.push(("NextToken".to_owned(), token));
            let next = served.call(&next);
            assert_eq!(next.judged(), "", "its own token: {}", next.text);
        }
        format!("{} {code} {}", action_of(&pairs), answer.text.len() / 256)
    }
}

fn action_of(pairs: &[(String, String)]) -> &str {
    pairs.iter().find(|(name, _)| name == "Action").map_or("", |(_, value)| value)
}

/// Any parameters of any action.
pub fn actions() -> impl FnMut(&[u8]) -> String {
    let mut served = Served::furnished();
    let names: Vec<&str> =
        registry::all().filter(|entry| entry.version == "2014-05-26").map(|entry| entry.name).collect();
    move |input| {
        if served.is_used_up() {
            served = Served::furnished();
        }
        let nth = input.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        let is_fine = |name: &str| registry::find("2014-05-26", name).is_some();
        let Some(pairs) = parameters(input, is_fine, names[nth % names.len()]) else { return "not decoded".to_owned() };
        let code = served.call(&pairs).judged();
        format!("{} {code}", action_of(&pairs))
    }
}

/// A request of any method, target, headers and body that HTTP can carry; the levers are switched off.
pub fn http() -> impl FnMut(&[u8]) -> String {
    let served = Served::new(|config| config.admin.enabled = false);
    move |input| {
        let split = input.windows(2).position(|two| two == b"\n\n");
        let (head, body) = split.map_or((input, &input[input.len()..]), |at| (&input[..at], &input[at + 2..]));
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let space = first.iter().position(|byte| *byte == b' ').unwrap_or(first.len());
        let target = first.get(space + 1..).unwrap_or_default();
        let (method, uri) = (Method::from_bytes(&first[..space]), Uri::try_from(target));
        let (Ok(method), Ok(uri)) = (method, uri) else { return "no request".to_owned() };
        if matches!(uri.path(), "/healthz" | "/readyz") || method == Method::HEAD {
            return "a probe".to_owned();
        }
        let mut request = Request::new(Body::from(body.to_vec()));
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        for line in lines {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let value = line[colon + 1..].trim_ascii();
            let pair = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value));
            if let (Ok(name), Ok(value)) = pair {
                request.headers_mut().append(name, value);
            }
        }
        let answer = served.send(request);
        let code = answer.judged();
        assert_ne!(code, "", "nothing of this is signed right: {}", answer.text);
        format!("{} {code} {}", answer.status, answer.content_type.len())
    }
}

/// Bytes on a socket: the connection ends, every answer is one of HTTP, and none is the service's failure.
pub fn socket() -> impl FnMut(&[u8]) -> String {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let served = Served::new(|config| {
        config.admin.enabled = false;
        (config.limits.head_ms, config.limits.body_ms, config.limits.answer_ms) = (1_000, 1_000, 1_000);
    });
    let app = Arc::clone(&served.app);
    let address: SocketAddr = runtime.block_on(async {
        let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = plain.local_addr().expect("an address");
        tokio::spawn(server::serve(app, Listeners { plain, tls: None }, std::future::pending()));
        address
    });
    move |input| {
        let _ = (&served, &runtime);
        let mut stream = TcpStream::connect(address).expect("it accepts");
        stream.set_read_timeout(Some(Duration::from_secs(4))).expect("a timeout");
        // It may answer and close before all is sent.
        let _ = stream.write_all(input).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it was not closed in time");
        }
        let text = String::from_utf8_lossy(&answer);
        assert!(text.is_empty() || text.starts_with("HTTP/1."), "{text}");
        let statuses: Vec<&str> =
            text.match_indices("HTTP/1.").filter_map(|(at, _)| text.get(at + 9..at + 12)).collect();
        assert!(statuses.iter().all(|status| !status.starts_with('5')), "{text}");
        statuses.join(" ")
    }
}
