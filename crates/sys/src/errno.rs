//! Error numbers of failed calls, named and described as in the manual pages.

use std::fmt;

/// An error number. Displays as `ENOMEM (Cannot allocate memory)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// ENOMEM.
    pub const NO_MEMORY: Errno = Errno(libc::ENOMEM);

    /// ENOEXEC: not a program.
    pub const NO_EXEC: Errno = Errno(libc::ENOEXEC);

    /// ENOENT: no such file.
    pub const NO_ENTRY: Errno = Errno(libc::ENOENT);

    /// EACCES: not allowed by the file's permissions, or by a perf setting.
    pub const NO_ACCESS: Errno = Errno(libc::EACCES);

    /// EMFILE: this process has reached its limit of open files.
    pub const TOO_MANY_FILES: Errno = Errno(libc::EMFILE);

    /// EOPNOTSUPP.
    pub const NOT_SUPPORTED: Errno = Errno(libc::EOPNOTSUPP);

    /// ESRCH: no such process or thread. It has ended, or, for ptrace(2), is not stopped.
    pub const NO_PROCESS: Errno = Errno(libc::ESRCH);

    /// ENODEV: no such device, such as a processor that has gone offline.
    pub const NO_DEVICE: Errno = Errno(libc::ENODEV);
    /// ENOTTY: this file does not know this request of ioctl(2).
    pub const NO_SUCH_REQUEST: Errno = Errno(libc::ENOTTY);

    /// EPERM: not allowed for this user.
    pub const NO_SUCH_CALL: Errno = Errno(libc::ENOSYS);
    /// EPERM.
    pub const NOT_PERMITTED: Errno = Errno(libc::EPERM);

    /// EAGAIN: a limit is reached, or the call would block.
    pub const TRY_AGAIN: Errno = Errno(libc::EAGAIN);

    /// The calling thread's `errno` right now.
    #[must_use]
    pub fn last() -> Self {
        Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// What a syscall returns that fails with it.
    #[must_use]
    pub fn as_result(self) -> i64 {
        -i64::from(self.0)
    }

    /// The errno in `error`; `None` if the error does not come from a call.
    #[must_use]
    pub fn of(error: &std::io::Error) -> Option<Self> {
        error.raw_os_error().map(Errno)
    }

    /// The symbol, for the errors that memory and file calls return (mmap(2), malloc(3)).
    fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            libc::ENOMEM => "ENOMEM",
            libc::EINVAL => "EINVAL",
            libc::EAGAIN => "EAGAIN",
            libc::EPERM => "EPERM",
            libc::EACCES => "EACCES",
            libc::ENOSYS => "ENOSYS",
            libc::ENOENT => "ENOENT",
            libc::ENOTDIR => "ENOTDIR",
            libc::ENOSPC => "ENOSPC",
            libc::EROFS => "EROFS",
            libc::EIO => "EIO",
            libc::ESRCH => "ESRCH",
            libc::EMFILE => "EMFILE",
            libc::ENOEXEC => "ENOEXEC",
            libc::EOPNOTSUPP => "EOPNOTSUPP",
            _ => return None,
        })
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        // "Cannot allocate memory (os error 12)": the name says more than the number.
        let words = text.split(" (os error").next().unwrap_or(&text);
        match self.name() {
            Some(name) => write!(f, "{name} ({words})"),
            None => write!(f, "errno {} ({words})", self.0),
        }
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_call_has_its_number() {
        let gone = std::io::Error::from_raw_os_error(libc::ESRCH);
        assert_eq!(Errno::of(&gone), Some(Errno::NO_PROCESS));
        assert_eq!(Errno::of(&std::io::Error::other("not from a call")), None);
    }

    #[test]
    fn errors_display_their_symbol_and_description() {
        assert_eq!(Errno(libc::ENOMEM).to_string(), "ENOMEM (Cannot allocate memory)");
        assert_eq!(
            Errno(libc::EXDEV).to_string(),
            format!("errno {} (Invalid cross-device link)", libc::EXDEV)
        );
    }
}
