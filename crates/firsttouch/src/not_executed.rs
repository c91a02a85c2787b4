//! Why execve(2) does not run a file that exists and is executable, in the words and with the exit
//! status that `trace` and `layout` share.

use sys::Errno;

/// The reason, if the errno alone tells it.
pub(crate) fn reason(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::NO_EXEC => {
            Some("neither a program for this machine nor a script that begins with #! (ENOEXEC)")
        }
        Errno::NO_ENTRY => Some(
            "the interpreter of a script (#!), or the dynamic linker of a program, is not there \
             (ENOENT)",
        ),
        _ => None,
    }
}

/// The exit status of a shell.
pub(crate) fn status(errno: Errno) -> u8 {
    if errno == Errno::NO_ENTRY { 127 } else { 126 }
}
