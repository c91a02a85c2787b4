//! Limits of this process's control groups and their ancestors, versions 1 and 2: cgroups(7).

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use crate::cgroup::{
    MemoryLimit, group_path, mount_point, tightest_memory_high, tightest_memory_limit,
};
use crate::proc::field;

/// What control groups allow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups {
    /// Whether this process's groups are visible at all.
    pub visible: bool,
    /// The tightest memory limit.
    pub memory: Option<MemoryLimit>,
    /// The tightest `memory.high` (version 2), above which every fault is slowed down.
    pub high: Option<MemoryLimit>,
    /// The lowest swap limit.
    pub swap_bytes: Option<u64>,
    /// The tightest quota of processor time.
    pub quota: Option<Quota>,
}

/// A quota of processor time: `cpu.max`, or `cpu.cfs_quota_us` of version 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// The file that sets it.
    pub file: PathBuf,
    /// The quota as a number of processors.
    pub cpus: f64,
    /// Periods so far in which the group was throttled.
    pub throttled: Option<u64>,
}

impl Groups {
    pub(super) fn now() -> Self {
        let text = |path| read_to_string(path).unwrap_or_default();
        let (groups, mounts) = (text("/proc/self/cgroup"), text("/proc/self/mountinfo"));
        let folders = |controller: &str| -> Vec<PathBuf> {
            let place = mount_point(&mounts, controller).zip(group_path(&groups, controller));
            place.map(|(root, path)| ancestors(Path::new(root), path)).unwrap_or_default()
        };
        let (unified, memory, cpu) = (folders(""), folders("memory"), folders("cpu"));
        Groups {
            visible: !groups.is_empty(),
            memory: tightest_memory_limit(),
            high: tightest_memory_high(),
            swap_bytes: lowest(&unified, "memory.swap.max").or_else(|| swap_v1(&memory)),
            quota: tightest_quota(&unified, "cpu.max", quota_v2)
                .into_iter()
                .chain(tightest_quota(&cpu, "cpu.cfs_quota_us", quota_v1))
                .min_by(|a, b| a.cpus.total_cmp(&b.cpus)),
        }
    }
}

/// The group's folder and those above it, up to the mount.
fn ancestors(root: &Path, path: &str) -> Vec<PathBuf> {
    let group = root.join(path.trim_start_matches('/'));
    group.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned).collect()
}

fn bytes(folder: &Path, name: &str) -> Option<u64> {
    // "max" is not a number, and version 1 writes "no limit" as the largest multiple of a page.
    read_to_string(folder.join(name))
        .ok()?
        .trim()
        .parse()
        .ok()
        .filter(|&bytes: &u64| bytes < 1 << 60)
}

fn lowest(folders: &[PathBuf], name: &str) -> Option<u64> {
    folders.iter().filter_map(|folder| bytes(folder, name)).min()
}

/// Version 1 limits memory and swap together.
fn swap_v1(folders: &[PathBuf]) -> Option<u64> {
    let swap = |folder: &PathBuf| {
        let both = bytes(folder, "memory.memsw.limit_in_bytes")?;
        Some(both.saturating_sub(bytes(folder, "memory.limit_in_bytes")?))
    };
    folders.iter().filter_map(swap).min()
}

fn tightest_quota(
    folders: &[PathBuf],
    name: &str,
    parse: fn(&Path, &str) -> Option<f64>,
) -> Option<Quota> {
    let quota = |folder: &PathBuf| {
        let file = folder.join(name);
        let cpus = parse(folder, &read_to_string(&file).ok()?)?;
        let statistics = read_to_string(folder.join("cpu.stat")).unwrap_or_default();
        Some(Quota { file, cpus, throttled: field(&statistics, "nr_throttled") })
    };
    folders.iter().filter_map(quota).min_by(|a, b| a.cpus.total_cmp(&b.cpus))
}

/// `max 100000`, or two numbers: microseconds of processor time per period, and the period in
/// microseconds.
fn quota_v2(_folder: &Path, text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    share(words.next()?.parse().ok()?, words.next()?.parse().ok()?)
}

/// -1, or microseconds of processor time per period; the period is in a separate file.
fn quota_v1(folder: &Path, text: &str) -> Option<f64> {
    share(
        text.trim().parse().ok()?,
        read_to_string(folder.join("cpu.cfs_period_us")).ok()?.trim().parse().ok()?,
    )
}

fn share(quota_us: i64, period_us: i64) -> Option<f64> {
    (quota_us > 0 && period_us > 0).then(|| quota_us as f64 / period_us as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, remove_dir_all, write};

    #[test]
    fn a_quota_is_a_number_of_processors() {
        assert_eq!(quota_v2(Path::new("/"), "50000 100000\n"), Some(0.5));
        assert_eq!(quota_v2(Path::new("/"), "max 100000\n"), None);
        assert_eq!(share(-1, 100_000), None);
    }

    #[test]
    fn the_tightest_ancestor_counts() {
        let root = std::env::temp_dir().join(format!("firsttouch-groups-{}", std::process::id()));
        let group = root.join("parent/child");
        create_dir_all(&group).unwrap();
        write(root.join("parent/cpu.max"), "150000 100000\n").unwrap();
        write(root.join("parent/cpu.stat"), "nr_periods 9\nnr_throttled 4\n").unwrap();
        write(group.join("cpu.max"), "max 100000\n").unwrap();
        write(group.join("memory.swap.max"), "4096\n").unwrap();
        write(root.join("parent/memory.swap.max"), "max\n").unwrap();
        write(root.join("parent/cpu.cfs_quota_us"), "25000\n").unwrap();
        write(root.join("parent/cpu.cfs_period_us"), "50000\n").unwrap();
        write(root.join("parent/memory.memsw.limit_in_bytes"), "9000\n").unwrap();
        write(root.join("parent/memory.limit_in_bytes"), "8000\n").unwrap();
        let folders = ancestors(&root, "/parent/child");
        assert_eq!(folders.len(), 3);
        let quota = tightest_quota(&folders, "cpu.max", quota_v2).unwrap();
        let file = root.join("parent/cpu.max");
        assert_eq!(quota, Quota { file, cpus: 1.5, throttled: Some(4) });
        let old = tightest_quota(&folders, "cpu.cfs_quota_us", quota_v1);
        assert_eq!(old.map(|quota| quota.cpus), Some(0.5));
        assert_eq!(
            (lowest(&folders, "memory.swap.max"), swap_v1(&folders)),
            (Some(4096), Some(1000))
        );
        remove_dir_all(root).unwrap();
    }
}
