//! `docs/layout.md` compared with the code: each table's offsets and words. The tests of a table
//! stand beside its struct, where the fields can be named.

const PAGE: &str = include_str!("../../../docs/layout.md");

/// Word and offset of the rows under `heading` whose word is one of the code's (in backquotes).
fn rows(heading: &str) -> Vec<(&'static str, usize)> {
    let wanted = format!("## {heading}");
    PAGE.lines()
        .skip_while(|line| *line != wanted)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let offset = cells.next()?.parse().ok()?;
            Some((cells.next()?.strip_prefix('`')?.strip_suffix('`')?, offset))
        })
        .collect()
}

/// Fails unless the page's table under `heading` has exactly `code`'s words, in this order, at
/// these offsets.
#[track_caller]
pub(crate) fn check(heading: &str, code: &[(&str, usize)]) {
    assert_eq!(rows(heading), code, "docs/layout.md, {heading}: the page is left, the code right");
}

/// Names and offsets of a struct's fields.
macro_rules! offsets {
    ($memory:ty: $($field:ident),+ $(,)?) => {
        &[$((stringify!($field), std::mem::offset_of!($memory, $field))),+]
    };
}
pub(crate) use offsets;

#[test]
fn layout_page_lane() {
    use crate::ring::LaneControl;
    check("Lane", offsets!(LaneControl: head, consumer_waits, producer_waits));
    assert_eq!(size_of::<LaneControl>(), 512);
}

#[test]
fn layout_page_version() {
    let version = format!("Layout version {}.", crate::segment::LAYOUT_VERSION);
    assert!(PAGE.contains(&version), "docs/layout.md does not say: {version}");
}
