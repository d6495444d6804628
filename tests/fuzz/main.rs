//! Fuzzing on stable Rust: inputs mutated from a kept corpus, short in `cargo test`, long with `-- --ignored`.
//!
//! `SNAPSHOTD_FUZZ_SECONDS=600 cargo test --release --test fuzz -- --ignored --test-threads 1 --nocapture` runs each target for
//! ten minutes; `SNAPSHOTD_TEST_SEED` is where the mutations begin. An input that breaks a property is stored in the corpus.

#![expect(clippy::disallowed_methods, reason = "how long to run and from which seed stands in the environment")]

mod driver;
mod pure;
#[path = "../it/support/random.rs"]
mod random;
mod served;
mod xml;

use driver::{Budget, run};

/// A short and a long form of each target.
macro_rules! targets {
    ($($name:ident: $inputs:literal, $property:expr;)*) => {
        mod short {
            $(#[test]
            fn $name() {
                super::run(stringify!($name), super::Budget::Inputs($inputs), $property);
            })*
        }

        mod long {
            $(#[test]
            #[ignore = "runs for as long as SNAPSHOTD_FUZZ_SECONDS says"]
            fn $name() {
                super::run(stringify!($name), super::Budget::long(), $property);
            })*
        }
    };
}

targets! {
    form: 3_000, crate::pure::form;
    parameters: 4_000, crate::pure::parameters;
    signature_v1: 1_500, crate::pure::signature_v1;
    signature_v3: 2_000, crate::pure::signature_v3;
    render: 1_000, crate::pure::render;
    pages: 400, crate::served::pages();
    actions: 400, crate::served::actions();
    http: 600, crate::served::http();
    socket: 400, crate::served::socket();
}
