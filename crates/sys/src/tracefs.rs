//! The ids of the kernel's tracepoints, from tracefs.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::Errno;

/// The root of tracefs.
#[derive(Debug)]
pub struct Tracefs(OwnedFd);

impl Tracefs {
    /// Opens it at its usual mount points, or else creates a detached mount: no other process sees
    /// it, and it disappears with the descriptor.
    ///
    /// # Errors
    /// EACCES, EPERM: not root, or kernel lockdown. ENODEV: a kernel without tracing.
    pub fn open() -> Result<Self, Errno> {
        let errno = |e: rustix::io::Errno| Errno(e.raw_os_error());
        for mount in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] {
            if Path::new(mount).join("events").exists() {
                return open(mount, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                    .map(Tracefs)
                    .map_err(errno);
            }
        }
        let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(errno)?;
        fsconfig_create(&context).map_err(errno)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
            .map(Tracefs)
            .map_err(errno)
    }

    /// The id of a tracepoint, such as `raw_syscalls/sys_enter`.
    ///
    /// # Errors
    /// ENOENT: no such tracepoint. EACCES: not root.
    pub fn id(&self, tracepoint: &str) -> Result<u64, Errno> {
        let path = format!("events/{tracepoint}/id");
        let file = openat(&self.0, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| Errno(e.raw_os_error()))?;
        let mut text = String::new();
        std::fs::File::from(file)
            .read_to_string(&mut text)
            .map_err(|e| Errno(e.raw_os_error().unwrap_or(libc::EIO)))?;
        text.trim().parse().map_err(|_| Errno(libc::EIO))
    }
}
