//! The exit status that `trace` and `layout` share for a file that execve(2) does not run.

use sys::Errno;

/// The exit status of a shell.
pub(crate) fn status(errno: Errno) -> u8 {
    if errno == Errno::NO_ENTRY { 127 } else { 126 }
}
