//! Overcommit and swap.

use results::doctor::Check;
use sys::facts::Facts;

use crate::quantity::{bytes, count};
use crate::{ok, skip, warn};

/// Moves all swapped pages back into memory.
const EMPTY_SWAP: &str = "sudo swapoff -a && sudo swapon -a";

/// `vm.overcommit_memory`.
pub(crate) fn overcommit(facts: &Facts) -> Check {
    const ID: &str = "overcommit";
    let memory = &facts.memory;
    match memory.overcommit_mode {
        None => skip(ID, "/proc/sys/vm/overcommit_memory is not readable"),
        Some(0) => ok(ID, "0: the kernel refuses only requests that could never succeed"),
        Some(1) => ok(ID, "1: the kernel refuses no request"),
        Some(mode) => {
            let ratio = memory
                .overcommit_ratio
                .map(|ratio| format!(", ratio {ratio} %"))
                .unwrap_or_default();
            let left = memory.commit_limit_bytes.zip(memory.committed_bytes);
            let left = left.map(|(limit, committed)| {
                format!(
                    "; {} of {} can still be committed",
                    bytes(limit.saturating_sub(committed)),
                    bytes(limit)
                )
            });
            warn(ID, format!("{mode}{ratio}: commitments are limited{}", left.unwrap_or_default()))
                .effect(
                    "bench: obtaining memory may fail with ENOMEM while memory is free; accounting \
                    makes obtain and release times differ from other machines",
                )
                .fix("sudo sysctl vm.overcommit_memory=0")
                .touching("bench")
        }
    }
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
