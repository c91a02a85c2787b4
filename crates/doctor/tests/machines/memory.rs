//! Huge pages, overcommit, swap, limits.

use results::doctor::State::{Ok as Fine, Skip, Warn};
use sys::cgroup::MemoryLimit;
use sys::facts::{Own, Quota, Swap};

use crate::ideal::{GIB, MIB, case, sizes};

#[test]
fn huge_pages() {
    let thp = |machine, change, state, words: &[&str]| case(machine, "thp", change, state, words);
    thp(
        "always",
        |f| f.pages.enabled = Some("always".to_owned()),
        Warn,
        &["without asking", "echo madvise | sudo tee"],
    );
    thp(
        "never",
        |f| f.pages.enabled = Some("never".to_owned()),
        Warn,
        &["mmap+hugepage is refused", "echo madvise"],
    );
    thp("no THP", |f| f.pages.enabled = None, Skip, &["no transparent huge pages"]);
    thp("forbidden", |f| f.own.huge_pages = Some(false), Warn, &["PR_SET_THP_DISABLE"]);
    thp(
        "own switch",
        |f| f.pages.sizes = sizes(&[(2048, "always")]),
        Warn,
        &["madvise, but always", "hugepages-2048kB"],
    );
    thp(
        "own never",
        |f| f.pages.sizes = sizes(&[(2048, "never")]),
        Warn,
        &["refused", "hugepages-2048kB"],
    );
    thp(
        "no merging",
        |f| f.pages.khugepaged_defrag = Some(false),
        Fine,
        &["every 10 s, without compaction"],
    );
}

#[test]
fn smaller_sizes_and_free_huge_pages() {
    let mthp = |machine, change, state, words: &[&str]| case(machine, "mthp", change, state, words);
    mthp(
        "always",
        |f| f.pages.sizes = sizes(&[(64, "always"), (2048, "inherit")]),
        Warn,
        &["64 KiB", "hugepages-64kB"],
    );
    mthp(
        "inherited",
        |f| {
            f.pages.enabled = Some("always".to_owned());
            f.pages.sizes = sizes(&[(16, "inherit"), (64, "always"), (2048, "inherit")]);
        },
        Warn,
        &["16 KiB, 64 KiB", "hugepages-16kB/enabled (and 1 more)"],
    );
    mthp(
        "asked",
        |f| f.pages.sizes = sizes(&[(32, "inherit"), (64, "madvise")]),
        Fine,
        &["32 KiB, 64 KiB", "madvise for"],
    );
    mthp("old kernel", |f| f.pages.sizes = Some(Vec::new()), Skip, &["6.8"]);

    let free = |machine, change, state, words: &[&str]| {
        case(machine, "free-huge-pages", change, state, words);
    };
    free(
        "broken up",
        |f| f.memory.free_huge_bytes = Some(90 * MIB),
        Warn,
        &["90 MiB of 12 GiB", "compact_memory"],
    );
    free(
        "and no compaction",
        |f| (f.memory.free_huge_bytes, f.pages.defrag) = (Some(0), Some("never".to_owned())),
        Warn,
        &["0 B", "do not compact"],
    );
    free("hidden", |f| f.memory.free_huge_bytes = None, Skip, &["/proc/buddyinfo"]);
}

#[expect(clippy::unnecessary_wraps, reason = "as the fact is declared")]
fn swap(path: &str, used_bytes: u64) -> Option<Vec<Swap>> {
    Some(vec![Swap { path: path.to_owned(), size_bytes: 2 * GIB, used_bytes }])
}

#[test]
fn overcommit_and_mappings() {
    let over =
        |machine, change, state, words: &[&str]| case(machine, "overcommit", change, state, words);
    over(
        "strict",
        |f| f.memory.overcommit_mode = Some(2),
        Warn,
        &["7 GiB of 8 GiB", "ENOMEM", "overcommit_memory=0"],
    );
    over(
        "strict, and little left",
        |f| (f.memory.overcommit_mode, f.memory.committed_bytes) = (Some(2), Some(8 * GIB - MIB)),
        Warn,
        &["1 MiB of 8 GiB", "default size", "fork fails"],
    );
    over(
        "strict, and more committed than the limit",
        |f| (f.memory.overcommit_mode, f.memory.committed_bytes) = (Some(2), Some(9 * GIB)),
        Warn,
        &["0 B of 8 GiB", "fork fails"],
    );
    over(
        "generous",
        |f| f.memory.overcommit_mode = Some(1),
        Fine,
        &["refuses no request; 1 GiB committed, no limit"],
    );
    over("usual", |f| f.memory.overcommit_mode = Some(0), Fine, &["; 1 GiB committed, no limit"]);

    let maps =
        |machine, change, state, words: &[&str]| case(machine, "map-count", change, state, words);
    maps("usual", |f| f.memory.max_map_count = Some(1_048_576), Fine, &["at most 1048576"]);
    maps(
        "few",
        |f| f.memory.max_map_count = Some(65_529),
        Warn,
        &["at most 65529", "default is 65530", "ENOMEM", "sudo sysctl vm.max_map_count=65530"],
    );
    maps("hidden", |f| f.memory.max_map_count = None, Skip, &["/proc/sys/vm/max_map_count"]);
}

