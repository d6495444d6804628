//! The gateway: formats, schemes, the order of its checks, each of its codes, and input that no client would send.

use std::fmt::Write as _;

use crate::support::answer::Answer;
use crate::support::request::{Place, Request, Sent, raw};
use crate::support::{OTHER_KEY, REGION, TestApp};

fn describe() -> Request {
    Request::new("DescribeSnapshots", &[("RegionId", REGION)])
}

#[tokio::test]
async fn both_schemes_both_methods_and_every_place_are_taken() {
    let app = TestApp::new().await;
    for method in ["GET", "POST"] {
        for place in [Place::Query, Place::Form, Place::Split] {
            if method == "POST" || place == Place::Query {
                app.send(describe().method(method).place(place)).await.accepted();
                app.send(describe().method(method).place(place).v3()).await.accepted();
            }
        }
    }
    let empty = Request::new("DescribeSnapshots", &[("DiskId", ""), ("Tag.1.Value", "")]);
    app.send(empty.set("SignatureType", "")).await.accepted();
}

#[tokio::test]
async fn the_format_is_what_was_asked_for_and_xml_by_default() {
    let app = TestApp::new().await;
    let kind = async |request: Request| app.send(request).await.content_type;
    for json in ["JSON", "json", "Json"] {
        assert_eq!(kind(describe().format(json)).await, "application/json;charset=utf-8");
    }
    assert_eq!(kind(describe().format("xml")).await, "text/xml;charset=utf-8");
    assert_eq!(kind(describe().without("Format")).await, "text/xml;charset=utf-8");
    assert_eq!(kind(describe().v3()).await, "application/json;charset=utf-8");
    app.send(describe().format("YAML")).await.refused(400, "InvalidParameter.Format");
}

#[tokio::test]
async fn each_missing_common_parameter_is_named() {
    let app = TestApp::new().await;
    for name in
        ["Version", "Action", "AccessKeyId", "Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion"]
    {
        for format in ["JSON", "XML"] {
            let answer = app.send(describe().format(format).without(name)).await.refused(400, "MissingParameter");
            assert!(answer.message().contains(name), "{}", answer.text);
        }
    }
    let answer = app.send(describe().signature("")).await.refused(400, "MissingParameter");
    assert!(answer.message().contains("Signature"), "{}", answer.text);
}

#[tokio::test]
async fn each_common_code_is_reached() {
    let app = TestApp::new().await;
    let cases: [(Request, u16, &str); 16] = [
        (describe().set("Version", "2013-01-10"), 400, "InvalidVersion"),
        (describe().set("Action", "MakeCoffee"), 404, "InvalidAction.NotFound"),
        (describe().set("AccessKeyId", "nobody"), 404, "InvalidAccessKeyId.NotFound"),
        (describe().key(("offid", "offsecret")), 400, "InvalidAccessKeyId.Inactive"),
        (describe().key(("testid", "wrong")), 400, "SignatureDoesNotMatch"),
        (describe().v3().key(("testid", "wrong")), 400, "SignatureDoesNotMatch"),
        (describe().signature("x"), 400, "SignatureDoesNotMatch"),
        (describe().set("SignatureMethod", "HMAC-SHA256"), 400, "InvalidSignatureMethod"),
        (describe().set("SignatureVersion", "2.0"), 400, "InvalidParameter"),
        (describe().set("Timestamp", "yesterday"), 400, "InvalidTimeStamp.Format"),
        (describe().set("Timestamp", "2026-01-01T00:00Z"), 400, "InvalidTimeStamp.Format"),
        (describe().v3().signature("ACS3-HMAC-SHA256 nonsense"), 400, "IncompleteSignature"),
        (
            describe().v3().signature("ACS3-RSA-SHA256 Credential=a,SignedHeaders=b,Signature=c"),
            400,
            "InvalidSignatureMethod",
        ),
        (describe().set("SignatureType", "BEARERTOKEN"), 400, "UnsupportedSignatureType"),
        (describe().key(("stsid", "stssecret")), 400, "MissingSecurityToken"),
        (describe().set("SecurityToken", "any"), 400, "InvalidSecurityToken.Malformed"),
    ];
    for (request, status, code) in cases {
        app.send(request.clone()).await.refused(status, code);
        if !format!("{request:?}").contains("v3: true") {
            app.send(request.format("XML")).await.refused(status, code);
        }
    }
    let answer = app.send(describe().set("Action", "DescribeSecurityGroups")).await;
    let answer = answer.refused(404, "InvalidAction.NotFound");
    assert!(answer.message().contains("does not emulate"), "{}", answer.text);
    for nowhere in ["Foo", "describesecuritygroups", "DescribeSecurityGroup"] {
        let answer = app.send(describe().set("Action", nowhere)).await.refused(404, "InvalidAction.NotFound");
        assert_eq!(answer.message(), "Specified api is not found, please check your url and method.");
    }
}

