//! Where the runtime crate is, unless `#[shm(crate = …)]` says so.

use std::path::Path;

use proc_macro2::{Span, TokenStream};
use quote::quote;

/// The runtime crate's own name, which its files have whatever a program calls it.
const NAME: &str = "shmipc";

/// `::shmipc`, or what a program that renamed its dependency calls it.
pub(crate) fn path() -> TokenStream {
    let arguments = std::env::args_os().filter_map(|argument| argument.into_string().ok());
    let arguments =
        arguments.flat_map(|argument| expanded(argument, |file| std::fs::read_to_string(file)));
    let name =
        renamed(arguments).and_then(|name| crate::name::identifier(&name, Span::call_site()));
    name.map_or_else(|| quote!(::shmipc), |name| quote!(::#name))
}

/// An argument, or those that stand in the file that it names, a line each: `@FILE`. So rustdoc
/// tells the compiler of doc tests, and build systems where a command line would be too long.
fn expanded(argument: String, read: impl Fn(&Path) -> std::io::Result<String>) -> Vec<String> {
    let file = argument.strip_prefix('@').and_then(|file| read(file.as_ref()).ok());
    match file {
        Some(lines) => lines.lines().map(str::to_owned).collect(),
        None => vec![argument],
    }
}

/// The new name, as the compiler is told it: `--extern NAME=…/libshmipc-….rmeta`. `None` where the
/// crate has its own name, or where this is not to be seen (an editor, a program that re-exports
/// it).
fn renamed(arguments: impl Iterator<Item = String>) -> Option<String> {
    let mut found = Vec::new();
    let mut is_extern = false;
    for argument in arguments {
        let given = argument.strip_prefix("--extern=").or(is_extern.then_some(argument.as_str()));
        if let Some((name, file)) = given.and_then(|given| given.split_once('=')) {
            // Options stand before the name: `priv,noprelude:NAME`.
            let name = name.rsplit(':').next().unwrap_or(name);
            // One crate may be given as several files.
            if (is_runtime(file) || name == NAME) && found.iter().all(|known| known != name) {
                found.push(name.to_owned());
            }
        }
        is_extern = argument == "--extern";
    }
    match <[String; 1]>::try_from(found) {
        Ok([name]) if name != NAME => Some(name),
        _ => None,
    }
}

fn is_runtime(file: &str) -> bool {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.strip_prefix("lib")
        .and_then(|stem| stem.strip_prefix(NAME))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(arguments: &str) -> Option<String> {
        renamed(arguments.split(' ').map(str::to_owned))
    }

    #[test]
    fn the_compilers_arguments_tell_a_new_name() {
        for (arguments, expected) in [
            ("rustc --extern shmipc=/t/libshmipc-0a.rmeta", None),
            (
                "rustc --extern ipc=/t/libshmipc-0a.rmeta --extern serde=/t/libserde-1.rmeta",
                Some("ipc"),
            ),
            ("rustc --extern=ipc=/t/libshmipc.rlib", Some("ipc")),
            (
                "rustc --extern ipc=/t/libshmipc-0a.rlib --extern ipc=/t/libshmipc-0a.rmeta",
                Some("ipc"),
            ),
            ("rustc --extern noprelude,priv:ipc=/t/libshmipc-0a.rlib", Some("ipc")),
            ("rustc --extern derive=/t/libshmipc_derive-0a.so", None),
            ("rustc --extern tests=/t/libshmipc_tests-0a.rlib --extern serde", None),
            // Two versions: nobody can say which is meant.
            ("rustc --extern a=/t/libshmipc-0a.rlib --extern b=/t/libshmipc-0b.rlib", None),
            ("rustc --extern a=/t/libshmipc-0a.rlib --extern shmipc=/t/libother-0b.rlib", None),
            ("rustc -L /t/libshmipc-0a.rlib ipc=/t/libshmipc-0a.rlib", None),
            ("rustc @arguments", None),
        ] {
            assert_eq!(name(arguments).as_deref(), expected, "{arguments}");
        }
    }

    #[test]
    fn arguments_may_stand_in_a_file() {
        let read = |file: &Path| match file.to_str() {
            Some("given") => Ok("--edition=2024\n--extern=ipc=/t/libshmipc-0a.rlib\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let name = |arguments: &str| {
            renamed(arguments.split(' ').flat_map(|argument| expanded(argument.to_owned(), read)))
        };
        assert_eq!(name("rustc @given --test").as_deref(), Some("ipc"));
        assert_eq!(name("rustc @missing").as_deref(), None);
    }
}
