//! Turns the named steps on in this copy of the runtime, and in no other.

fn main() {
    println!("cargo::rustc-cfg=shmipc_steps");
    println!("cargo::rerun-if-changed=build.rs");
}
