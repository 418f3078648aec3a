//! Limits of a process or of the machine.

use std::io;

use nix::errno::Errno;

/// A limit of a process or of the machine that stands in the way, whatever was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The process has as many open files as it may. Each link takes up to three of them on either
    /// side.
    Descriptors,
    /// The machine has as many open files as it may.
    OpenFiles,
    /// The process, its control group or the machine has no memory left, or the process no
    /// mappings.
    Memory,
    /// There is no `/dev/shm`, where shared memory lies.
    SharedMemory,
    /// `/dev/shm` takes no more files.
    Files,
    /// The process may not make files of this size.
    FileSize,
}

impl Limit {
    /// What is behind a system's error, if it is a limit.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        match Errno::from_raw(error.raw_os_error()?) {
            Errno::EMFILE => Some(Self::Descriptors),
            Errno::ENFILE => Some(Self::OpenFiles),
            Errno::ENOMEM => Some(Self::Memory),
            Errno::ENOSPC => Some(Self::Files),
            Errno::EFBIG => Some(Self::FileSize),
            Errno::ENOENT if !crate::os::file::has_shared_memory() => Some(Self::SharedMemory),
            _ => None,
        }
    }

    /// As a server tells it to its client.
    pub(crate) fn to_code(self) -> u32 {
        match self {
            Self::Descriptors => 1,
            Self::OpenFiles => 2,
            Self::Memory => 3,
            Self::SharedMemory => 4,
            Self::Files => 5,
            Self::FileSize => 6,
        }
    }

    /// What a server told.
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Descriptors,
            2 => Self::OpenFiles,
            3 => Self::Memory,
            4 => Self::SharedMemory,
            5 => Self::Files,
            6 => Self::FileSize,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Descriptors => {
                "the process has as many open files as it may; raise its limit (RLIMIT_NOFILE, \
                 `ulimit -n`) or make fewer links (`max_links`)"
            }
            Self::OpenFiles => {
                "the machine has as many open files as it may; raise that limit (sysctl \
                 `fs.file-max`)"
            }
            Self::Memory => {
                "there is no memory left for it; raise the process's limit (RLIMIT_AS, sysctl \
                 `vm.max_map_count`), its control group's, or make fewer, smaller links"
            }
            Self::SharedMemory => {
                "there is no /dev/shm, where shared memory lies; have one mounted (`mount -t tmpfs \
                 tmpfs /dev/shm`)"
            }
            Self::Files => {
                "/dev/shm takes no more files; remove some, or mount it with more of them \
                 (`nr_inodes`)"
            }
            Self::FileSize => {
                "the process may not make files of that size; raise its limit (RLIMIT_FSIZE, \
                 `ulimit -f`) or choose smaller rings"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_told_by_its_code_and_says_what_to_do() {
        let all: Vec<Limit> = (0..100).filter_map(Limit::from_code).collect();
        assert_eq!(all.len(), 6);
        for limit in all {
            assert_eq!(Limit::from_code(limit.to_code()), Some(limit));
            assert!(limit.to_string().contains("; "), "{limit}");
        }
    }

    #[test]
    fn system_errors_are_told_as_the_limits_that_they_are() {
        let of = |errno: Errno| Limit::of(&io::Error::from(errno));
        assert_eq!(of(Errno::EMFILE), Some(Limit::Descriptors));
        assert_eq!(of(Errno::ENFILE), Some(Limit::OpenFiles));
        assert_eq!(of(Errno::ENOMEM), Some(Limit::Memory));
        assert_eq!(of(Errno::EACCES), None);
        // There is one here.
        assert_eq!(of(Errno::ENOENT), None);
    }
}
