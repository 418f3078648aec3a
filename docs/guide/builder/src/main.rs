//! Builds the guide with mdBook. A warning of mdBook's is an error here, and so is a link to a page
//! or a heading that is not there: mdBook itself looks at neither.

mod links;
mod warnings;

use std::path::PathBuf;
use std::process::ExitCode;

use mdbook_driver::MDBook;

fn main() -> ExitCode {
    let root =
        std::env::args_os().nth(1).map_or_else(|| PathBuf::from("docs/guide"), PathBuf::from);
    match build(root) {
        Ok((pages, links)) => {
            println!("the guide: {pages} pages, {links} links, no warnings");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the guide: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives the numbers of pages and of links.
fn build(root: PathBuf) -> Result<(usize, usize), String> {
    let warnings = warnings::collect()?;
    let book = MDBook::load(root).map_err(|error| format!("cannot read it: {error:#}"))?;
    let html = book.build_dir_for("html");
    // What an earlier build left could make a dead link look alive.
    if html.exists() {
        std::fs::remove_dir_all(&html).map_err(|error| format!("{}: {error}", html.display()))?;
    }
    book.build().map_err(|error| format!("cannot build it: {error:#}"))?;
    let count = warnings.count();
    if count > 0 {
        return Err(format!("{count} warnings, see above"));
    }
    let found = links::check(&html).map_err(|error| format!("{}: {error}", html.display()))?;
    if found.dead.is_empty() {
        println!("built {}", html.join("index.html").display());
        Ok((found.pages, found.links))
    } else {
        Err(format!("dead links:\n{}", found.dead.join("\n")))
    }
}
