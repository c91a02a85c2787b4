//! What this user may read: perf events, tracefs, other processes, `/proc`.

use std::fs::{File, read_dir, read_to_string};
use std::path::{Path, PathBuf};

use super::number;
use crate::Errno;
use crate::perf::FaultCounter;

/// What this process can observe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFacts {
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<i32>,
    /// `kernel.perf_event_mlock_kb`: memory that a user may lock for perf buffers, per processor.
    pub perf_event_mlock_kib: Option<u64>,
    /// The result of opening a counter of faults in user mode; `None` if it was not tried.
    pub user_faults: Option<Result<(), Errno>>,
    /// The same for faults in kernel mode too.
    pub kernel_faults: Option<Result<(), Errno>>,
    /// The file system of the kernel's tracepoints.
    pub tracefs: TracefsFacts,
    /// `kernel.yama.ptrace_scope`; `None` without Yama.
    pub ptrace_scope: Option<u8>,
    /// The files of `/proc` that figures are read from.
    pub proc_files: ProcFiles,
}

/// tracefs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TracefsFacts {
    /// Whether the kernel supports it.
    pub known: Option<bool>,
    /// Where it is mounted.
    pub mounted: Option<PathBuf>,
    /// Whether this user may list its events.
    pub readable: bool,
}

/// Which files of `/proc` can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcFiles {
    /// `/proc/self/smaps_rollup`: resident and huge page memory.
    pub rollup: bool,
    /// `/proc/self/schedstat`: time waited for a processor.
    pub schedstat: bool,
    /// `/proc/stat`: processor time of the whole machine.
    pub stat: bool,
}

impl AccessFacts {
    pub(super) fn now() -> Self {
        let kernel = |name: &str| format!("/proc/sys/kernel/{name}");
        AccessFacts {
            perf_event_paranoid: number(kernel("perf_event_paranoid")),
            perf_event_mlock_kib: number(kernel("perf_event_mlock_kb")),
            user_faults: Some(FaultCounter::new().map(drop)),
            kernel_faults: Some(FaultCounter::with_kernel_mode().map(drop)),
            tracefs: tracefs(),
            ptrace_scope: number(kernel("yama/ptrace_scope")),
            proc_files: ProcFiles {
                rollup: crate::proc::resident_now().is_some(),
                schedstat: crate::proc::run_delay().is_some(),
                stat: File::open("/proc/stat").is_ok(),
            },
        }
    }
}

fn tracefs() -> TracefsFacts {
    let known =
        read_to_string("/proc/filesystems").ok().map(|text| has_filesystem(&text, "tracefs"));
    let mounts = read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounted = mount_of(&mounts, "tracefs").map(|path| Path::new(path).to_owned());
    let readable = mounted.as_ref().is_some_and(|folder| read_dir(folder.join("events")).is_ok());
    TracefsFacts { known, mounted, readable }
}

/// `/proc/filesystems`: an optional `nodev`, then the name.
fn has_filesystem(text: &str, name: &str) -> bool {
    text.lines().any(|line| line.split_whitespace().last() == Some(name))
}

/// The first mount of a file system in `/proc/self/mountinfo`.
fn mount_of<'a>(mounts: &'a str, filesystem: &str) -> Option<&'a str> {
    mounts.lines().find_map(|line| {
        let (mount, rest) = line.split_once(" - ")?;
        (rest.split(' ').next() == Some(filesystem)).then(|| mount.split(' ').nth(4)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_by_their_file_system() {
        let mounts = "24 1 0:7 / /sys rw,nosuid - sysfs sysfs rw\n\
                      31 24 0:12 / /sys/kernel/tracing rw,nosuid shared:9 - tracefs tracefs rw\n";
        assert_eq!(mount_of(mounts, "tracefs"), Some("/sys/kernel/tracing"));
        assert_eq!(mount_of(mounts, "debugfs"), None);
        let filesystems = "nodev\tsysfs\nnodev\ttracefs\n\text4\n";
        assert!(has_filesystem(filesystems, "tracefs") && has_filesystem(filesystems, "ext4"));
        assert!(!has_filesystem(filesystems, "trace"));
    }
}