#[test]
fn swap_and_its_compression() {
    let of_swap =
        |machine, change, state, words: &[&str]| case(machine, "swap", change, state, words);
    of_swap(
        "idle",
        |f| f.memory.swaps = swap("/dev/sda2", 0),
        Fine,
        &["0 B of 2 GiB", "1 device", "swappiness 60"],
    );
    of_swap(
        "used",
        |f| f.memory.swaps = swap("/dev/sda2", GIB),
        Warn,
        &["1 GiB of 2 GiB", "sudo swapoff -a"],
    );
    of_swap(
        "used, and no room to bring it back",
        |f| (f.memory.swaps, f.memory.available_bytes) = (swap("/dev/sda2", GIB), Some(GIB)),
        Warn,
        &["stop what uses the memory"],
    );

    let zswap =
        |machine, change, state, words: &[&str]| case(machine, "zswap", change, state, words);
    zswap(
        "idle",
        |f| (f.memory.zswap, f.memory.swaps) = (Some(true), swap("/dev/sda2", 0)),
        Fine,
        &["zswap is on"],
    );
    zswap(
        "used",
        |f| (f.memory.zswap, f.memory.swaps) = (Some(true), swap("/dev/sda2", 1)),
        Warn,
        &["echo N | sudo"],
    );
    zswap(
        "zram",
        |f| f.memory.swaps = swap("/dev/zram0", 4096),
        Warn,
        &["1 zram device", "swapoff"],
    );
    zswap("disk", |f| f.memory.swaps = swap("/dev/sda2", 4096), Fine, &["no swap on zram"]);
    zswap("no zswap", |f| f.memory.zswap = None, Fine, &["not in this kernel"]);
}

#[expect(clippy::unnecessary_wraps, reason = "as the fact is declared")]
fn memory(left_bytes: u64, file: &str) -> Option<MemoryLimit> {
    Some(MemoryLimit { file: file.into(), limit_bytes: GIB, left_bytes })
}

#[expect(clippy::unnecessary_wraps, reason = "as the fact is declared")]
fn quota(cpus: f64, throttled: u64, file: &str) -> Option<Quota> {
    Some(Quota { file: file.into(), cpus, throttled: Some(throttled) })
}

#[test]
fn limits_of_control_groups() {
    let group =
        |machine, change, state, words: &[&str]| case(machine, "cgroup", change, state, words);
    group(
        "roomy",
        |f| f.groups.memory = memory(800 * MIB, "/g/memory.max"),
        Fine,
        &["800 MiB of 1 GiB", "/g/memory.max"],
    );
    group(
        "tight",
        |f| f.groups.memory = memory(100 * MIB, "/g/memory.max"),
        Warn,
        &["refused", "--size 25MiB"],
    );
    group(
        "full",
        |f| f.groups.memory = memory(0, "/g/memory.max"),
        Warn,
        &["0 B of 1 GiB", "echo max | sudo tee /g/mem"],
    );
    group(
        "full v1",
        |f| f.groups.memory = memory(0, "/g/memory.limit_in_bytes"),
        Warn,
        &["echo -1 | sudo tee /g/mem"],
    );
    group(
        "slow",
        |f| f.groups.high = memory(80 * MIB, "/g/memory.high"),
        Warn,
        &["slowed", "echo max | sudo tee /g"],
    );
    group("no swap", |f| f.groups.swap_bytes = Some(0), Fine, &["swap: 0 B allowed"]);
    group(
        "v2 half",
        |f| f.groups.quota = quota(0.5, 0, "/g/cpu.max"),
        Warn,
        &["0.50 processors", "echo max | sudo tee"],
    );
    group(
        "v1 half",
        |f| f.groups.quota = quota(0.5, 0, "/g/cpu.cfs_quota_us"),
        Warn,
        &["echo -1 | sudo tee"],
    );
    group(
        "stopped",
        |f| f.groups.quota = quota(2.0, 1, "/g/cpu.max"),
        Warn,
        &["stopped once", "own time"],
    );
    group("two", |f| f.groups.quota = quota(2.0, 0, "/g/cpu.max"), Fine, &["2.00 processors"]);
    group("hidden", |f| f.groups.visible = false, Skip, &["/proc/self/cgroup"]);
}

#[test]
fn limits_of_processes() {
    let limits =
        |machine, change, state, words: &[&str]| case(machine, "limits", change, state, words);
    limits(
        "roomy",
        |f| f.own.address_space_bytes = Some(GIB),
        Fine,
        &["address space 1 GiB (ulimit -v)", "refuses"],
    );
    limits(
        "tight",
        |f| f.own.data_bytes = Some(64 * MIB),
        Warn,
        &["data 64 MiB", "ulimit -d unlimited", "every program started here"],
    );

    let memlock =
        |machine, change, state, words: &[&str]| case(machine, "memlock", change, state, words);
    memlock("unlimited", |f| f.own.locked_bytes = None, Fine, &["unlimited"]);
    memlock(
        "tight",
        |f| (f.own.locked_bytes, f.access.perf_event_mlock_kib) = (Some(64 << 10), Some(64)),
        Warn,
        &["64 KiB", "perf_event_mlock_kb=516"],
    );
    memlock(
        "tight, but privileged",
        |f| {
            (f.own.locked_bytes, f.access.perf_event_mlock_kib) = (Some(0), Some(0));
            f.own.capabilities = Some(1 << Own::IPC_LOCK);
        },
        Fine,
        &["0 B"],
    );
}
