//! Overcommit and swap.

use results::doctor::Check;
use sys::facts::Facts;

use crate::quantity::{bytes, count};
use crate::{DEFAULT_RUN_BYTES, ok, skip, warn};

/// Moves all swapped pages back into memory.
const EMPTY_SWAP: &str = "sudo swapoff -a && sudo swapon -a";

/// `vm.overcommit_memory`, and what is committed. The limit binds in mode 2 alone.
pub(crate) fn overcommit(facts: &Facts) -> Check {
    const ID: &str = "overcommit";
    let memory = &facts.memory;
    let committed = memory.committed_bytes;
    let so_far = committed.map(|committed| format!("; {} committed", bytes(committed)));
    let so_far = so_far.unwrap_or_default();
    match memory.overcommit_mode {
        None => skip(ID, "/proc/sys/vm/overcommit_memory is not readable"),
        Some(0) => ok(
            ID,
            format!(
                "0: the kernel refuses only requests that could never succeed{so_far}, no limit"
            ),
        ),
        Some(1) => ok(ID, format!("1: the kernel refuses no request{so_far}, no limit")),
        Some(mode) => limited(ID, mode, facts),
    }
}

/// Mode 2: no more than the limit is committed.
fn limited(id: &str, mode: u8, facts: &Facts) -> Check {
    let memory = &facts.memory;
    let ratio = memory.overcommit_ratio.map(|ratio| format!(", ratio {ratio} %"));
    let limits = memory.commit_limit_bytes.zip(memory.committed_bytes);
    let left = limits.map(|(limit, committed)| limit.saturating_sub(committed));
    let left_of = left.zip(memory.commit_limit_bytes).map(|(left, limit)| {
        format!("; {} of {} can still be committed", bytes(left), bytes(limit))
    });
    let found = format!(
        "{mode}{}: commitments are limited{}",
        ratio.unwrap_or_default(),
        left_of.unwrap_or_default()
    );
    let effect = if left.is_some_and(|left| left < DEFAULT_RUN_BYTES) {
        "bench: the default size of 100 MiB fails with ENOMEM, whatever memory is free; and fork \
         fails in every process that has more accounted memory than is left"
    } else {
        "bench: obtaining memory may fail with ENOMEM while memory is free; accounting makes \
         obtain and release times differ from other machines; fork needs the accounted memory of \
         a process once more, resident or not"
    };
    warn(id, found).effect(effect).fix("sudo sysctl vm.overcommit_memory=0").touching("bench")
}

/// The largest number of mappings of a process.
pub(crate) fn map_count(facts: &Facts) -> Check {
    /// The kernel's default (`DEFAULT_MAX_MAP_COUNT` in its include/linux/mm.h).
    const DEFAULT: u64 = 65_530;
    const ID: &str = "map-count";
    let Some(most) = facts.memory.max_map_count else {
        return skip(ID, "/proc/sys/vm/max_map_count is not readable");
    };
    let found = format!("at most {most} mappings in a process (vm.max_map_count)");
    if most >= DEFAULT {
        return ok(ID, found);
    }
    warn(ID, format!("{found}; the kernel's default is {DEFAULT}"))
        .effect(
            "a program with many mappings (guard pages, mapped files, a large heap) fails with \
             ENOMEM while memory is free; layout shows how many a process has",
        )
        .fix(format!("sudo sysctl vm.max_map_count={DEFAULT}"))
}

/// Swap devices and their use.
pub(crate) fn swap(facts: &Facts) -> Check {
    const ID: &str = "swap";
    let memory = &facts.memory;
    let Some(swaps) = &memory.swaps else { return skip(ID, "/proc/swaps is not readable") };
    if swaps.is_empty() {
        return ok(ID, "none: allocations that do not fit fail instead of waiting");
    }
    let size_bytes = swaps.iter().map(|swap| swap.size_bytes).sum();
    let used_bytes = swaps.iter().map(|swap| swap.used_bytes).sum();
    let swappiness = memory.swappiness.map(|n| format!("; swappiness {n}")).unwrap_or_default();
    let found = format!(
        "{} of {} used, {}{swappiness}",
        bytes(used_bytes),
        bytes(size_bytes),
        count(swaps.len(), "device")
    );
    if used_bytes == 0 {
        return ok(ID, found);
    }
    let fits = memory.available_bytes.is_some_and(|available| available / 2 > used_bytes);
    let fix = if fits {
        EMPTY_SWAP.to_owned()
    } else {
        format!("stop what uses the memory, then: {EMPTY_SWAP}")
    };
    warn(ID, found)
        .effect(
            "bench: memory ran short before; if it does again, a large first touch waits until \
            other pages are written out",
        )
        .fix(fix)
        .touching("bench")
}

/// Swap that is compressed in memory.
pub(crate) fn zswap(facts: &Facts) -> Check {
    const ID: &str = "zswap";
    let memory = &facts.memory;
    let Some(swaps) = &memory.swaps else { return skip(ID, "/proc/swaps is not readable") };
    let zram_used: Vec<u64> = swaps
        .iter()
        .filter(|swap| swap.path.starts_with("/dev/zram"))
        .map(|swap| swap.used_bytes)
        .collect();
    let zswap_on = memory.zswap == Some(true);
    let word = match memory.zswap {
        None => "zswap is not in this kernel",
        Some(true) => "zswap is on",
        Some(false) => "zswap is off",
    };
    let zram = if zram_used.is_empty() {
        "no swap on zram".to_owned()
    } else {
        count(zram_used.len(), "zram device")
    };
    let found = format!("{word}; {zram}");
    let used = swaps.iter().any(|swap| swap.used_bytes > 0);
    if !(used && (zswap_on || zram_used.iter().any(|&bytes| bytes > 0))) {
        return ok(ID, found);
    }
    let fix = if zswap_on {
        "echo N | sudo tee /sys/module/zswap/parameters/enabled"
    } else {
        EMPTY_SWAP
    };
    warn(ID, format!("{found}; in use"))
        .effect(
            "bench: compressed pages take memory and processor time; a first touch under memory \
            pressure pays for compression",
        )
        .fix(fix)
        .touching("bench")
}
