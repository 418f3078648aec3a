//! What `#[derive(ShmMessage)]` accepts, and what it says about everything else.
//!
//! `TRYBUILD=overwrite` writes the `.stderr` files anew; read the difference before committing it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[test]
fn derive_ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
