//! This process: its limits, its capabilities, and what it inherited.

use std::fs::read_to_string;

use super::text;
use crate::limits;
use crate::proc::field;

/// What the kernel allows this process to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// `RLIMIT_AS`; `None` if unlimited.
    pub address_space_bytes: Option<u64>,
    /// `RLIMIT_DATA`; `None` if unlimited.
    pub data_bytes: Option<u64>,
    /// `RLIMIT_MEMLOCK`; `None` if unlimited.
    pub locked_bytes: Option<u64>,
    /// Processors that it may run on.
    pub allowed_cpus: Vec<u32>,
    /// `kernel.randomize_va_space`: 0 nothing is randomised, 1 all but the heap, 2 all.
    pub randomize: Option<u8>,
    /// Its personality(2), inherited from its parent.
    pub personality: Option<u64>,
    /// Its effective capabilities as bits: capabilities(7).
    pub capabilities: Option<u64>,
    /// 0 no seccomp, 1 strict, 2 a filter.
    pub seccomp: Option<u64>,
    /// Whether it may get transparent huge pages at all (`PR_SET_THP_DISABLE` is inherited).
    pub huge_pages: Option<bool>,
}

impl Own {
    /// `ADDR_NO_RANDOMIZE` of personality(2).
    pub const NO_RANDOMIZE: u64 = 0x004_0000;
    /// `CAP_IPC_LOCK`.
    pub const IPC_LOCK: u32 = 14;
    /// `CAP_SYS_PTRACE`.
    pub const PTRACE: u32 = 19;
    /// `CAP_SYS_ADMIN`: may mount.
    pub const ADMIN: u32 = 21;

    pub(super) fn now() -> Self {
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        Own {
            address_space_bytes: limits::address_space_bytes(),
            data_bytes: limits::data_bytes(),
            locked_bytes: limits::locked_bytes(),
            allowed_cpus: crate::process::allowed_cpus(),
            randomize: crate::proc::sysctl::randomize_va_space(),
            personality: text("/proc/self/personality").and_then(|text| hexadecimal(&text)),
            capabilities: capabilities(&status),
            seccomp: field(&status, "Seccomp:"),
            huge_pages: field(&status, "THP_enabled:").map(|allowed| allowed != 0),
        }
    }

    /// Whether this process has `capability`, one of the constants here.
    #[must_use]
    pub fn can(&self, capability: u32) -> bool {
        self.capabilities.is_some_and(|bits| bits >> capability & 1 == 1)
    }
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The effective set in `/proc/self/status`.
fn capabilities(status: &str) -> Option<u64> {
    hexadecimal(status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_bits() {
        let status = "CapPrm:\t0000000000000000\nCapEff:\t0000000000084000\nSeccomp:\t2\n";
        let own = Own { capabilities: capabilities(status), ..Own::default() };
        assert!(own.can(Own::PTRACE) && own.can(Own::IPC_LOCK) && !own.can(21));
        assert!(!Own::default().can(Own::PTRACE), "unknown capabilities are not assumed");
        assert_eq!(capabilities(""), None);
    }
}
