//! Groups of control group version 2 that count the peak memory of a run: cgroups(7),
//! Documentation/admin-guide/cgroup-v2.rst of the kernel (`memory.peak`, Linux 5.19).
//!
//! A group is made below a group of this process or one above it, and removed afterwards. No
//! setting of an existing group is changed.

use std::fmt;
use std::fs::{create_dir, read_to_string, remove_dir, write};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{Access, access};

use super::{group_path, mount_point};

/// How often to try to remove a group: for a moment after the end of its last process, the kernel
/// still takes it for used.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);
/// What a group has if its peak is counted.
const PEAK: &str = "memory.peak";
/// Where processes are moved into a group.
const PROCESSES: &str = "cgroup.procs";

/// The place in the hierarchy where this user may make groups that count memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeakGroups {
    above: PathBuf,
}

/// Why there is no such place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPeakGroups {
    /// No hierarchy of version 2 has the memory controller.
    NoController,
    /// None of this process's groups, which are those below this folder, passes it on.
    NotEnabled(PathBuf),
    /// This user may not make groups, or move processes, in this one.
    NotDelegated(PathBuf),
    /// The kernel does not count peaks.
    OldKernel,
}

impl fmt::Display for NoPeakGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoPeakGroups::NoController => f.write_str(
                "no cgroup v2 with the memory controller here (it may be mounted as v1)",
            ),
            NoPeakGroups::NotEnabled(root) => write!(
                f,
                "no group of this process below {} gives its children the memory controller \
                 (cgroup.subtree_control)",
                root.display()
            ),
            NoPeakGroups::NotDelegated(group) => {
                write!(f, "the group {} is not delegated to this user", group.display())
            }
            NoPeakGroups::OldKernel => {
                write!(f, "this kernel has no {PEAK}, which came with Linux 5.19")
            }
        }
    }
}

impl std::error::Error for NoPeakGroups {}

impl PeakGroups {
    /// The nearest of this process's groups that passes the memory controller on to its children,
    /// and in which this user may make groups.
    ///
    /// # Errors
    /// [`NoPeakGroups`]: why there is none.
    pub fn find() -> Result<Self, NoPeakGroups> {
        let text = |path: &str| read_to_string(path).unwrap_or_default();
        let (groups, mounts) = (text("/proc/self/cgroup"), text("/proc/self/mountinfo"));
        let root = mount_point(&mounts, "").ok_or(NoPeakGroups::NoController)?;
        let path = group_path(&groups, "").unwrap_or("/");
        find_in(Path::new(root), path, |group| group.join(PEAK).exists())
    }

    /// Makes an empty group.
    ///
    /// # Errors
    /// As mkdir(2).
    pub fn make(&self) -> io::Result<PeakGroup> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("firsttouch-{}-{number}", std::process::id());
        let folder = self.above.join(name);
        create_dir(&folder)?;
        Ok(PeakGroup { folder })
    }
}

/// A group of our own. Removed when dropped; its processes must have ended by then.
#[derive(Debug)]
pub struct PeakGroup {
    folder: PathBuf,
}

impl PeakGroup {
    /// Moves the process `pid` into it; its later children are in it from their start.
    ///
    /// # Errors
    /// As write(2): EACCES, EPERM where this user may not take it out of its present group.
    pub fn add(&self, pid: u32) -> io::Result<()> {
        write(self.folder.join(PROCESSES), pid.to_string())
    }

