//! The manifest against its explanation: every direct dependency has a reason in docs/dependencies.md, and nothing else has one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

fn in_manifest() -> BTreeSet<String> {
    let manifest = read("Cargo.toml");
    let mut is_list = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_list = line.trim_end().ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| is_list) {
            names.insert(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    names
}

#[test]
fn every_dependency_has_its_reason_and_no_other_has_one() {
    let text = read("docs/dependencies.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    let explained: Vec<(&str, &str)> = lines.collect();
    let names: BTreeSet<String> = explained.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, in_manifest());
    assert_eq!(names.len(), explained.len(), "each stands there once");
    for (name, reason) in explained {
        assert!(reason.len() >= 8 && reason.ends_with('.'), "{name}: {reason}");
    }
}
