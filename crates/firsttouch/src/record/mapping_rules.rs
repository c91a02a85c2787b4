//! What the machine allows the program to map, and how it accounts for that: for the report.

use recording::MappingRules;

/// The rules here, of the running process `pid` or of a program that this one starts.
pub(super) fn of(pid: Option<u32>) -> MappingRules {
    let address_space_max_bytes = match pid {
        Some(pid) => sys::proc::TaskFolder::new(pid, pid).address_space_max_bytes(),
        None => sys::limits::address_space_bytes(),
    };
    MappingRules {
        mappings_max: sys::proc::sysctl::max_map_count(),
        address_space_max_bytes,
        overcommit_memory: sys::proc::sysctl::overcommit_memory(),
        frees_empty_tables: sys::mapping::frees_empty_tables(),
    }
}
