//! HTTPS as a client sees it that trusts the local CA and nothing else, and the files behind it.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use snapshotd::clock::Clock;
use snapshotd::wire::tls;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::daemon::{Daemon, PATIENCE, binary};
use crate::support::request::Request;

const ON: (&str, &str) = ("SNAPSHOTD_TLS__LISTEN", "127.0.0.1:0");

fn secure(folder: &Path, more: &[(&str, &str)]) -> Daemon {
    Daemon::start(folder, &[&[ON], more].concat())
}

/// Calls DescribeRegions over TLS as a client that trusts `roots` and expects a server of this name: the answer, or why
/// there is none.
fn call(daemon: &Daemon, roots: &str, name: &str) -> Result<String, String> {
    send(daemon, roots, name, Request::new("DescribeRegions", &[]))
}

fn send(daemon: &Daemon, roots: &str, name: &str, request: Request) -> Result<String, String> {
    let mut trusted = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        trusted.add(root.expect("PEM")).expect("a root");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let socket = TcpStream::connect(daemon.tls_address.as_deref().expect("it has HTTPS")).expect("it accepts");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut stream = StreamOwned::new(session, socket);
    let now = Clock::system().wall_now().to_seconds();
    let (query, _, _) = request.set("Timestamp", &now).parts();
    let head = format!("POST /?{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let mut answer = String::new();
    std::io::Write::write_all(&mut stream, head.as_bytes()).map_err(|error| error.to_string())?;
    std::io::Read::read_to_string(&mut stream, &mut answer).map_err(|error| error.to_string())?;
    Ok(answer)
}

fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .arg("--data-dir")
        .arg(folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn ca(folder: &Path) -> String {
    let output = run(folder, &[], &["ca"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("PEM")
}

#[test]
fn a_client_that_trusts_the_ca_is_served_under_each_name_of_the_vendor_and_of_this_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = secure(folder.path(), &[("SNAPSHOTD_TLS__NAMES", "[\"snapshotd.internal\"]")]);
    let ca = ca(folder.path());
    for name in [
        "localhost",
        "127.0.0.1",
        "::1",
        "ecs.aliyuncs.com",
        "ecs-cn-hangzhou.aliyuncs.com",
        "ecs.cn-hangzhou.aliyuncs.com",
        "ecs.eu-central-1.aliyuncs.com",
        "snapshotd.internal",
    ] {
        let answer = call(&daemon, &ca, name).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("cn-hangzhou"), "{name}: {answer}");
    }
    let refused = call(&daemon, &ca, "aliyun.example").expect_err("not a name of its");
    assert!(refused.contains("certificate not valid for name"), "{refused}");
    let mut plain = daemon.connect();
    assert_eq!(plain.call("DescribeRegions", &[]).expect("an answer").status, 200);
    assert!(daemon.terminate().success());
}

#[test]
fn the_location_service_tells_the_protocol_of_the_listener_that_was_called() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = secure(folder.path(), &[]);
    let ca = ca(folder.path());
    let asked = || Request::new("DescribeEndpoints", &[("Id", "cn-hangzhou"), ("ServiceCode", "ecs")]);
    let asked = || asked().set("Version", "2015-06-12");
    let answer = send(&daemon, &ca, "localhost", asked()).expect("an answer");
    assert!(answer.contains(r#""Endpoint":"h""#) && answer.contains(r#"{"Protocols":["HTTPS"]}"#), "{answer}");
    let now = Clock::system().wall_now().to_seconds();
    let mut plain = daemon.connect();
    let (query, _, _) = asked().set("Timestamp", &now).parts();
    plain.send(&format!("POST /?{query} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")).expect("sent");
    let answer = plain.reply().expect("an answer").text;
    assert!(answer.contains(r#"{"Protocols":["HTTP"]}"#), "{answer}");
    assert!(daemon.terminate().success());
}

#[test]
fn the_ca_outlives_restarts_and_nobody_else_can_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = secure(folder.path(), &[]);
    let kept = ca(folder.path());
    assert!(call(&first, &kept, "localhost").is_ok());
    assert!(first.terminate().success());
    let second = secure(folder.path(), &[]);
    assert_eq!(ca(folder.path()), kept);
    assert!(call(&second, &kept, "localhost").is_ok());
    let mode =
        |name: &str| fs::metadata(folder.path().join("tls").join(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("ca.pem"), mode("ca-key.pem")), (0o700, 0o600, 0o600));

    let other = tempfile::tempdir().expect("a folder");
    let stranger = secure(other.path(), &[]);
    let refused = call(&stranger, &kept, "localhost").expect_err("another CA's");
    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[test]
fn a_certificate_of_the_users_own_is_presented_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("own.pem"), folder.path().join("own-key.pem"));
    let own = rcgen::generate_simple_self_signed(vec!["ecs.example".to_owned()]).expect("a certificate");
    fs::write(&certificate, own.cert.pem()).expect("written");
    fs::write(&key, own.signing_key.serialize_pem()).expect("written");
    let files = [
        ("SNAPSHOTD_TLS__CERT", certificate.to_str().expect("UTF-8")),
        ("SNAPSHOTD_TLS__KEY", key.to_str().expect("UTF-8")),
    ];
    let data = folder.path().join("data");
    let daemon = secure(&data, &files);
    assert!(call(&daemon, &own.cert.pem(), "ecs.example").is_ok());
    assert!(!data.join("tls").exists());
    let asked = run(&data, &files, &["ca"]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(tls::ca_certificate(&data).is_err());
}

#[test]
fn what_cannot_be_served_over_https_is_refused_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(run(folder.path(), &[], &["ca"]).status.code(), Some(1), "there is no CA yet");
    let missing = folder.path().join("missing.pem");
    let missing = missing.to_str().expect("UTF-8");
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("SNAPSHOTD_TLS__LISTEN", "here")], "ADDRESS:PORT"),
        (&[ON, ("SNAPSHOTD_TLS__CERT", missing)], "tls.cert, tls.key"),
        (&[ON, ("SNAPSHOTD_TLS__CERT", missing), ("SNAPSHOTD_TLS__KEY", missing)], "missing.pem"),
        (&[ON, ("SNAPSHOTD_TLS__NAMES", "[\"not a näme\"]")], "certificate"),
        (&[("SNAPSHOTD_TLS__LISTEN", "0.0.0.0:0")], "tls.listen"),
    ];
    for (variables, why) in cases {
        let output = run(folder.path(), variables, &["serve", "--listen", "127.0.0.1:0"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(why), "{variables:?}: {told}");
    }
}
