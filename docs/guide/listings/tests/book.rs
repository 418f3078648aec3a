//! The book shows compiled programs, and nothing else that looks like one.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Programs of other libraries that are shown and not compiled here. Whoever adds one counts it.
const NOT_COMPILED: usize = 4;

/// One fenced block.
struct Block {
    /// File and line, for messages.
    place: String,
    /// What stands behind the fence: `rust`, `text`, ….
    kind: String,
    lines: Vec<String>,
}

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")
}

/// The chapters with their text.
fn chapters() -> Vec<(String, String)> {
    let files = fs::read_dir(book()).expect("the book's sources");
    let paths = files.map(|file| file.expect("an entry").path());
    let chapters = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    chapters
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a text"))
        })
        .collect()
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (name, text) in chapters() {
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, open.take()) {
                (Some(kind), None) => {
                    let place = format!("{name}:{}", index + 1);
                    open = Some(Block { place, kind: kind.trim().into(), lines: Vec::new() });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.lines.push(line.into());
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block has no end");
    }
    blocks
}

/// The file, and the anchor if there is one, that a line includes.
fn included(line: &str) -> Option<(PathBuf, Option<String>)> {
    let what = line.trim().strip_prefix("{{#include ")?.strip_suffix("}}")?;
    let (file, anchor) = what.split_once(':').map_or((what, None), |(f, a)| (f, Some(a.into())));
    Some((book().join(file), anchor))
}

#[test]
fn each_rust_block_is_a_compiled_program() {
    let listings = fs::canonicalize(env!("CARGO_MANIFEST_DIR")).expect("this package");
    // The last two are packages of their own; `ci/windows` builds and runs the last.
    let built = [".", "../../../examples/hello", "../../../examples/windows"];
    let built = built.map(|package| {
        fs::canonicalize(listings.join(package)).expect("a package with programs").join("src")
    });
    let mut foreign = 0;
    let mut compiled = 0;
    for Block { place, kind, lines } in blocks() {
        let mut words = kind.split([',', ' ']);
        let language = words.next().unwrap_or_default();
        if !["rust", "cpp", "console"].contains(&language) {
            assert!(["text", "sh", "toml"].contains(&language), "{place}: what is {kind:?}?");
            continue;
        }
        for line in &lines {
            let (file, _) = included(line)
                .unwrap_or_else(|| panic!("{place}: not included from a file: {line:?}"));
            let file = fs::canonicalize(&file)
                .unwrap_or_else(|error| panic!("{place}: {}: {error}", file.display()));
            if language == "console" {
                assert!(file.starts_with(listings.join("output")), "{place}: who prints this?");
            } else if kind.ends_with(",not-compiled") {
                assert!(file.starts_with(listings.join("before")), "{place}: it could be compiled");
                foreign += 1;
            } else {
                let is_built = built.iter().any(|sources| file.starts_with(sources));
                assert!(is_built && language == "rust", "{place}: nobody compiles {line:?}");
                compiled += 1;
            }
        }
    }
    println!("{compiled} listings are compiled, {foreign} are not");
    assert_eq!(foreign, NOT_COMPILED, "listings that are not compiled");
    assert!(compiled > 30, "only {compiled} listings were found");
}

#[test]
fn each_include_finds_its_lines() {
    for (name, text) in chapters() {
        for line in text.lines().filter(|line| line.contains("{{")) {
            let found = included(line);
            let (file, anchor) = found.unwrap_or_else(|| panic!("{name}: not understood: {line}"));
            let content = fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{name}: {}: {error}", file.display()));
            let Some(anchor) = anchor else { continue };
            for mark in ["ANCHOR", "ANCHOR_END"] {
                let mark = format!("{mark}: {anchor}");
                let count = content.lines().filter(|line| line.trim_end().ends_with(&mark)).count();
                assert_eq!(count, 1, "{name}: {mark:?} in {}", file.display());
            }
        }
    }
}

#[test]
fn each_program_stands_in_the_book() {
    let text: String = chapters().into_iter().map(|(_, text)| text).collect();
    for folder in ["src", "src/bin", "before", "output"] {
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
        for file in files.expect("a folder") {
            let file = file.expect("an entry");
            let path = format!("listings/{folder}/{}", file.file_name().to_string_lossy());
            if file.path().is_file() && path != "listings/src/lib.rs" {
                assert!(text.contains(&path), "{path} is not shown");
            }
        }
    }
}

#[test]
fn commands_and_files_that_the_text_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let summary = fs::read_to_string(book().join("SUMMARY.md")).expect("a summary");
    let mut named = BTreeSet::new();
    for (name, text) in chapters() {
        assert!(name == "SUMMARY.md" || summary.contains(&name), "{name} is not in the summary");
        for code in text.split('`').filter(|code| !code.contains(char::is_whitespace)) {
            let folder = code.split('/').next().filter(|_| code.contains('/'));
            let folders = ["docs", "examples", "ci", "bench", "tests", "shmipc", "shmipc-derive"];
            if folder.is_some_and(|folder| folders.contains(&folder)) {
                assert!(root.join(code).exists(), "{name}: {code} does not exist");
                named.insert(code.to_owned());
            }
        }
        for words in text.split_whitespace().collect::<Vec<_>>().windows(2) {
            if let ["--bin", program] = words {
                let program = program.trim_matches('`');
                let places = [
                    "docs/guide/listings/src/bin",
                    "examples/src/bin",
                    "examples/windows/src/bin",
                    "tests/src/bin",
                ];
                let exists = places.iter().any(|place| {
                    let place = root.join(place).join(program);
                    place.is_dir() || place.with_extension("rs").is_file()
                });
                let is_sweep = program == "crash-sweep" && root.join("tests/sweep").is_dir();
                assert!(exists || is_sweep, "{name}: there is no program {program}");
            }
        }
    }
    assert!(!named.is_empty(), "no file was found in the text");
}
