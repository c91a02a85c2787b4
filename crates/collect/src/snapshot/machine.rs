//! What the kernel is set to do with addresses.

use sys::proc::sysctl;

/// Switches and sizes; what this user may not read is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayoutSettings {
    /// `uname -r`.
    pub release: String,
    /// The architecture that this program was built for.
    pub architecture: &'static str,
    /// Size of a base page.
    pub page_bytes: u64,
    /// `kernel.randomize_va_space`: 0 none, 1 without the heap, 2 all.
    pub randomize: Option<u8>,
    /// `vm.mmap_rnd_bits`: random bits of a page's number where a mapping goes. Only root may read
    /// it.
    pub mmap_bits: Option<u32>,
    /// The same of 32-bit programs.
    pub mmap_bits_narrow: Option<u32>,
}

impl LayoutSettings {
    /// Asks the kernel.
    #[must_use]
    pub fn ask() -> Self {
        LayoutSettings {
            release: sys::machine::kernel_release(),
            architecture: std::env::consts::ARCH,
            page_bytes: sys::limits::page_bytes(),
            randomize: sysctl::randomize_va_space(),
            mmap_bits: sysctl::mmap_rnd_bits(),
            mmap_bits_narrow: sysctl::mmap_rnd_compat_bits(),
        }
    }
}
