//! Memory of the whole machine: overcommit, swap, and fragmentation of free memory.

use std::fs::read_to_string;

use super::{number, switch};
use crate::mapping::HUGE_PAGE_BYTES;
use crate::proc::meminfo_bytes;

/// The state of the machine's memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryFacts {
    /// All memory.
    pub total_bytes: Option<u64>,
    /// Free memory.
    pub free_bytes: Option<u64>,
    /// Memory available without swapping, as the kernel estimates it.
    pub available_bytes: Option<u64>,
    /// `vm.overcommit_memory`: 0 by a heuristic, 1 always, 2 never (proc(5)).
    pub overcommit_mode: Option<u8>,
    /// `vm.overcommit_ratio`: the share of memory in the limit of mode 2, in percent.
    pub overcommit_ratio: Option<u64>,
    /// The commit limit, which is enforced in mode 2.
    pub commit_limit_bytes: Option<u64>,
    /// Memory committed so far.
    pub committed_bytes: Option<u64>,
    /// `vm.max_map_count`: the largest number of mappings of a process.
    pub max_map_count: Option<u64>,
    /// Swap devices and files.
    pub swaps: Option<Vec<Swap>>,
    /// `vm.swappiness`.
    pub swappiness: Option<u32>,
    /// Whether zswap compresses pages before they reach a swap device.
    pub zswap: Option<bool>,
    /// Free memory in blocks of 2 MiB or more.
    pub free_huge_bytes: Option<u64>,
    /// `vm.compaction_proactiveness`: how aggressively free memory is compacted in the background,
    /// 0 to 100.
    pub compaction_proactiveness: Option<u32>,
    /// `vm.extfrag_threshold`: below it a failed allocation reclaims rather than compacts, 0 to
    /// 1000.
    pub extfrag_threshold: Option<u32>,
}

/// A swap device or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Its path, as in `/proc/swaps` (blanks are written `\040`).
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Bytes in use.
    pub used_bytes: u64,
}

impl MemoryFacts {
    pub(super) fn now() -> Self {
        let meminfo = read_to_string("/proc/meminfo").unwrap_or_default();
        let vm = |name: &str| format!("/proc/sys/vm/{name}");
        MemoryFacts {
            total_bytes: meminfo_bytes(&meminfo, "MemTotal"),
            free_bytes: meminfo_bytes(&meminfo, "MemFree"),
            available_bytes: meminfo_bytes(&meminfo, "MemAvailable"),
            overcommit_mode: crate::proc::sysctl::overcommit_memory(),
            overcommit_ratio: number(vm("overcommit_ratio")),
            commit_limit_bytes: meminfo_bytes(&meminfo, "CommitLimit"),
            committed_bytes: meminfo_bytes(&meminfo, "Committed_AS"),
            max_map_count: crate::proc::sysctl::max_map_count(),
            swaps: swaps(),
            swappiness: number(vm("swappiness")),
            zswap: switch("/sys/module/zswap/parameters/enabled"),
            free_huge_bytes: read_to_string("/proc/buddyinfo").ok().map(|text| {
                free_in_blocks(&text, HUGE_PAGE_BYTES as u64, crate::limits::page_bytes())
            }),
            compaction_proactiveness: number(vm("compaction_proactiveness")),
            extfrag_threshold: number(vm("extfrag_threshold")),
        }
    }
}

/// A kernel without swap has no `/proc/swaps`, although `/proc` is there.
fn swaps() -> Option<Vec<Swap>> {
    match read_to_string("/proc/swaps") {
        Ok(text) => Some(parse_swaps(&text)),
        Err(_) if std::path::Path::new("/proc/meminfo").exists() => Some(Vec::new()),
        Err(_) => None,
    }
}

/// `/proc/swaps`: a heading, then path, type, size, used and priority; sizes in KiB.
fn parse_swaps(text: &str) -> Vec<Swap> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let path = words.next()?.to_owned();
            let mut kilobytes = words.skip(1).map_while(|word| word.parse::<u64>().ok());
            Some(Swap {
                path,
                size_bytes: kilobytes.next()? * 1024,
                used_bytes: kilobytes.next()? * 1024,
            })
        })
        .collect()
}

/// Free memory in blocks of at least `least_bytes`, from `/proc/buddyinfo`: for each zone the
/// number of free blocks of one page, of two, of four, and so on.
fn free_in_blocks(text: &str, least_bytes: u64, page_bytes: u64) -> u64 {
    let zone = |line: &str| -> u64 {
        let counts = line.split_whitespace().skip(4).map_while(|word| word.parse::<u64>().ok());
        let blocks = counts.zip(0_u32..).map(|(count, order)| (count, page_bytes << order));
        blocks.filter(|&(_, bytes)| bytes >= least_bytes).map(|(count, bytes)| count * bytes).sum()
    };
    text.lines().map(zone).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_sizes_are_in_kibibytes() {
        let text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                    /dev/zram0                              partition\t1000\t\t4\t\t100\n\
                    /swap\\040file                           file\t\t2000\t\t0\t\t-2\n";
        let swap = |path: &str, size: u64, used: u64| Swap {
            path: path.to_owned(),
            size_bytes: size << 10,
            used_bytes: used << 10,
        };
        assert_eq!(
            parse_swaps(text),
            [swap("/dev/zram0", 1000, 4), swap("/swap\\040file", 2000, 0)]
        );
        assert_eq!(parse_swaps("Filename Type Size Used Priority\n"), []);
        assert_eq!(parse_swaps(""), []);
    }

    #[test]
    fn blocks_of_two_mebibytes_start_at_order_nine() {
        let text = "Node 0, zone      DMA  9  9  9  9  9  9  9  9  9  1  3 \n\
                    Node 1, zone   Normal  9  0  0  0  0  0  0  0  0  2  0 \n";
        assert_eq!(free_in_blocks(text, 2 << 20, 4096), (2 << 20) * (1 + 2 * 3 + 2));
        // Pages of 64 KiB: order 5.
        assert_eq!(free_in_blocks("Node 0, zone DMA 1 1 1 1 1 1 0", 2 << 20, 65536), 2 << 20);
        assert_eq!(free_in_blocks("", 2 << 20, 4096), 0);
    }
}
