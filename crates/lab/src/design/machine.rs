//! The description of the machine in a result.

use results::Machine;

/// Describes the machine that this process runs on.
#[must_use]
pub fn describe() -> Machine {
    Machine {
        kernel: Some(sys::machine::kernel_release()),
        arch: Some(std::env::consts::ARCH.to_owned()),
        cpu: sys::machine::cpu_model(),
        cpus: sys::process::allowed_cpus().len() as u64,
        ram_bytes: sys::machine::ram_bytes(),
        thp: sys::machine::thp(),
        virtualized: sys::machine::virtualized(),
        free_page_reporting: sys::machine::free_page_reporting(),
        page_bytes: sys::limits::page_bytes(),
        libc: sys::allocator::libc_version(),
    }
}
