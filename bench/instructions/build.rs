//! Compiles the one macro of valgrind's that the cases use.

fn main() {
    println!("cargo:rerun-if-changed=toggle.c");
    cc::Build::new().file("toggle.c").compile("toggle");
}
