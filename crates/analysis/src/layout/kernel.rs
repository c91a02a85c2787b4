//! How many bits of an address the kernel draws at random, by its settings and its source.

use results::layout::Bits;

/// What the kernel is, and how it is set.
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
    /// `vm.mmap_rnd_bits`, or `vm.mmap_rnd_compat_bits` of a 32-bit program on a 64-bit kernel.
    pub mmap_bits: Option<u32>,
    /// The program: 32 or 64.
    pub bits: u8,
    /// It is position independent.
    pub movable: bool,
}

/// The bits of each region; `None` where neither settings nor source tell. The vdso's place has no
/// setting of its own.
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
            // Below 2 the heap begins where the bss ends
            // (Documentation/admin-guide/sysctl/kernel.rst).
            let gap = if level == 1 { Some(0) } else { gap };
            // A program that can move goes where mappings go, or at a base of its own plus the same
            // bits (load_elf_binary in fs/binfmt_elf.c).
            let text = if movable { mmap_bits } else { Some(0) };
            Bits { text, heap: gap, mmap: mmap_bits, stack, vdso: None, heap_gap: gap }
        }
    }
}

/// `STACK_RND_MASK`, in pages: arch/x86/include/asm/elf.h and arch/arm64/include/asm/elf.h. Within
/// the page, the stack pointer varies by some more bits that its mapping does not show.
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

/// `arch_randomize_brk`: within 32 MiB of 32-bit programs, and on x86-64 before Linux 6.9 of all
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
