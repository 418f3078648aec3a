//! Who may connect to a server.

use crate::error::ConfigError;
use crate::options;
use crate::segment::SegmentError;
use crate::sys::{self, FileFacts};

/// Most users in a list: the kernel's limit for an access list is 64 KiB, this stays far below.
const MAXIMUM_USERS: usize = 1024;

/// Who may connect to a server. Given to [`ServerBuilder::admit`](crate::ServerBuilder::admit).
///
/// The server's own user always may. Everybody else is kept out by the kernel, which does not let
/// them open the server's segment, and a second time by the server, which asks the kernel who made
/// the link that it is offered. A client must say in turn which user's server it trusts:
/// [`ClientBuilder::server_user`](crate::ClientBuilder::server_user).
///
/// Only admit users who may do harm: see the [threat model](crate#threat-model) for how much.
/// Inside a user namespace all users that it does not map look like one, the overflow user (65534
/// as a rule): do not admit that one there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Admission {
    /// Processes of the server's own effective user.
    #[default]
    SameUser,
    /// And of these users, by their ids: 1 to 1,024 of them.
    Users(Vec<u32>),
    /// And every process that has this group among its groups, by its id.
    Group(u32),
}

impl Admission {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Users(users) => options::check_range(
                "a list of admitted users with a length",
                users.len(),
                1,
                MAXIMUM_USERS,
            ),
            Self::SameUser | Self::Group(_) => Ok(()),
        }
    }

    /// Does a link that was made by this user and belongs to this group get in?
    pub(crate) fn admits(&self, facts: &FileFacts) -> bool {
        // Who may write a file may give it a second name: an admitted user could offer the registry
        // itself as a link, and would pass for the server's own user.
        let is_offered_by_owner = facts.links == 1 || *self == Self::SameUser;
        is_offered_by_owner && self.admits_owner(facts)
    }

    fn admits_owner(&self, facts: &FileFacts) -> bool {
        facts.uid == sys::effective_uid()
            || match self {
                Self::SameUser => false,
                Self::Users(users) => users.contains(&facts.uid),
                // The kernel lets nobody give a file to a group that is not theirs.
                Self::Group(gid) => facts.gid == *gid,
            }
    }

    /// The group that a client gives its link to, as proof that it is a member.
    pub(crate) fn group(&self) -> Option<u32> {
        match self {
            Self::Group(gid) => Some(*gid),
            Self::SameUser | Self::Users(_) => None,
        }
    }

    /// Opens the registry to who is admitted.
    pub(crate) fn open_up(&self, mapping: &crate::segment::Mapping) -> Result<(), SegmentError> {
        match self {
            Self::SameUser => Ok(()),
            Self::Users(users) => mapping.admit(users, None),
            Self::Group(gid) => mapping.admit(&[], Some(*gid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_by(uid: u32, gid: u32) -> FileFacts {
        let modified = std::time::SystemTime::UNIX_EPOCH;
        FileFacts { identity: (0, 0), uid, gid, links: 1, length: 0, reserved: 0, modified }
    }

    #[test]
    fn who_gets_in() {
        let own = sys::effective_uid();
        let (other, third) = (own + 1, own + 2);
        for rules in [Admission::SameUser, Admission::Users(vec![other]), Admission::Group(9)] {
            assert!(rules.admits(&made_by(own, 0)), "{rules:?}");
            assert!(!rules.admits(&made_by(third, other)), "{rules:?}");
        }
        assert!(!Admission::SameUser.admits(&made_by(other, 9)));
        assert!(Admission::Users(vec![third, other]).admits(&made_by(other, 9)));
        assert!(Admission::Group(9).admits(&made_by(third, 9)));
    }

    #[test]
    fn a_file_with_a_second_name_may_be_offered_by_anybody() {
        let own = sys::effective_uid();
        let renamed = FileFacts { links: 2, ..made_by(own, 0) };
        assert!(!Admission::Users(vec![own + 1]).admits(&renamed));
        assert!(!Admission::Group(9).admits(&renamed));
        // Nobody else could have written it, hence renamed it; and nobody else could offer it.
        assert!(Admission::SameUser.admits(&renamed));
    }

    #[test]
    fn lists_are_bounded() {
        assert!(Admission::Users(Vec::new()).check().is_err());
        assert!(Admission::Users(vec![1; 1025]).check().is_err());
        assert!(Admission::Users(vec![1; 1024]).check().is_ok());
    }
}
