//! The number of random address bits, from the kernel's settings and source.

use results::layout::Bits;

/// The kernel and its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings<'a> {
    /// `uname -r`.
    pub release: &'a str,
    /// As `uname -m`.
    pub architecture: &'a str,
    /// Size of a base page.
    pub page_bytes: u64,
    /// `kernel.randomize_va_space`.
    pub randomize: Option<u8>,
    /// `vm.mmap_rnd_bits`, or `vm.mmap_rnd_compat_bits` for a 32-bit program on a 64-bit kernel.
    pub mmap_bits: Option<u32>,
    /// Bits of the program: 32 or 64.
    pub bits: u8,
    /// Whether the program is position independent.
    pub movable: bool,
}

/// The bits of each region; `None` if neither settings nor source give them. The vdso has no
/// setting.
#[must_use]
pub fn configured(settings: &Settings) -> Bits {
    let Settings { randomize, mmap_bits, movable, .. } = *settings;
    let stack = stack_bits(settings);
    let gap = gap_bits(settings);
    match randomize {
        None => Bits::default(),
        Some(0) => {
            let none = Some(0);
            Bits { text: none, heap: none, mmap: none, stack: none, vdso: none, heap_gap: none }
        }
        Some(level) => {
            // Below 2 the heap starts at the end of the bss
            // (Documentation/admin-guide/sysctl/kernel.rst).
            let gap = if level == 1 { Some(0) } else { gap };
            // A position-independent program is placed like a mapping, or at its own base plus the
            // same bits (load_elf_binary in fs/binfmt_elf.c).
            let text = if movable { mmap_bits } else { Some(0) };
            Bits { text, heap: gap, mmap: mmap_bits, stack, vdso: None, heap_gap: gap }
        }
    }
}

/// `STACK_RND_MASK`, in pages: arch/x86/include/asm/elf.h and arch/arm64/include/asm/elf.h. The
/// stack pointer also varies within its page, which the mapping does not show.
fn stack_bits(settings: &Settings) -> Option<u32> {
    let shift = settings.page_bytes.checked_ilog2()?;
    match (settings.architecture, settings.bits) {
        ("x86_64", 64) => Some(22),
        ("x86_64", 32) => Some(11),
        ("aarch64", 64) => 18_u32.checked_sub(shift.checked_sub(12)?),
        ("aarch64", 32) => 11_u32.checked_sub(shift.checked_sub(12)?),
        _ => None,
    }
}

/// `arch_randomize_brk`: within 32 MiB for 32-bit programs, and on x86-64 before Linux 6.9 for all
/// (arch/x86/kernel/process.c); else within 1 GiB (there, and in mm/util.c for arm64 and riscv).
fn gap_bits(settings: &Settings) -> Option<u32> {
    let mut numbers = settings
        .release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|word| word.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    let range_bytes: u64 = match (settings.architecture, settings.bits) {
        ("x86_64" | "aarch64", 32) => 32 << 20,
        ("x86_64", _) if version < (6, 9) => 32 << 20,
        ("x86_64" | "aarch64" | "riscv64", _) => 1 << 30,
        _ => return None,
    };
    range_bytes.checked_div(settings.page_bytes)?.checked_ilog2()
}
