//! Who else may open a segment: the file's access list, which the kernel enforces. Without one a
//! segment is its owner's alone (mode 0600).

use std::os::fd::OwnedFd;

use super::error::SegmentError;
use crate::os::{self, FileFacts};

const VERSION: u32 = 2;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;
const NOTHING: u16 = 0;
const READ_AND_WRITE: u16 = 6;
/// The id of entries that are about nobody in particular.
const NOBODY: u32 = u32::MAX;

/// Lets these users and this group open the file, and its owner, and nobody else.
pub(super) fn admit(file: &OwnedFd, users: &[u32], group: Option<u32>) -> Result<(), SegmentError> {
    os::set_access_list(file, &encode(users, group)).map_err(|error| {
        SegmentError::system(
            "let another user into a shared memory segment; /dev/shm must keep access lists (ACLs)",
            error,
        )
    })
}

/// Who besides its owner may open a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody.
    Closed,
    /// One user, by exactly the list that [`admit`] writes.
    Listed,
    /// Others, in some way.
    Open,
}

impl Access {
    /// Asked of the open file. Only its owner (and root) can set this: so whoever else could open
    /// the file, could because its owner let him.
    pub(super) fn of(file: &OwnedFd, facts: &FileFacts, user: u32) -> Self {
        // Where there is a list, the group's three bits are its mask, which bounds every other
        // entry.
        if facts.mode & 0o077 == 0 {
            return Self::Closed;
        }
        let expected = encode(&[user], None);
        match os::access_list(file, expected.len()) {
            Some(list) if list == expected => Self::Listed,
            _ => Self::Open,
        }
    }
}

/// The list as the kernel reads it: entries in the order of their tags, each user once.
fn encode(users: &[u32], group: Option<u32>) -> Vec<u8> {
    let mut users = users.to_vec();
    users.sort_unstable();
    users.dedup();
    let mut list = VERSION.to_le_bytes().to_vec();
    let mut entry = |tag: u16, permission: u16, id: u32| {
        list.extend(tag.to_le_bytes());
        list.extend(permission.to_le_bytes());
        list.extend(id.to_le_bytes());
    };
    entry(OWNER, READ_AND_WRITE, NOBODY);
    users.into_iter().for_each(|uid| entry(USER, READ_AND_WRITE, uid));
    entry(OWNING_GROUP, NOTHING, NOBODY);
    group.into_iter().for_each(|gid| entry(GROUP, READ_AND_WRITE, gid));
    entry(MASK, READ_AND_WRITE, NOBODY);
    entry(OTHERS, NOTHING, NOBODY);
    list
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// What the kernel gives back is what it was given.
    #[test]
    fn the_access_of_a_file_is_told_from_the_file() {
        let name = format!("shmipc.test.{:032x}", os::random_u128().unwrap());
        let mapping = crate::segment::Mapping::create(&name, 4096, 0).unwrap();
        mapping.unlink();
        let access =
            |user| Access::of(mapping.file(), &os::file_facts(mapping.file()).unwrap(), user);
        assert_eq!(access(4001), Access::Closed);
        mapping.admit(&[4001], None).unwrap();
        assert_eq!((access(4001), access(4002)), (Access::Listed, Access::Open));
        mapping.admit(&[4001, 4002], None).unwrap();
        assert_eq!((access(4001), access(4002)), (Access::Open, Access::Open));
        mapping.admit(&[4001], Some(7)).unwrap();
        assert_eq!(access(4001), Access::Open);
    }

    #[test]
    fn a_list_names_each_user_once_in_order_and_lets_nobody_else_in() {
        let list = encode(&[4002, 4001, 4002], Some(7));
        let (version, entries) = list.split_at(4);
        assert_eq!(version, [2, 0, 0, 0]);
        let entries: Vec<_> = entries
            .chunks(8)
            .map(|entry| (entry[0], entry[2], u32::from_le_bytes(entry[4..].try_into().unwrap())))
            .collect();
        let expected = [
            (0x01, 6, u32::MAX),
            (0x02, 6, 4001),
            (0x02, 6, 4002),
            (0x04, 0, u32::MAX),
            (0x08, 6, 7),
            (0x10, 6, u32::MAX),
            (0x20, 0, u32::MAX),
        ];
        assert_eq!(entries, expected);
    }
}
