//! What a screen shows of a source file: lines of at most 100 columns, and not too many of them.

use std::fs;
use std::path::{Path, PathBuf};

/// As in `rustfmt.toml`, which does not look at comments and literals.
const MOST_COLUMNS: usize = 100;
/// A file that grows beyond this has two subjects.
const MOST_LINES: usize = 500;

/// Where no sources are, or such that are what they test.
const LEFT_OUT: [&str; 4] = ["target", "corpus", "ui", ".git"];

/// What is wrong with one file.
fn complaints(source: &str) -> Vec<String> {
    let wide = source.lines().enumerate().filter(|(_, line)| {
        // A table's row in docs is one line, whatever stands in it.
        let text = line.trim_start();
        let is_row = ["/// |", "//! |"].iter().any(|begin| text.starts_with(begin));
        !is_row && line.chars().count() > MOST_COLUMNS
    });
    let mut all: Vec<String> = wide
        .map(|(index, line)| format!("line {} has {} columns", index + 1, line.chars().count()))
        .collect();
    let lines = source.lines().count();
    if lines > MOST_LINES {
        all.push(format!("it has {lines} lines"));
    }
    all
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !LEFT_OUT.contains(&name) {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn sources_fit_on_a_screen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 300, "only {} sources: is this the project's root?", found.len());
    let mut all = Vec::new();
    for path in found {
        let source = fs::read_to_string(&path).expect("a text");
        let shown = path.strip_prefix(&root).unwrap_or(&path).display();
        all.extend(complaints(&source).into_iter().map(|what| format!("{shown}: {what}")));
    }
    assert!(
        all.is_empty(),
        "at most {MOST_COLUMNS} columns, {MOST_LINES} lines:\n{}",
        all.join("\n")
    );
}

#[test]
fn what_is_too_wide_or_too_long_is_found() {
    let row = format!("    /// | an option | {} |", "x".repeat(MOST_COLUMNS));
    assert!(complaints(&format!("{}\n{row}\n", "ß".repeat(MOST_COLUMNS))).is_empty());
    let wide = format!("fn f() {{}}\n// {}\n", "x".repeat(MOST_COLUMNS));
    assert_eq!(complaints(&wide), ["line 2 has 103 columns"]);
    assert_eq!(complaints(&"\n".repeat(MOST_LINES + 1)), ["it has 501 lines"]);
}
