//! Memory limits of control groups, versions 1 and 2: cgroups(7).

pub mod peak;

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// A group that limits memory, and how much of its limit is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The file that sets it.
    pub file: PathBuf,
    /// The limit.
    pub limit_bytes: u64,
    /// Bytes that can still be charged before the kernel must reclaim more than clean file pages.
    pub left_bytes: u64,
}

/// The names of one version's files.
struct Names {
    limit: &'static str,
    usage: &'static str,
    /// The field of `memory.stat` for page cache that the kernel reclaims first.
    inactive_file: &'static str,
}

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    inactive_file: "total_inactive_file",
};
const V2: Names =
    Names { limit: "memory.max", usage: "memory.current", inactive_file: "inactive_file" };
/// Not a hard limit: above it, every allocation has to reclaim first.
const V2_HIGH: Names = Names { limit: "memory.high", ..V2 };

/// The memory limit with the least left, of this process's group and its ancestors; `None` if none
/// of them limits memory.
#[must_use]
pub fn tightest_memory_limit() -> Option<MemoryLimit> {
    tightest_of(&[(V1, "memory"), (V2, "")])
}

/// The same for `memory.high` of version 2, above which a group's allocations are slowed down.
#[must_use]
pub fn tightest_memory_high() -> Option<MemoryLimit> {
    tightest_of(&[(V2_HIGH, "")])
}

fn tightest_of(kinds: &[(Names, &str)]) -> Option<MemoryLimit> {
    let groups = read_to_string("/proc/self/cgroup").ok()?;
    let mounts = read_to_string("/proc/self/mountinfo").ok()?;
    kinds
        .iter()
        .filter_map(|(names, controller)| {
            let (root, path) =
                (mount_point(&mounts, controller)?, group_path(&groups, controller)?);
            tightest(Path::new(root), path, names)
        })
        .min_by_key(|limit| limit.left_bytes)
}

/// The path of this process's group in the hierarchy of `controller` (empty: version 2) from
/// `/proc/self/cgroup`, whose lines are `number:controllers:path`.
pub(crate) fn group_path<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        controllers.split(',').any(|name| name == controller).then(|| parts.next()).flatten()
    })
}

/// Where the hierarchy is mounted, from `/proc/self/mountinfo`: `… mount-point … - type source
/// options`.
pub(crate) fn mount_point<'a>(mounts: &'a str, controller: &str) -> Option<&'a str> {
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut words = filesystem.split(' ');
        let (kind, options) = (words.next()?, words.nth(1)?);
        let wanted = match controller {
            "" => kind == "cgroup2",
            name => kind == "cgroup" && options.split(',').any(|option| option == name),
        };
        wanted.then(|| mount.split(' ').nth(4)).flatten()
    })
}

/// Walks from the group up to the root of the hierarchy. In a container the path may not exist
/// below the mount: the mount itself is then the group.
fn tightest(root: &Path, path: &str, names: &Names) -> Option<MemoryLimit> {
    let group = root.join(path.trim_start_matches('/'));
    group
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| limit_of(folder, names))
        .min_by_key(|limit| limit.left_bytes)
}

fn limit_of(folder: &Path, names: &Names) -> Option<MemoryLimit> {
    let number = |name: &str| read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let file = folder.join(names.limit);
    let limit_bytes = number(names.limit)?; // "max" is not a number, and means no limit
    if limit_bytes >= 1 << 60 {
        return None; // version 1 writes "no limit" as the largest multiple of a page
    }
    let statistics = read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let droppable = crate::proc::vmstat(&statistics, names.inactive_file).unwrap_or(0);
    let left_bytes =
        (limit_bytes + droppable).saturating_sub(number(names.usage)?).min(limit_bytes);
    Some(MemoryLimit { file, limit_bytes, left_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    const MOUNTS: &str = "\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn hierarchies_are_found_by_controller() {
        let groups = "9:name=systemd:/\n4:cpu,memory:/a/b:c\n0::/d\n";
        assert_eq!(group_path(groups, "memory"), Some("/a/b:c"));
        assert_eq!(group_path(groups, ""), Some("/d"));
        assert_eq!(group_path(groups, "pids"), None);
        assert_eq!(mount_point(MOUNTS, "memory"), Some("/sys/fs/cgroup/memory"));
        assert_eq!(mount_point(MOUNTS, ""), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mount_point("", "memory"), None);
    }

    #[test]
    fn the_tightest_ancestor_counts() {
        let root = std::env::temp_dir().join(format!("firsttouch-cgroup-{}", std::process::id()));
        let group = root.join("parent/child");
        create_dir_all(&group).unwrap();
        for (folder, limit, usage) in
            [(&root.join("parent"), "1000", "900"), (&group, "5000", "100")]
        {
            write(folder.join("memory.max"), format!("{limit}\n")).unwrap();
            write(folder.join("memory.current"), format!("{usage}\n")).unwrap();
        }
        write(root.join("parent/memory.stat"), "anon 5\ninactive_file 200\n").unwrap();
        write(root.join("memory.max"), "max\n").unwrap();
        let found = tightest(&root, "/parent/child", &V2).unwrap();
        assert_eq!((found.limit_bytes, found.left_bytes), (1000, 300));
        assert_eq!(found.file, root.join("parent/memory.max"));
        std::fs::remove_dir_all(root).unwrap();
    }
}