#[tokio::test]
async fn a_wrong_signature_is_told_what_was_signed() {
    let app = TestApp::new().await;
    let answer = app.send(describe().signature("x")).await.refused(400, "SignatureDoesNotMatch");
    let (_, signed) = answer.message().split_once("server string to sign is:").expect("the text that SDKs look for");
    assert!(signed.starts_with("POST&%2F&AccessKeyId%3Dtestid"), "{signed}");
}

#[tokio::test]
async fn the_window_of_the_clock_is_fifteen_minutes_either_way() {
    let app = TestApp::new().await;
    for (time, fine) in [
        ("2025-12-31T23:45:00Z", true),
        ("2026-01-01T00:15:00Z", true),
        ("2025-12-31T23:44:59Z", false),
        ("2026-01-01T00:15:01Z", false),
        ("1970-01-01T00:00:00Z", false),
        ("9999-12-01T00:00:00Z", false),
    ] {
        let answer = app.send(describe().set("Timestamp", time)).await;
        let answer =
            if fine { answer.accepted().to_string() } else { answer.refused(400, "InvalidTimeStamp.Expired").text };
        assert!(!answer.is_empty());
    }
    app.advance("400d").await;
    app.send(describe()).await.accepted();
}

#[tokio::test]
async fn a_nonce_is_good_for_one_valid_request_of_its_key() {
    let app = TestApp::new().await;
    let request = describe().set("SignatureNonce", "nonce-1");
    app.send(request.clone().signature("x")).await.refused(400, "SignatureDoesNotMatch");
    app.send(request.clone()).await.accepted();
    app.send(request.clone()).await.refused(400, "SignatureNonceUsed");
    app.send(request.clone().v3()).await.refused(400, "SignatureNonceUsed");
    app.send(request.clone().signature("x")).await.refused(400, "SignatureNonceUsed");
    app.send(request.key(OTHER_KEY)).await.accepted();
}

#[tokio::test]
async fn a_refused_action_still_uses_its_nonce() {
    let app = TestApp::new().await;
    let request = Request::new("DeleteSnapshot", &[]).set("SignatureNonce", "nonce-2");
    app.send(request.clone()).await.refused(400, "MissingParameter");
    app.send(request).await.refused(400, "SignatureNonceUsed");
}

#[tokio::test]
async fn an_sts_key_needs_its_own_token() {
    let app = TestApp::new().await;
    let key = ("stsid", "stssecret");
    app.send(describe().key(key).set("SecurityToken", "ststoken")).await.accepted();
    app.send(describe().v3().key(key).header("x-acs-security-token", "ststoken")).await.accepted();
    let wrong = describe().key(key).set("SecurityToken", "other");
    app.send(wrong).await.refused(400, "InvalidSecurityToken.MismatchWithAccessKey");
}

#[tokio::test]
async fn the_exact_spelling_of_a_parameter_wins() {
    let app = TestApp::new().await;
    let params = [("regionId", "nowhere"), ("RegionId", REGION), ("pagesize", "x")];
    app.ok("DescribeSnapshots", &params).await;
    app.refused("DescribeSnapshots", &[("regionId", "nowhere")], 404, "InvalidRegionId.NotFound").await;
}

