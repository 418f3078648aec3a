//! Pictures there and into a file.

mod common;

use std::path::Path;

use common::run;

const PICTURES: &str = env!("CARGO_BIN_EXE_pictures");

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

/// A picture's pixels: what stands after the header, `length` bytes.
fn pixels(path: &Path, length: usize) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("it was written");
    bytes[bytes.len() - length..].to_vec()
}

#[test]
fn generated_frames_arrive() {
    let dir = tempfile::tempdir().expect("there is room");
    let out = dir.path().join("out.ppm");
    let size = ["--width", "64", "--height", "48", "--frames", "3"];
    let output = run(PICTURES, &[&size[..], &["--out", text(&out)][..]].concat());
    assert!(output.status.success(), "{output:#?}");
    assert!(output.stdout.contains("3 checksums verified"), "{output:#?}");
    let written = std::fs::read(&out).expect("it was written");
    assert!(written.starts_with(b"P6"));
    assert!(written.len() > 64 * 48 * 3);
}

#[test]
fn files_come_back_as_they_were() {
    let dir = tempfile::tempdir().expect("there is room");
    // The first pixels look like white space, which a header ends with.
    let mut content = b"\n \t".to_vec();
    content.extend((0_u8..=255).cycle().take(3 * 200 * 150 - 3));
    for (kind, width) in [("P6", 200), ("P5", 600)] {
        let (file, out) = (dir.path().join("in.pnm"), dir.path().join("out.pnm"));
        let header = format!("{kind}\n# a comment\n{width} 150\n255\n");
        common::write(&file, &[header.as_bytes(), &content].concat()).expect("there is room");
        let output = run(PICTURES, &[text(&file), "--out", text(&out)]);
        assert!(output.status.success(), "{output:#?}");
        assert!(pixels(&out, content.len()) == content, "{kind} came back changed");
        let written = std::fs::read(&out).expect("it was written");
        assert!(written.starts_with(kind.as_bytes()));
    }
}

#[test]
fn what_is_no_binary_picture_is_named() {
    let dir = tempfile::tempdir().expect("there is room");
    let wrong: [(&str, &[u8]); 4] = [
        ("plain.ppm", b"P3 1 1 255\n1 2 3\n"),
        ("deep.ppm", b"P6 1 1 65535\n\0\0\0\0\0\0"),
        ("cut.ppm", b"P6 100 100 255\nxyz"),
        ("text.txt", b"hello"),
    ];
    for (name, bytes) in wrong {
        let path = dir.path().join(name);
        common::write(&path, bytes).expect("there is room");
        let output = run(PICTURES, &[text(&path)]);
        assert!(!output.status.success(), "{name}");
        assert!(output.stderr.contains(name), "{output:#?}");
        assert!(output.stderr.contains("P5 or P6"), "{output:#?}");
    }
}
