//! Who may connect to a server.

use crate::error::ConfigError;
use crate::os::FileFacts;
use crate::segment::access::Access;
use crate::segment::error::SegmentError;
use crate::segment::mapping::Candidate;
use crate::segment::options;

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
///
/// ```no_run
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{Admission, Client, Server, ShmMessage};
/// # #[derive(Serialize, Deserialize, ShmMessage)]
/// # enum Camera { #[shm(reply = u64)] Frames }
/// // The service, as its own user 990, for members of the group `video` (44):
/// let server = Server::<Camera>::builder("camera").admit(Admission::Group(44)).bind()?;
/// // A viewer, as any member of it:
/// let client = Client::<Camera>::builder("camera").server_user(990).connect()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// Is a link that is offered to the server of user `owner` of somebody who gets in?
    pub(crate) fn check_link(&self, link: &Candidate<'_>, owner: u32) -> Result<(), SegmentError> {
        self.admits(link.facts, owner, || link.access(owner))
    }

    /// Whose link it is, is told by who made the file: so nobody else may ever have been able to
    /// fill it. Who may write a file may also give it the name of a link, whoever made it.
    fn admits(
        &self,
        facts: &FileFacts,
        owner: u32,
        access: impl Fn() -> Access,
    ) -> Result<(), SegmentError> {
        let uid = facts.uid;
        if !self.admits_owner(facts, owner) {
            return Err(SegmentError::OtherUser { uid });
        }
        // The server's own user lets nobody else in, every other one the server's user alone.
        let expected = if uid == owner { Access::Closed } else { Access::Listed };
        // And a second name may be another server's.
        let has_one_name = facts.links == 1 || *self == Self::SameUser;
        if access() == expected && has_one_name {
            Ok(())
        } else {
            Err(SegmentError::OpenToOthers { uid })
        }
    }

    fn admits_owner(&self, facts: &FileFacts, owner: u32) -> bool {
        facts.uid == owner
            || match self {
                Self::SameUser => false,
                Self::Users(users) => users.contains(&facts.uid),
                // The kernel lets nobody give a file to a group that is not theirs.
                Self::Group(gid) => facts.gid == *gid,
            }
    }

    /// Could a link of this user get in, as far as can be told without its group?
    pub(crate) fn may_admit(&self, uid: u32, owner: u32) -> bool {
        uid == owner
            || match self {
                Self::SameUser => false,
                Self::Users(users) => users.contains(&uid),
                Self::Group(_) => true,
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

    const OWN: u32 = 1000;
    const OTHER: u32 = 1001;
    const THIRD: u32 = 1002;

    fn made_by(uid: u32, gid: u32) -> FileFacts {
        FileFacts {
            identity: (0, 0),
            uid,
            gid,
            links: 1,
            length: 0,
            reserved: 0,
            mode: 0o600,
            is_file: true,
            modified: std::time::SystemTime::UNIX_EPOCH,
        }
    }

    fn admits(rules: &Admission, facts: &FileFacts, access: Access) -> bool {
        rules.admits(facts, OWN, || access).is_ok()
    }

    #[test]
    fn who_gets_in() {
        use Access::{Closed, Listed};
        for rules in [Admission::SameUser, Admission::Users(vec![OTHER]), Admission::Group(9)] {
            assert!(admits(&rules, &made_by(OWN, 0), Closed), "{rules:?}");
            assert!(!admits(&rules, &made_by(THIRD, OTHER), Listed), "{rules:?}");
        }
        assert!(!admits(&Admission::SameUser, &made_by(OTHER, 9), Listed));
        assert!(admits(&Admission::Users(vec![THIRD, OTHER]), &made_by(OTHER, 9), Listed));
        assert!(admits(&Admission::Group(9), &made_by(THIRD, 9), Listed));
    }

    #[test]
    fn a_file_that_others_could_have_filled_is_nobodys_link() {
        use Access::{Closed, Listed, Open};
        let all = Admission::Users(vec![OWN, OTHER]);
        for access in [Listed, Open] {
            assert!(!admits(&all, &made_by(OWN, 0), access), "{access:?}");
            assert!(!admits(&Admission::SameUser, &made_by(OWN, 0), access), "{access:?}");
        }
        for access in [Closed, Open] {
            assert!(!admits(&all, &made_by(OTHER, 0), access), "{access:?}");
        }
    }

    #[test]
    fn a_file_with_a_second_name_may_be_offered_by_anybody() {
        let renamed = FileFacts { links: 2, ..made_by(OWN, 0) };
        assert!(!admits(&Admission::Users(vec![OTHER]), &renamed, Access::Closed));
        assert!(!admits(&Admission::Group(9), &renamed, Access::Closed));
        // Nobody else could have written it, hence renamed it; and nobody else could offer it.
        assert!(admits(&Admission::SameUser, &renamed, Access::Closed));
    }

    #[test]
    fn lists_are_bounded() {
        assert!(Admission::Users(Vec::new()).check().is_err());
        assert!(Admission::Users(vec![1; 1025]).check().is_err());
        assert!(Admission::Users(vec![1; 1024]).check().is_ok());
    }
}
