//! The runtime's floor plan, held to the code: a file uses only what stands on its own floor or
//! below, and nothing goes in a circle. `ARCHITECTURE.md` draws it.
//!
//! A module and its children are one room: a child may use what its own ancestors define, as the
//! methods of one type may stand in several files. Tests, models and fuzz entries are not looked
//! at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// The floors, from the ground up.
const FLOORS: [&str; 11] = [
    "sync", "step", "panics", "os", "error", "codec", "ring", "segment", "link", "typed",
    "endpoint",
];
/// What runs parts of the crate from outside.
const OUTSIDE: [&str; 1] = ["checks"];

/// A module's path, without the crate: empty for the root.
type Module = Vec<String>;
/// Sources by module.
type Sources = BTreeMap<Module, String>;
/// Whom a module uses.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

fn path(text: &str) -> Module {
    text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The paths that a file names, as written, and what it passes on under its own name.
#[derive(Default)]
struct Named {
    paths: Vec<Module>,
    exported: Vec<(Module, String)>,
}

impl Named {
    fn in_source(source: &str) -> Self {
        let mut named = Self::default();
        named.visit_file(&syn::parse_file(source).expect("it compiles"));
        named
    }

    fn add_tree(&mut self, mut before: Module, tree: &UseTree, is_exported: bool) {
        let (found, name) = match tree {
            UseTree::Path(part) => {
                before.push(part.ident.to_string());
                return self.add_tree(before, &part.tree, is_exported);
            }
            UseTree::Group(group) => {
                let trees = group.items.iter();
                return trees.for_each(|tree| self.add_tree(before.clone(), tree, is_exported));
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = before.last().cloned().unwrap_or_default();
                (before, name)
            }
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                (before, name.ident.to_string())
            }
            UseTree::Rename(renamed) => {
                before.push(renamed.ident.to_string());
                (before, renamed.rename.to_string())
            }
            UseTree::Glob(_) => (before, String::new()),
        };
        if is_exported {
            self.exported.push((found, name));
        } else {
            self.paths.push(found);
        }
    }
}

/// Is it only there in tests, models or fuzzing?
fn is_left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition = quote::ToTokens::to_token_stream(attribute).to_string();
        let stands = |word: &str| condition.contains(word) && !condition.contains("not");
        stands("test") || stands("loom") || stands("fuzzing") || condition.contains("all (test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_left_out(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_exported = !matches!(item.vis, syn::Visibility::Inherited);
        self.add_tree(Module::new(), &item.tree, is_exported);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Module = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if parts.len() > 1 {
            self.paths.push(parts);
        }
        visit::visit_path(self, path);
    }
}

/// A path as written in `module`, from the crate's root on. `None`: it leads out of the crate.
fn absolute(sources: &Sources, module: &Module, written: &[String]) -> Option<Module> {
    let (first, rest) = written.split_first()?;
    let start = match first.as_str() {
        "crate" => Module::new(),
        "self" => module.clone(),
        "super" => {
            let parent = module[..module.len().saturating_sub(1)].to_vec();
            match rest.first().map(String::as_str) {
                Some("super") => return absolute(sources, &parent, rest),
                _ => parent,
            }
        }
        // A child, named without `self`.
        child => {
            let child = [module.as_slice(), &[child.to_owned()]].concat();
            sources.contains_key(&child).then_some(())?;
            child
        }
    };
    Some([start.as_slice(), rest].concat())
}

/// The module that defines what an absolute path names, through what facades pass on.
fn definer(
    sources: &Sources,
    exports: &BTreeMap<(Module, String), Module>,
    named: &[String],
) -> Module {
    let known = (0..=named.len()).rev().find(|end| sources.contains_key(&named[..*end]));
    let end = known.unwrap_or(0);
    let module = named[..end].to_vec();
    match named.get(end).and_then(|name| exports.get(&(module.clone(), name.clone()))) {
        Some(further) if further[..] != *named => definer(sources, exports, further),
        _ => module,
    }
}

