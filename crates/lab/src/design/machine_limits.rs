//! Limits and settings of the machine that decide what an arm does.

use sys::facts::{PageSize, Pool};

use crate::design::capacity::MemoryLimits;
use crate::design::error::BenchError;
use crate::question::memory::MemoryState;
use crate::question::request::BenchRequest;

/// Limits and settings of the machine that decide what an arm does.
#[derive(Debug, Clone)]
pub struct MachineLimits {
    /// The size of a base page.
    pub page_bytes: u64,
    /// The policy for transparent huge pages.
    pub thp: Option<String>,
    /// The common policy, which page sizes may inherit.
    pub thp_common: Option<String>,
    /// Sizes of transparent huge pages, with their own switches.
    pub page_sizes: Vec<PageSize>,
    /// Pools of hugetlb pages.
    pub pools: Vec<Pool>,
    /// The memory that can be touched at once without reclaim.
    pub left_bytes: u64,
    /// The state of free memory to measure in.
    pub memory: MemoryState,
}

impl MachineLimits {
    /// The limits, as far as they are known before a child is started.
    ///
    /// # Errors
    /// If the machine lacks what `request` needs.
    pub fn found(request: &BenchRequest, machine: &results::Machine) -> Result<Self, BenchError> {
        if let Some(cpu) = request.cpu {
            let allowed = sys::process::allowed_cpus();
            if !allowed.contains(&cpu) {
                let allowed = allowed.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
                return Err(BenchError::Cpu { cpu, allowed });
            }
        }
        if request.memory == MemoryState::Cold && sys::machine::free_page_reporting() == Some(false)
        {
            return Err(BenchError::NothingCold);
        }
        let pages = sys::facts::HugePageFacts::now();
        Ok(MachineLimits {
            page_bytes: machine.page_bytes,
            thp: machine.thp.clone(),
            thp_common: pages.enabled,
            page_sizes: pages.sizes.unwrap_or_default(),
            pools: sys::facts::hugetlb_pools(),
            left_bytes: MemoryLimits::now().left_bytes(),
            memory: request.memory,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A machine that has everything but huge page pools.
    pub(crate) fn limits(memory: MemoryState) -> MachineLimits {
        MachineLimits {
            page_bytes: 4096,
            thp: Some("madvise".to_owned()),
            thp_common: None,
            page_sizes: Vec::new(),
            pools: Vec::new(),
            left_bytes: 8 << 30,
            memory,
        }
    }
}
