//! What the kernel is set to do with addresses.

use std::fs::read_to_string;

use sys::facts::Own;

/// Switches and sizes; what this user may not read is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// `uname -r`.
    pub release: String,
    /// The architecture that this program was built for.
    pub architecture: &'static str,
    /// Size of a base page.
    pub page_bytes: u64,
    /// `kernel.randomize_va_space`: 0 none, 1 without the heap, 2 all.
    pub randomize: Option<u8>,
    /// `vm.mmap_rnd_bits`: random bits of a page's number where a mapping goes. Only root may read it.
    pub mmap_bits: Option<u32>,
    /// The same of 32-bit programs.
    pub mmap_bits_narrow: Option<u32>,
}

impl Machine {
    /// Asks the kernel.
    #[must_use]
    pub fn ask() -> Self {
        Machine {
            release: sys::machine::kernel_release(),
            architecture: std::env::consts::ARCH,
            page_bytes: sys::limits::page_bytes(),
            randomize: number("/proc/sys/kernel/randomize_va_space"),
            mmap_bits: number("/proc/sys/vm/mmap_rnd_bits"),
            mmap_bits_narrow: number("/proc/sys/vm/mmap_rnd_compat_bits"),
        }
    }
}

fn number<T: std::str::FromStr>(path: &str) -> Option<T> {
    read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether the process or thread at `folder`, such as `/proc/self`, was told to lay out its memory always alike (`ADDR_NO_RANDOMIZE` of
/// personality(2)). `None` if `/proc` does not show it to this user.
pub(super) fn fixed_addresses(folder: &str) -> Option<bool> {
    let text = read_to_string(format!("{folder}/personality")).ok()?;
    Some(u64::from_str_radix(text.trim(), 16).ok()? & Own::NO_RANDOMIZE != 0)
}
