//! What the server keeps: every line of every client, and how often each word stands in them.

use std::collections::HashMap;

use crate::protocol::{Account, FileTotals, Hit, Report, SearchError, Traffic};
use crate::text::{excerpt, words};

/// One client's lines, and what was exchanged with it.
#[derive(Debug)]
pub(crate) struct ClientStore {
    pub(crate) client: u32,
    pub(crate) pid: u32,
    pub(crate) traffic: Traffic,
    pub(crate) report: Option<Box<Report>>,
    files: Vec<FileStore>,
    occurrences: HashMap<String, u64>,
    totals: FileTotals,
    words: u64,
}

#[derive(Debug)]
struct FileStore {
    path: String,
    lines: Vec<String>,
    totals: FileTotals,
}

impl ClientStore {
    pub(crate) fn new(client: u32, pid: u32) -> Self {
        Self {
            client,
            pid,
            traffic: Traffic::default(),
            report: None,
            files: Vec::new(),
            occurrences: HashMap::new(),
            totals: FileTotals::default(),
            words: 0,
        }
    }

    pub(crate) fn totals(&self) -> FileTotals {
        self.totals
    }

    pub(crate) fn begin_file(&mut self, path: String) {
        self.files.push(FileStore { path, lines: Vec::new(), totals: FileTotals::default() });
    }

    /// Indexes a line of the file that was begun last. Gives the number of its words, or nothing if
    /// no file was begun.
    pub(crate) fn add_line(&mut self, text: String) -> Option<u64> {
        let file = self.files.last_mut()?;
        let mut found = 0;
        for word in words(&text) {
            found += 1;
            match self.occurrences.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(self.occurrences.insert(word.to_owned(), 1)),
            }
        }
        let bytes = text.len() as u64;
        for totals in [&mut file.totals, &mut self.totals] {
            totals.lines += 1;
            totals.bytes += bytes;
        }
        self.words += found;
        file.lines.push(text);
        Some(found)
    }

    /// Path and totals of the file that was begun last.
    pub(crate) fn last_file(&self) -> (String, FileTotals) {
        let file = self.files.last();
        file.map(|file| (file.path.clone(), file.totals)).unwrap_or_default()
    }

    pub(crate) fn count(&self, word: &str) -> u64 {
        self.occurrences.get(word).copied().unwrap_or(0)
    }

    pub(crate) fn search(&self, pattern: &str, limit: u32) -> Result<Vec<Hit>, SearchError> {
        if pattern.is_empty() {
            return Err(SearchError::EmptyPattern);
        }
        let files = (0_u32..).zip(&self.files);
        let lines = files.flat_map(|(file, store)| {
            let numbered = (1_u64..).zip(&store.lines);
            numbered.map(move |(line, text)| (file, line, text))
        });
        let hits = lines.filter(|(_, _, text)| text.contains(pattern));
        let hits =
            hits.map(|(file, line, text)| Hit { file, line, excerpt: excerpt(text).to_owned() });
        Ok(hits.take(limit as usize).collect())
    }

    pub(crate) fn account(&self) -> Account {
        Account {
            client: self.client,
            pid: self.pid,
            files: self.files.len() as u64,
            totals: self.totals,
            words: self.words,
            traffic: self.traffic,
            report: self.report.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> ClientStore {
        let mut store = ClientStore::new(0, 1);
        store.begin_file("a".into());
        for line in ["one two", "", "two two"] {
            assert!(store.add_line(line.into()).is_some());
        }
        store
    }

    #[test]
    fn words_are_counted_over_all_lines() {
        let store = store();
        assert_eq!(store.count("two"), 3);
        assert_eq!(store.count("tw"), 0);
        assert_eq!(store.totals(), FileTotals { lines: 3, bytes: 14 });
    }

    #[test]
    fn a_search_ends_at_its_limit_and_wants_a_pattern() {
        let store = store();
        let lines = |limit| store.search("two", limit).map(|hits| hits.len());
        assert_eq!(lines(1), Ok(1));
        assert_eq!(lines(9), Ok(2));
        assert_eq!(store.search("", 9), Err(SearchError::EmptyPattern));
    }

    #[test]
    fn a_line_without_a_file_is_nobodys() {
        assert_eq!(ClientStore::new(0, 1).add_line("x".into()), None);
    }
}