/// Sends what no SDK would; whatever comes back is an error in the vendor's form and not the daemon's fault.
async fn odd(app: &TestApp, method: &str, target: &str, body: &[u8]) -> Answer {
    let answer = app.exchange(raw(method, target, body.to_vec()), Sent::nothing()).await;
    assert!((400..500).contains(&answer.status), "{method} {target}: {}", answer.text);
    answer
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_the_vendors_form() {
    let app = TestApp::with(|config| config.limits.body_bytes = 10_000).await;
    for query in ["a=%", "a=%2", "a=%zz", "%=1", "a=%ff%fe", "%C3=1"] {
        odd(&app, "GET", &format!("/?{query}"), b"").await.refused(400, "MalformedRequest");
        odd(&app, "POST", "/", query.as_bytes()).await.refused(400, "MalformedRequest");
    }
    let many = "a=1&".repeat(10_000);
    odd(&app, "GET", &format!("/?{many}"), b"").await.refused(413, "RequestTooLarge");
    odd(&app, "POST", "/", &b"a=1&".repeat(2_400)).await.refused(413, "RequestTooLarge");
    odd(&app, "POST", "/", &b"a".repeat(10_001)).await.refused(413, "RequestTooLarge");
    odd(&app, "POST", "/", &b"a".repeat(200_000)).await.refused(413, "RequestTooLarge");
    odd(&app, "GET", "/", b"").await.refused(400, "MissingParameter");
    odd(&app, "POST", "/", b"\0\0\0").await.refused(400, "MissingParameter");
    odd(&app, "POST", "/", b"{\"Action\":").await.refused(400, "MissingParameter");
    for method in ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        if method != "HEAD" {
            odd(&app, method, "/", b"").await.refused(403, "UnsupportedHTTPMethod");
        }
    }
    for path in ["/x", "//", "/../", "/index.php", "/%2e%2e/", "/?/../x"] {
        odd(&app, "GET", path, b"").await;
    }
}

#[tokio::test]
async fn absurd_parameters_are_refused_and_never_fail() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let before = app.resources().await;
    let huge = "9".repeat(400);
    let long = "x".repeat(50_000);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for value in [
        "",
        "-1",
        "1.5",
        "0x10",
        "1e9",
        &huge,
        "NaN",
        "null",
        "true",
        "\u{0}",
        "\u{202e}",
        "'; DROP TABLE snapshots; --",
        &long,
        &deep,
    ] {
        for name in [
            "PageSize",
            "PageNumber",
            "MaxResults",
            "NextToken",
            "SnapshotIds",
            "Status",
            "Tag.1.Key",
            "Filter.1.Value",
            "Encrypted",
            "DiskId",
        ] {
            for format in ["JSON", "XML"] {
                let request = Request::new("DescribeSnapshots", &[(name, value)]).place(Place::Form).format(format);
                let answer = app.send(request).await;
                assert!(answer.status < 500, "{name}={value:.40}: {}", answer.text);
            }
        }
        let params = [("SnapshotId", id.as_str()), ("RetentionDays", value), ("Description", value)];
        let answer = app.send(Request::new("ModifySnapshotAttribute", &params).place(Place::Form)).await;
        assert!((400..500).contains(&answer.status), "{value:.40} is nothing to set: {}", answer.text);
    }
    for name in
        ["Tag.99999999999999999999.Key", "Tag.0.Key", "Tag.-1.Key", "Tag..Key", "Tag.1.Key.1.Key", ".", "SnapshotId.1"]
    {
        let answer = app.call("DescribeSnapshots", &[(name, "x")]).await;
        assert!(answer.status < 500, "{name}: {}", answer.text);
    }
    assert_eq!(app.resources().await, before);
}

#[tokio::test]
async fn a_repeated_parameter_is_no_crash_and_changes_nothing_unsigned() {
    let app = TestApp::new().await;
    let twice = Request::new("DeleteSnapshot", &[("SnapshotId", "s-1"), ("SnapshotId", "s-2")]);
    app.send(twice).await.refused(404, "InvalidSnapshotId.NotFound");
    let (mut query, _, _) = describe().parts();
    let _ = write!(query, "&SnapshotIds=%5B%5D");
    let answer = app.exchange(raw("POST", &format!("/?{query}"), Vec::new()), describe().sent()).await;
    answer.refused(400, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn two_thousand_parameters_are_read_and_one_more_is_too_many() {
    let app = TestApp::with(|config| config.limits.parameters = 100).await;
    let names: Vec<String> = (0..100).map(|n| format!("Ignored.{n}")).collect();
    let params: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    app.send(Request::new("DescribeSnapshots", &params[..80])).await.accepted();
    app.send(Request::new("DescribeSnapshots", &params)).await.refused(413, "RequestTooLarge");
}
