//! Finds a program by its name, as execvp(3) does, or says why it cannot be run.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::Errno;

/// Why a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such file; a shell's status for it is 127.
    NotFound(OsString),
    /// The file exists but cannot be run, and why; a shell's status for it is 126.
    NotExecutable(PathBuf, String),
}

impl Unfit {
    /// The exit status that a shell would give.
    #[must_use]
    pub fn status(&self) -> u8 {
        if matches!(self, Unfit::NotFound(_)) { 127 } else { 126 }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NotFound(name) if name.as_bytes().contains(&b'/') => {
                write!(f, "{}: no such file; check the path", name.display())
            }
            Unfit::NotFound(name) => {
                write!(
                    f,
                    "{}: not found in PATH; give a path like ./{0} if it is here",
                    name.display()
                )
            }
            Unfit::NotExecutable(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for Unfit {}

/// The file that `name` stands for.
pub(super) fn look_up(name: &OsStr, search: Option<&OsStr>) -> Result<PathBuf, Unfit> {
    if name.is_empty() {
        return Err(Unfit::NotFound(name.to_owned()));
    }
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match fitness(&path) {
            None => Err(Unfit::NotFound(name.to_owned())),
            Some(Ok(())) => Ok(path),
            Some(Err(why)) => Err(Unfit::NotExecutable(path, why)),
        };
    }
    let mut unfit = None;
    // The C library's default without PATH (execvp(3), since glibc 2.24).
    let search = search.unwrap_or(OsStr::new("/bin:/usr/bin"));
    for directory in std::env::split_paths(search) {
        let path = if directory.as_os_str().is_empty() {
            Path::new(".").join(name)
        } else {
            directory.join(name)
        };
        match fitness(&path) {
            Some(Ok(())) => return Ok(path),
            // A directory that this user may not search holds no program for this user.
            Some(Err(why))
                if unfit.is_none() && path.metadata().is_ok_and(|found| !found.is_dir()) =>
            {
                unfit = Some(Unfit::NotExecutable(path, why));
            }
            _ => {}
        }
    }
    Err(unfit.unwrap_or_else(|| Unfit::NotFound(name.to_owned())))
}

/// Whether `path` can be run; `None` if there is no such file.
fn fitness(path: &Path) -> Option<Result<(), String>> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            return Some(Err(
                "not executable: this user may not search a directory of its path".to_owned()
            ));
        }
        Err(_) => return None,
    };
    Some(if metadata.is_dir() {
        Err("is a directory, not a program".to_owned())
    } else if !metadata.is_file() {
        Err("is not a regular file, so not a program".to_owned())
    } else if access(path, Access::EXEC_OK).is_err() {
        Err("not executable by this user; chmod +x if it is a program".to_owned())
    } else {
        Ok(())
    })
}

/// Why execve(2) does not run a file that exists and is executable.
#[must_use]
pub fn not_executed(errno: Errno) -> String {
    match errno {
        Errno::NO_EXEC => {
            "neither a program for this machine nor a script that begins with #! (ENOEXEC)"
                .to_owned()
        }
        Errno::NO_ENTRY => {
            "the interpreter of a script (#!), or the dynamic linker of a program, is not there \
             (ENOENT)"
                .to_owned()
        }
        // By the pipes to the child, before execve(2).
        Errno::TOO_MANY_FILES => {
            "too few files may be open to start it (EMFILE): raise the limit (ulimit -n)".to_owned()
        }
        errno => format!("the kernel cannot execute it: {errno}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_cause() {
        let find =
            |word: &str| look_up(OsStr::new(word), Some(OsStr::new("/usr/bin:/bin"))).unwrap_err();
        assert_eq!(
            (find("no-such-program").status(), find("/no/such").status(), find("").status()),
            (127, 127, 127)
        );
        assert_eq!(
            (find("/tmp").status(), find("/etc/passwd").status(), find("/dev/null").status()),
            (126, 126, 126)
        );
        assert!(find("/tmp").to_string().contains("directory"));
        assert!(find("no-such-program").to_string().contains("./no-such-program"));
    }

    #[test]
    fn the_search_continues_after_files_that_cannot_be_run() {
        let passwd = OsStr::new("passwd");
        let found = look_up(passwd, Some(OsStr::new("/nonexistent:/etc:/usr/bin:/bin")));
        assert!(matches!(found, Ok(path) if path.ends_with("bin/passwd")));
        assert!(matches!(look_up(passwd, Some(OsStr::new("/etc"))), Err(Unfit::NotExecutable(..))));
    }
}
