//! Why a server did not take a client on, as both sides are told.

use super::Limit;

/// Why the server did not take a client on: the reason alone, which both sides are told. With who
/// it was, for the server's owner, it is a [`Refused`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It has as many links as it allows.
    TooManyLinks,
    /// The link takes more memory than it allows for one.
    TooLarge,
    /// It could not use the link: made for other options, damaged, without its memory, or open to
    /// others than its maker and this server.
    BadLink,
    /// It does not admit this user: see [`Admission`](crate::Admission).
    NotAdmitted,
    /// Its process is no longer of the user who bound it, and may not open links that were made for
    /// that one.
    UserChanged,
    /// Its process or machine has reached a limit.
    Limit(Limit),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooManyLinks => {
                "it has as many clients as it allows; try later or raise `max_links`"
            }
            Self::TooLarge => {
                "the link's rings are larger than its `max_link_memory`; raise that or choose a \
                 smaller `ring_size`"
            }
            Self::BadLink => {
                "it could not use the link, which is damaged, made for other options, or gone; \
                 `on_refused` on the server's builder is told more"
            }
            Self::NotAdmitted => {
                "it does not admit this process's user; the server's builder must `admit` it"
            }
            Self::UserChanged => {
                "its process changed its user after `bind` and may not open this link; it must \
                 `bind` after the change, or this client be of its new user and admitted by its \
                 builder"
            }
            Self::Limit(limit) => return write!(f, "on its side {limit}"),
        })
    }
}

const TOO_MANY_LINKS: u32 = 2;
const BAD_LINK: u32 = 3;
const NOT_ADMITTED: u32 = 4;
const TOO_LARGE: u32 = 5;
const USER_CHANGED: u32 = 6;
/// And a limit's code.
const LIMIT: u32 = 256;

impl Refusal {
    /// As a server tells it to its client: neither zero nor one.
    pub(crate) fn to_code(&self) -> u32 {
        match self {
            Self::TooManyLinks => TOO_MANY_LINKS,
            Self::BadLink => BAD_LINK,
            Self::NotAdmitted => NOT_ADMITTED,
            Self::TooLarge => TOO_LARGE,
            Self::UserChanged => USER_CHANGED,
            Self::Limit(limit) => LIMIT + limit.to_code(),
        }
    }

    /// What a server told. A code of a later version is a link that it could not use.
    pub(crate) fn from_code(code: u32) -> Self {
        match code {
            TOO_MANY_LINKS => Self::TooManyLinks,
            NOT_ADMITTED => Self::NotAdmitted,
            TOO_LARGE => Self::TooLarge,
            USER_CHANGED => Self::UserChanged,
            _ => code
                .checked_sub(LIMIT)
                .and_then(Limit::from_code)
                .map_or(Self::BadLink, Self::Limit),
        }
    }
}

/// A client that was not taken on and why (a [`Refusal`]), as the server's owner is told: see
/// [`ServerBuilder::on_refused`](crate::ServerBuilder::on_refused).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// What the client is told.
    pub refusal: Refusal,
    /// The user who made the link, where it could be asked.
    pub uid: Option<u32>,
    /// What exactly stood in the way, in words.
    pub cause: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a client")?;
        if let Some(uid) = self.uid {
            write!(f, " of user {uid}")?;
        }
        write!(f, " was refused: {}", self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_told_by_its_code() {
        use Refusal::{BadLink, NotAdmitted, TooLarge, TooManyLinks, UserChanged};
        let limits = (0..100).filter_map(Limit::from_code).map(Refusal::Limit);
        let plain = [TooManyLinks, BadLink, NotAdmitted, TooLarge, UserChanged];
        for refusal in plain.into_iter().chain(limits) {
            assert!(refusal.to_code() > 1);
            assert_eq!(Refusal::from_code(refusal.to_code()), refusal);
        }
        assert_eq!(Refusal::from_code(u32::MAX), BadLink);
    }
}
