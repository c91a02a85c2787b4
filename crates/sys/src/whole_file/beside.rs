//! A new file beside the target, renamed over it.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid, fchown, flistxattr, linkat, open};
use rustix::io::Errno as RawErrno;

use super::folder_of;
use crate::reopen;

/// Permissions of a new file, less the umask.
const MODE: Mode = Mode::from_raw_mode(0o666);
/// Other files may have so many of our temporary names.
const NAMES_MAX: u32 = 1000;

/// A file in the folder of its target: without a name where the file system can do that.
pub(super) struct Beside {
    file: File,
    /// Its temporary name, if it has one: removed when dropped.
    name: Option<PathBuf>,
}

impl Beside {
    /// An empty one in `folder`.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        // A name is given through /proc.
        if reopen::is_possible()
            && let Ok(file) = open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, MODE)
        {
            return Ok(Beside { file: File::from(file), name: None });
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let (file, name) = with_free_name(folder, |name| open(name, flags, MODE))?;
        Ok(Beside { file: File::from(file), name: Some(name) })
    }

    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()
    }

    /// Gives it the name `target`, and takes that from the file that has it.
    fn publish(mut self, target: &Path) -> io::Result<()> {
        let link = |name: &Path| {
            let file = reopen::path_of(self.file.as_fd());
            linkat(CWD, &file, CWD, name, AtFlags::SYMLINK_FOLLOW)
        };
        if self.name.is_none() {
            match link(target) {
                Ok(()) => return Ok(()),
                Err(RawErrno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let ((), name) = with_free_name(folder_of(target), link)?;
            self.name = Some(name);
        }
        if let Some(name) = &self.name {
            std::fs::rename(name, target)?;
        }
        self.name = None;
        Ok(())
    }

    /// Takes over owner, group and permissions of `older`. Returns whether it could.
    fn resemble(&self, older: &Metadata) -> io::Result<bool> {
        let own = self.file.metadata()?;
        if (own.uid(), own.gid()) != (older.uid(), older.gid()) {
            let (user, group) = (Uid::from_raw(older.uid()), Gid::from_raw(older.gid()));
            if fchown(&self.file, Some(user), Some(group)).is_err() {
                return Ok(false);
            }
        }
        // After the owner: chown(2) clears the set-user-ID bit.
        self.file.set_permissions(PermissionsExt::from_mode(older.mode() & 0o7777))?;
        Ok(true)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = std::fs::remove_file(name);
        }
    }
}

/// Writes `bytes` to a new file `target`.
pub(super) fn create(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = Beside::create(folder_of(target))?;
    beside.fill(bytes)?;
    beside.publish(target)
}

/// Replaces `target`, the `older` file, by one that holds `bytes`. Returns `false`, with nothing
/// changed, where only the file itself can be written: its folder takes no files, its name cannot
/// be taken (a mount point, a sticky folder), or its owner or access list could not be kept.
pub(super) fn replace(
    target: &Path,
    older: &File,
    metadata: &Metadata,
    bytes: &[u8],
) -> io::Result<bool> {
    if has_attributes(older) {
        return Ok(false);
    }
    let replaced = || {
        let mut beside = Beside::create(folder_of(target))?;
        if !beside.resemble(metadata)? {
            return Ok(false);
        }
        beside.fill(bytes)?;
        beside.publish(target).map(|()| true)
    };
    match replaced() {
        Err(error) if !is_lack_of_space(&error) => Ok(false),
        outcome => outcome,
    }
}

/// Errors that writing in place would meet as well.
fn is_lack_of_space(error: &io::Error) -> bool {
    let lack = [libc::ENOSPC, libc::EDQUOT, libc::EFBIG, libc::EIO, libc::ENOENT];
    error.raw_os_error().is_some_and(|errno| lack.contains(&errno))
}

/// Whether the file has attributes of its own (an access list, capabilities). The label of
/// `SELinux` is not one: a new file gets it from its folder.
fn has_attributes(file: &File) -> bool {
    let mut names = vec![0_u8; 4096];
    match flistxattr(file, names.as_mut_slice()) {
        Ok(len) => names[..len]
            .split(|byte| *byte == 0)
            .any(|name| !name.is_empty() && name != b"security.selinux"),
        // More names than fit.
        Err(error) => error == RawErrno::RANGE,
    }
}

/// Calls `make` with names in `folder` until one is free.
fn with_free_name<T>(
    folder: &Path,
    mut make: impl FnMut(&Path) -> Result<T, RawErrno>,
) -> io::Result<(T, PathBuf)> {
    let mut attempt = 0;
    loop {
        let name = folder.join(format!(".firsttouch-{}-{attempt}.tmp", std::process::id()));
        match make(&name) {
            Ok(file) => return Ok((file, name)),
            Err(RawErrno::EXIST) if attempt < NAMES_MAX => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