fn uses(sources: &Sources) -> Uses {
    let named: BTreeMap<&Module, Named> =
        sources.iter().map(|(module, source)| (module, Named::in_source(source))).collect();
    let mut exports = BTreeMap::new();
    for (module, named) in &named {
        for (written, name) in &named.exported {
            if let Some(found) = absolute(sources, module, written) {
                exports.insert(((*module).clone(), name.clone()), found);
            }
        }
    }
    let mut uses = Uses::new();
    for (module, named) in named {
        let found = named.paths.iter().filter_map(|written| absolute(sources, module, written));
        let used = found.map(|found| definer(sources, &exports, &found));
        let used = used.filter(|used| used != module && !used.is_empty());
        uses.insert(module.clone(), used.collect());
    }
    uses
}

fn floor(module: &Module) -> usize {
    let floor = FLOORS.iter().position(|floor| module.first().is_some_and(|first| first == floor));
    // A new room is let in by giving it a floor.
    floor.expect("each room of the root is on a floor")
}

/// Who uses something on a higher floor.
fn arrows_up(uses: &Uses) -> Vec<String> {
    let rooms = uses.iter().filter(|(module, _)| !module.is_empty());
    let arrows = rooms.flat_map(|(module, used)| used.iter().map(move |used| (module, used)));
    arrows
        .filter(|(module, used)| floor(used) > floor(module))
        .map(|(module, used)| format!("{} uses {}", module.join("::"), used.join("::")))
        .collect()
}

/// Modules that use themselves by way of others. A child's use of its ancestors does not count.
fn circles(uses: &Uses) -> Vec<String> {
    let direct = |module: &Module| -> Vec<Module> {
        let used = uses.get(module).into_iter().flatten();
        used.filter(|used| !module.starts_with(used)).cloned().collect()
    };
    let comes_back = |module: &&Module| {
        let (mut seen, mut next) = (BTreeSet::new(), direct(module));
        while let Some(used) = next.pop() {
            if used == **module {
                return true;
            }
            if seen.insert(used.clone()) {
                next.extend(direct(&used));
            }
        }
        false
    };
    uses.keys().filter(comes_back).map(|module| module.join("::")).collect()
}

fn read(folder: &Path, module: &Module, sources: &mut Sources) {
    for entry in fs::read_dir(folder).expect("the sources") {
        let file = entry.expect("an entry").path();
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let is_outside = OUTSIDE.contains(&name.as_str()) || name == "tests" || name == "modelled";
        if is_outside || name == "forked" {
            continue;
        }
        let inner =
            if name == "lib" { Module::new() } else { [module.as_slice(), &[name]].concat() };
        if file.is_dir() {
            read(&file, &inner, sources);
        } else {
            sources.insert(inner, fs::read_to_string(&file).expect("a source"));
        }
    }
}

fn runtime() -> Sources {
    let mut sources = Sources::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shmipc/src");
    read(&folder, &Module::new(), &mut sources);
    sources
}

#[test]
fn imports_run_down_and_never_in_a_circle() {
    let sources = runtime();
    let uses = uses(&sources);
    let count: usize = uses.values().map(BTreeSet::len).sum();
    // The check sees what is there: among others these two.
    assert!(sources.len() > 80 && count > 400, "{} files, {count} imports", sources.len());
    assert!(uses[&path("link")].contains(&path("link::calls")));
    assert!(uses[&path("endpoint::server")].contains(&path("segment::registry::bind")));
    assert_eq!(arrows_up(&uses), [""; 0]);
    assert_eq!(circles(&uses), [""; 0]);
}

