//! Pages of `DescribeSnapshots` over 250 rows: by number, by token, by both; each row once, newest first.

use serde_json::Value;

use crate::support::answer::snapshot_ids;
use crate::support::{REGION, TestApp};

const DESCRIBE: &str = "DescribeSnapshots";
const ROWS: usize = 250;

/// 250 snapshots of a few instants, so that ids decide among equals; newest first.
async fn many(app: &TestApp) -> Vec<String> {
    let mut made = Vec::new();
    for _ in 0..ROWS / 10 {
        let disk = app.attached_disk().await;
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(app.snapshot(&disk).await);
        }
        ids.sort();
        made.extend(ids);
        app.advance("1m").await;
    }
    made.reverse();
    made
}

fn fields(body: &Value) -> Vec<&str> {
    let all = ["NextToken", "PageNumber", "PageSize", "TotalCount"];
    all.into_iter().filter(|name| body.get(*name).is_some()).collect()
}

async fn by_token(app: &TestApp, params: &[(&str, &str)]) -> (Vec<String>, usize) {
    let (mut ids, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let mut params = params.to_vec();
        if !token.is_empty() {
            params.push(("NextToken", &token));
        }
        let body = app.ok(DESCRIBE, &params).await;
        pages += 1;
        ids.extend(snapshot_ids(&body));
        let next = body["NextToken"].as_str().expect("a token on every page");
        if next.is_empty() {
            return (ids, pages);
        }
        next.clone_into(&mut token);
    }
}

async fn by_number(app: &TestApp, size: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1.. {
        let number = number.to_string();
        let body = app.ok(DESCRIBE, &[("RegionId", REGION), ("PageSize", size), ("PageNumber", &number)]).await;
        assert_eq!(fields(&body), ["PageNumber", "PageSize", "TotalCount"]);
        assert_eq!((&body["TotalCount"], body["PageNumber"].to_string()), (&ROWS.into(), number));
        let page = snapshot_ids(&body);
        if page.is_empty() {
            break;
        }
        ids.extend(page);
    }
    ids
}

#[tokio::test]
async fn every_walk_shows_each_row_once_newest_first() {
    let app = TestApp::new().await;
    let wanted = many(&app).await;
    for size in ["10", "33", "100"] {
        assert_eq!(by_number(&app, size).await, wanted, "by number, {size} a page");
        let (ids, _) = by_token(&app, &[("MaxResults", size)]).await;
        assert_eq!(ids, wanted, "by token, {size} a page");
    }
    let (ids, pages) = by_token(&app, &[("MaxResults", "1")]).await;
    assert_eq!((ids, pages), (wanted.clone(), 25), "below ten counts as ten");
    let (ids, pages) = by_token(&app, &[("MaxResults", "5000")]).await;
    assert_eq!((ids, pages), (wanted.clone(), 3), "above a hundred counts as a hundred");
    let (ids, pages) = by_token(&app, &[]).await;
    assert_eq!((ids, pages), (wanted.clone(), 25), "nothing sent: tokens work too");
    let (ids, pages) = by_token(&app, &[("PageSize", "50"), ("PageNumber", "1"), ("MaxResults", "50")]).await;
    assert_eq!((ids, pages), (wanted.clone(), 5), "both kinds at once, as Terraform does");
    let far = app.ok(DESCRIBE, &[("PageNumber", "3"), ("PageSize", "100")]).await;
    assert_eq!(snapshot_ids(&far), wanted[200..], "a page out of order");
    let (ids, _) = by_token(&app, &[("MaxResults", "20"), ("Usage", "none"), ("SourceDiskType", "data")]).await;
    assert_eq!(ids, wanted, "with a filter");
}

#[tokio::test]
async fn the_fields_of_a_page_follow_what_was_sent() {
    let app = TestApp::new().await;
    for _ in 0..12 {
        app.snapshot(&app.attached_disk().await).await;
    }
    let all = ["NextToken", "PageNumber", "PageSize", "TotalCount"];
    let numbers = ["PageNumber", "PageSize", "TotalCount"];
    let cases: [(&[(&str, &str)], &[&str]); 6] = [
        (&[], &all),
        (&[("MaxResults", "10")], &["NextToken"]),
        (&[("PageNumber", "1")], &numbers),
        (&[("PageSize", "5")], &numbers),
        (&[("PageSize", "5"), ("MaxResults", "10")], &all),
        (&[("PageNumber", "1"), ("PageSize", "100"), ("MaxResults", "100")], &all),
    ];
    for (params, wanted) in cases {
        assert_eq!(fields(&app.ok(DESCRIBE, params).await), wanted, "{params:?}");
    }
    let body = app.ok(DESCRIBE, &[]).await;
    assert_eq!((&body["PageNumber"], &body["PageSize"], &body["TotalCount"]), (&1.into(), &10.into(), &12.into()));
    assert_eq!(app.ok(DESCRIBE, &[("MaxResults", "100")]).await["NextToken"], Value::from(""), "the last page says so");
}

#[tokio::test]
async fn rows_that_come_and_go_meanwhile_are_neither_repeated_nor_skipped() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let mut wanted = Vec::new();
    for _ in 0..40 {
        wanted.insert(0, app.accomplished_snapshot(&disk).await);
    }
    let mut seen = Vec::new();
    for number in ["1", "2", "3", "4"] {
        let body = app.ok(DESCRIBE, &[("PageNumber", number), ("PageSize", "10")]).await;
        seen.extend(snapshot_ids(&body));
        app.accomplished_snapshot(&disk).await;
        app.ok("DeleteSnapshot", &[("SnapshotId", &seen[seen.len() - 1])]).await;
    }
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn walks_through_one_list_go_on_side_by_side_and_a_first_page_begins_anew() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let mut before = Vec::new();
    for _ in 0..50 {
        before.insert(0, app.snapshot(&disk).await);
        app.advance("1m").await;
    }
    let page = async |number: &str| {
        let body = app.ok(DESCRIBE, &[("PageNumber", number), ("PageSize", "10")]).await;
        snapshot_ids(&body)
    };
    assert_eq!(page("1").await, before[..10]);
    assert_eq!(page("2").await, before[10..20], "one is to go on with the third page");
    assert_eq!(page("4").await, before[30..40], "another with the fifth");
    let newest = app.snapshot(&disk).await;
    assert_eq!(page("3").await, before[20..30], "where the second page ended");
    assert_eq!(page("5").await, before[40..], "where the fourth page ended");
    assert_eq!(page("3").await, before[19..29], "nobody is to go on there any more");
    assert_eq!(page("4").await, before[29..39]);
    assert_eq!(page("1").await[0], newest);
    assert_eq!(page("5").await, before[39..49], "a first page begins anew");
}
