//! Why a scratch file could not be created, and what to do.

use std::fmt;
use std::path::PathBuf;

use super::SHARED_MEMORY;
use crate::Errno;

/// Why a scratch file could not be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScratchError {
    /// No file can be created in the directory.
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why: ENOENT, ENOTDIR, EACCES, EROFS.
        errno: Errno,
    },
    /// The file system is too full.
    NoSpace {
        /// A directory on it.
        directory: PathBuf,
        /// Size of the file.
        needed_bytes: u64,
        /// Free space for ordinary users.
        free_bytes: u64,
    },
    /// `/dev/shm` is on another file system.
    NoTmpfs {
        /// Its name.
        filesystem: String,
    },
    /// Writing the content failed.
    Content {
        /// The directory of the file.
        directory: PathBuf,
        /// Why: ENOSPC, EDQUOT (quota), EFBIG (`ulimit -f`), EIO.
        errno: Errno,
    },
}

impl fmt::Display for ScratchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScratchError::Directory { directory, errno } => write!(
                f,
                "cannot create a scratch file in {}: {errno}: choose another directory with --dir",
                directory.display()
            ),
            ScratchError::NoSpace { directory, needed_bytes, free_bytes } => write!(
                f,
                "{} has {} MiB free, but a scratch file of {} MiB is needed: choose another \
                 directory with --dir, or a smaller --size",
                directory.display(),
                free_bytes >> 20,
                needed_bytes.div_ceil(1 << 20),
            ),
            ScratchError::NoTmpfs { filesystem } => write!(
                f,
                "{SHARED_MEMORY} is {filesystem}, not tmpfs: mount a tmpfs there, or use memfd \
                 instead"
            ),
            ScratchError::Content { errno: Errno(libc::EFBIG), .. } => write!(
                f,
                "a scratch file would exceed the file size limit (ulimit -f): raise the limit, or \
                 choose a smaller --size"
            ),
            ScratchError::Content { directory, errno } => write!(
                f,
                "cannot write the scratch file in {}: {errno}: choose another directory with \
                 --dir, or a smaller --size",
                directory.display()
            ),
        }
    }
}

impl std::error::Error for ScratchError {}
