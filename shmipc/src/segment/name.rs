//! Servers' names, and the names of the segments that belong to them.

use crate::error::NameError;

/// Prefix of registries' names.
pub(crate) const REGISTRY_PREFIX: &str = "shmipc.r.";
/// Prefix of links' names.
pub(crate) const LINK_PREFIX: &str = "shmipc.l.";

/// Longest server name in bytes: with the prefix it stays far below what file systems allow (255).
pub(crate) const MAXIMUM_NAME_LENGTH: usize = 128;

/// The registry's segment name for a server's name.
pub(crate) fn registry_name(name: &str) -> Result<String, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { maximum: MAXIMUM_NAME_LENGTH });
    }
    if let Some((offset, character)) =
        name.char_indices().find(|(_, character)| matches!(character, '/' | '\0'))
    {
        return Err(NameError::ForbiddenCharacter { name: name.into(), character, offset });
    }
    if name.len() > MAXIMUM_NAME_LENGTH {
        return Err(NameError::TooLong { length: name.len(), maximum: MAXIMUM_NAME_LENGTH });
    }
    Ok(format!("{REGISTRY_PREFIX}{name}"))
}

/// A link's segment name for its random id. Being a number, the id cannot be a path.
pub(crate) fn link_name(id: u128) -> String {
    format!("{LINK_PREFIX}{id:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(registry_name(""), Err(NameError::Empty { maximum: 128 }));
        assert_eq!(
            registry_name(&"x".repeat(129)),
            Err(NameError::TooLong { length: 129, maximum: 128 })
        );
        for (name, character, offset) in [("a/b", '/', 1), ("ä\0", '\0', 2)] {
            assert_eq!(
                registry_name(name),
                Err(NameError::ForbiddenCharacter { name: name.into(), character, offset })
            );
        }
        assert_eq!(registry_name("..").as_deref(), Ok("shmipc.r..."));
    }

    #[test]
    fn a_link_is_named_by_32_digits() {
        assert_eq!(link_name(10), "shmipc.l.0000000000000000000000000000000a");
    }
}