    /// The largest amount of memory that it had at one time, page cache and kernel memory included.
    ///
    /// # Errors
    /// As read(2); `InvalidData`: it is no number.
    pub fn peak_bytes(&self) -> io::Result<u64> {
        let text = read_to_string(self.folder.join(PEAK))?;
        text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl Drop for PeakGroup {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            let Err(error) = remove_dir(&self.folder) else { return };
            if error.kind() != io::ErrorKind::ResourceBusy {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Looks from the group at `path` upwards, in the hierarchy that is mounted at `root`. In a
/// container the path may not exist below the mount: the mount itself is then the group.
fn find_in(
    root: &Path,
    path: &str,
    counts_peaks: impl Fn(&Path) -> bool,
) -> Result<PeakGroups, NoPeakGroups> {
    let lists_memory = |file: &Path| {
        let text = read_to_string(file).unwrap_or_default();
        text.split_whitespace().any(|controller| controller == "memory")
    };
    if !lists_memory(&root.join("cgroup.controllers")) {
        return Err(NoPeakGroups::NoController);
    }
    let mut found = NoPeakGroups::NotEnabled(root.to_owned());
    let group = root.join(path.trim_start_matches('/'));
    for above in group.ancestors().take_while(|folder| folder.starts_with(root)) {
        if !lists_memory(&above.join("cgroup.subtree_control")) {
            continue;
        }
        let groups = PeakGroups { above: above.to_owned() };
        // Moving a process takes write access here too, since both groups lie below.
        let may_move = access(above.join(PROCESSES), Access::WRITE_OK).is_ok();
        match groups.make() {
            Ok(tried) if may_move && counts_peaks(&tried.folder) => return Ok(groups),
            Ok(_) if may_move => return Err(NoPeakGroups::OldKernel),
            _ => found = NoPeakGroups::NotDelegated(above.to_owned()),
        }
    }
    Err(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, remove_dir_all};

    /// A folder that plays the hierarchy: `/a/b` is the group of this process, `/a` passes the
    /// memory controller on.
    struct Played(PathBuf);

    impl Played {
        fn new(name: &str) -> Self {
            let root =
                std::env::temp_dir().join(format!("firsttouch-peak-{name}-{}", std::process::id()));
            create_dir_all(root.join("a/b")).unwrap();
            for group in [&root, &root.join("a"), &root.join("a/b")] {
                write(group.join("cgroup.controllers"), "cpu memory\n").unwrap();
                write(group.join("cgroup.subtree_control"), "cpu\n").unwrap();
                write(group.join(PROCESSES), "").unwrap();
            }
            let played = Played(root);
            played.pass_on("a", "cpu memory\n");
            played
        }

        fn pass_on(&self, group: &str, controllers: &str) {
            write(self.0.join(group).join("cgroup.subtree_control"), controllers).unwrap();
        }

        fn find(&self) -> Result<PeakGroups, NoPeakGroups> {
            find_in(&self.0, "/a/b", |_| true)
        }
    }

    impl Drop for Played {
        fn drop(&mut self) {
            remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_nearest_group_that_passes_the_controller_on_is_found() {
        let played = Played::new("nearest");
        assert_eq!(played.find(), Ok(PeakGroups { above: played.0.join("a") }));
        played.pass_on("", "memory\n");
        assert_eq!(played.find(), Ok(PeakGroups { above: played.0.join("a") }));
        played.pass_on("a", "");
        assert_eq!(played.find(), Ok(PeakGroups { above: played.0.clone() }));
        assert_eq!(std::fs::read_dir(played.0.join("a")).unwrap().count(), 4, "nothing is left");
        // In a container the path of the group is one of the host's.
        assert_eq!(
            find_in(&played.0, "/elsewhere/c", |_| true),
            Ok(PeakGroups { above: played.0.clone() })
        );
    }

    #[test]
    fn the_reason_why_there_is_none_is_told() {
        let played = Played::new("none");
        assert_eq!(find_in(&played.0, "/a/b", |_| false), Err(NoPeakGroups::OldKernel));
        std::fs::remove_file(played.0.join("a").join(PROCESSES)).unwrap();
        assert_eq!(played.find(), Err(NoPeakGroups::NotDelegated(played.0.join("a"))));
        played.pass_on("a", "cpu\n");
        assert_eq!(played.find(), Err(NoPeakGroups::NotEnabled(played.0.clone())));
        write(played.0.join("cgroup.controllers"), "cpu memory_recursiveprot\n").unwrap();
        assert_eq!(played.find(), Err(NoPeakGroups::NoController));
        for (why, words) in [
            (NoPeakGroups::NoController, "no cgroup v2 with the memory controller"),
            (NoPeakGroups::NotDelegated("/x".into()), "/x is not delegated"),
        ] {
            assert!(why.to_string().contains(words), "{why}");
        }
    }

    #[test]
    fn a_group_gets_a_process_and_tells_its_peak() {
        let played = Played::new("peak");
        let group = played.find().unwrap().make().unwrap();
        assert!(group.peak_bytes().is_err());
        group.add(77).unwrap();
        write(group.folder.join(PEAK), "1234567\n").unwrap();
        assert_eq!(group.peak_bytes().unwrap(), 1_234_567);
        assert_eq!(read_to_string(group.folder.join(PROCESSES)).unwrap(), "77");
        for file in [PEAK, PROCESSES] {
            std::fs::remove_file(group.folder.join(file)).unwrap(); // the kernel's are no obstacle
        }
        let folder = group.folder.clone();
        drop(group);
        assert!(!folder.exists());
    }

    /// On a real hierarchy, with or without the memory controller: moving in and removing.
    #[test]
    fn a_real_group_is_removed_once_its_process_has_ended() {
        let text = |path: &str| read_to_string(path).unwrap_or_default();
        let (groups, mounts) = (text("/proc/self/cgroup"), text("/proc/self/mountinfo"));
        let own = mount_point(&mounts, "").zip(group_path(&groups, ""));
        let above = own.map(|(root, path)| Path::new(root).join(path.trim_start_matches('/')));
        let made = above.and_then(|above| PeakGroups { above }.make().ok());
        let Some(group) = made else { return skips::skip("no group of cgroup v2 can be made") };
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let moved = group.add(child.id());
        let name = group.folder.file_name().unwrap().to_string_lossy().into_owned();
        let its_groups = text(&format!("/proc/{}/cgroup", child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        let folder = group.folder.clone();
        drop(group);
        assert!(!folder.exists(), "the group is left behind");
        match moved {
            Ok(()) => assert!(its_groups.contains(&name), "{its_groups}"),
            Err(error) => skips::skip(&format!("no process can be moved into a group: {error}")),
        }
    }
}
