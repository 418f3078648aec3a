//! Which files are read, and by which client.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use walkdir::{DirEntry, WalkDir};

/// The project's own root, as it was when this program was built.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const ENDINGS: [&str; 3] = ["rs", "md", "toml"];

/// A file and its size, which decides who reads it.
struct Source {
    path: PathBuf,
    bytes: u64,
}

/// The files of each client: those given, or the project's own.
///
/// # Errors
/// A file cannot be read, or there is none.
pub(crate) fn plan(files: &[PathBuf], clients: usize) -> Result<Vec<Vec<OsString>>> {
    let sources = if files.is_empty() {
        own_sources(Path::new(PROJECT))?
    } else {
        files.iter().map(|path| source(path)).collect::<Result<_>>()?
    };
    Ok(split(sources, clients))
}

/// A file that was named. Opened here, so that a wrong name is an error before anything starts.
fn source(path: &Path) -> Result<Source> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!metadata.is_dir(), "{} is a directory; name its files", path.display());
    fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Source { path: path.into(), bytes: metadata.len() })
}

/// Sources and docs below the project's root, without what is built or hidden.
fn own_sources(root: &Path) -> Result<Vec<Source>> {
    let root = root.canonicalize().with_context(|| {
        format!("the project's sources are not at {} any more; name files to read", root.display())
    })?;
    let mut sources = Vec::new();
    let entries = WalkDir::new(&root).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || is_wanted(entry)) {
        let entry = entry.context("cannot look through the project's sources")?;
        if entry.file_type().is_file() {
            sources.push(source(entry.path())?);
        }
    }
    if sources.is_empty() {
        bail!("no sources below {}; name files to read", root.display());
    }
    Ok(sources)
}

fn is_wanted(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let ending = Path::new(entry.file_name()).extension();
    if entry.file_type().is_dir() {
        !name.starts_with('.') && name != "target"
    } else {
        ending.is_some_and(|ending| ENDINGS.iter().any(|wanted| ending == *wanted))
    }
}

/// Gives each client about as many bytes: the largest file first, to whom has least. With fewer
/// files than clients, files are read by several, so that nobody is idle.
fn split(mut sources: Vec<Source>, clients: usize) -> Vec<Vec<OsString>> {
    sources.sort_by_key(|source| std::cmp::Reverse(source.bytes));
    let mut shares = vec![(0_u64, Vec::new()); clients];
    let rounds = sources.len().max(clients);
    for source in sources.iter().cycle().take(rounds) {
        // A file costs something even when it is empty.
        let least = shares.iter_mut().min_by_key(|(bytes, _)| *bytes);
        if let Some((bytes, files)) = least {
            *bytes += source.bytes + 1;
            files.push(source.path.clone().into_os_string());
        }
    }
    shares.into_iter().map(|(_, files)| files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(sizes: &[u64]) -> Vec<Source> {
        let source = |(index, bytes): (usize, &u64)| Source {
            path: format!("{index}").into(),
            bytes: *bytes,
        };
        sizes.iter().enumerate().map(source).collect()
    }

    #[test]
    fn shares_are_about_even() {
        let shares = split(sources(&[1, 10, 6, 4]), 2);
        assert_eq!(shares, [vec!["1", "0"], vec!["2", "3"]]);
    }

    #[test]
    fn nobody_is_without_a_file() {
        let shares = split(sources(&[5]), 3);
        assert!(shares.iter().all(|files| files == &["0"]));
        assert!(split(sources(&[9, 0]), 3).iter().all(|f| !f.is_empty()));
    }
}