/// The check finds what it is for.
#[test]
fn an_arrow_up_and_a_circle_are_found() {
    let mut sources = runtime();
    let ring = sources.get_mut(&path("ring::consumer")).unwrap();
    ring.push_str("\nfn up() -> crate::link::Link { loop {} }\n");
    let inbound = sources.get_mut(&path("link::inbound")).unwrap();
    inbound.push_str("\nuse super::responder::Responder;\n");
    let control = sources.get_mut(&path("link::control")).unwrap();
    control.push_str("\nuse crate::link::inbound::Inbound;\n");
    let uses = uses(&sources);
    assert_eq!(arrows_up(&uses), ["ring::consumer uses link"]);
    let found = circles(&uses);
    for room in ["link::control", "link::inbound", "link::responder"] {
        assert!(found.iter().any(|found| found == room), "{room}: {found:?}");
    }
}

/// Packages through which the system is asked.
const SYSTEM: [&str; 4] = ["nix", "libc", "shared_memory", "raw_sync"];
/// Who may name them above the floor `os`, and why.
const ASK_THEMSELVES: [&str; 6] = [
    "codec::stack",             // where a thread's stack ends
    "error::limit",             // the system's codes
    "ring::foreign",            // the C library's `memcpy`
    "segment::doorbell::event", // semaphores, and `raw_sync`'s event
    "segment::mapping",         // makes segments with `shared_memory`
    "step",                     // a process kills itself
];

/// Who names the system's packages without having the right to.
fn trespassers(sources: &Sources) -> Vec<String> {
    let names_it = |source: &str| {
        let named = Named::in_source(source);
        let mut all = named.paths.iter().chain(named.exported.iter().map(|(path, _)| path));
        all.any(|path| path.first().is_some_and(|first| SYSTEM.contains(&first.as_str())))
    };
    let above = sources.iter().filter(|(module, _)| module.first().is_none_or(|top| top != "os"));
    let rooms = above.map(|(module, source)| (module.join("::"), source));
    let others = rooms.filter(|(room, _)| !ASK_THEMSELVES.contains(&room.as_str()));
    others.filter(|(_, source)| names_it(source)).map(|(room, _)| room).collect()
}

#[test]
fn the_system_is_asked_on_its_floor() {
    let mut sources = runtime();
    assert_eq!(trespassers(&sources), [""; 0]);
    let link = sources.get_mut(&path("segment::link")).unwrap();
    link.push_str("\nfn ask() { nix::libc::getpid(); }\n");
    assert_eq!(trespassers(&sources), ["segment::link"]);
}

/// Through a facade a name leads to who defines it.
#[test]
fn what_a_facade_passes_on_counts_as_its_definers() {
    let sources: Sources = [
        ("", ""),
        ("os", "mod file; pub(crate) use file::open;"),
        ("os::file", "pub(crate) fn open() {} #[cfg(test)] mod tests { use crate::link::Link; }"),
        ("link", "use crate::os::{self, open}; fn f() { os::open() }"),
    ]
    .map(|(module, source)| (path(module), source.to_owned()))
    .into();
    let uses = uses(&sources);
    assert_eq!(uses[&path("link")], [path("os"), path("os::file")].into());
    assert_eq!(uses[&path("os::file")], [].into());
}

/// Words in backquotes that are paths of this project.
fn named_paths(page: &str) -> Vec<&str> {
    let words = page.split('`').skip(1).step_by(2);
    words
        .filter(|word| {
            let is_path = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            is_path && (word.ends_with('/') || word.ends_with(".rs") || word.ends_with(".md"))
        })
        .collect()
}

#[test]
fn every_file_that_the_pages_for_contributors_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut count = 0;
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md", "tests/README.md", "docs/layout.md"] {
        let page = fs::read_to_string(root.join(name)).expect("a page");
        for path in named_paths(&page) {
            let places = [root.join(path), root.join("shmipc/src").join(path)];
            let is_there =
                places.iter().any(|place| place.exists()) || root.join("tests").join(path).exists();
            assert!(is_there, "{name} names `{path}`, which is not there");
            count += 1;
        }
    }
    assert!(count > 40, "only {count} paths: is that how the pages write them?");
    assert_eq!(named_paths("a `b/c.rs`, `d`, `e/` and `f(g.rs)`"), ["b/c.rs", "e/"]);
}
