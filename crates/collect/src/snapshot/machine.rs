//! The kernel's settings of address space randomisation.

use sys::proc::sysctl;

/// Settings and sizes; a setting that this user may not read is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayoutSettings {
    /// `uname -r`.
    pub release: String,
    /// The architecture that this program was built for.
    pub architecture: &'static str,
    /// The size of a base page.
    pub page_bytes: u64,
    /// `kernel.randomize_va_space`: 0 nothing is randomised, 1 all but the heap, 2 all.
    pub randomize: Option<u8>,
    /// `vm.mmap_rnd_bits`: the number of random bits in the page number of a mapping. Only root may
    /// read it.
    pub mmap_bits: Option<u32>,
    /// The same for 32-bit programs.
    pub mmap_bits_compat32: Option<u32>,
}

impl LayoutSettings {
    /// Reads the settings.
    #[must_use]
    pub fn ask() -> Self {
        LayoutSettings {
            release: sys::machine::kernel_release(),
            architecture: std::env::consts::ARCH,
            page_bytes: sys::limits::page_bytes(),
            randomize: sysctl::randomize_va_space(),
            mmap_bits: sysctl::mmap_rnd_bits(),
            mmap_bits_compat32: sysctl::mmap_rnd_compat_bits(),
        }
    }
}
