//! The links inside the built book.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub pages: usize,
    pub links: usize,
    /// Each with its page.
    pub dead: Vec<String>,
}

/// Checks each link of each page below `root`: the file is there, and so is the place in it.
pub fn check(root: &Path) -> io::Result<Found> {
    let mut pages = BTreeMap::new();
    read(root, &mut pages)?;
    let places: BTreeMap<&PathBuf, BTreeSet<&str>> =
        pages.iter().map(|(path, html)| (path, values(html, " id=\"").collect())).collect();
    let mut found = Found { pages: pages.len(), ..Found::default() };
    for (page, html) in &pages {
        for link in values(html, " href=\"").chain(values(html, " src=\"")) {
            if ["http://", "https://", "mailto:", "data:"]
                .iter()
                .any(|start| link.starts_with(start))
            {
                continue;
            }
            found.links += 1;
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { resolve(page, file) };
            let is_dead = match places.get(&target) {
                Some(places) => !place.is_empty() && !places.contains(place),
                None => !target.is_file() && !target.join("index.html").is_file(),
            };
            if is_dead {
                let page = page.strip_prefix(root).unwrap_or(page);
                found.dead.push(format!("  {}: {link}", page.display()));
            }
        }
    }
    Ok(found)
}

/// All pages below a directory, with their text.
fn read(directory: &Path, pages: &mut BTreeMap<PathBuf, String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // Its links are made for the site's root.
        let is_error_page = path.ends_with("404.html");
        if path.is_dir() {
            read(&path, pages)?;
        } else if path.extension().is_some_and(|end| end == "html") && !is_error_page {
            let html = fs::read_to_string(&path)?;
            pages.insert(path, html);
        }
    }
    Ok(())
}

/// The values of an attribute; `start` is all in front of the value. Only mdBook's own output is
/// read, which always has double quotes.
fn values<'t>(html: &'t str, start: &'t str) -> impl Iterator<Item = &'t str> {
    html.split(start).skip(1).filter_map(|rest| rest.split('"').next())
}

/// Where a relative link leads.
fn resolve(page: &Path, link: &str) -> PathBuf {
    let link = link.split('?').next().unwrap_or(link);
    let mut target = page.parent().unwrap_or(page).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                target.pop();
            }
            Component::Normal(name) => target.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    target
}
