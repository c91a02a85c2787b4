//! Whether a syscall was made in 32-bit mode. The ABI of a sample is that of the program's code, so
//! it shows calls of 32-bit code; that 64-bit code has used `int 0x80` is seen by the registers.

/// The user registers that a sample of the start of a call has, as bits. The kernel refuses an
/// empty set.
#[cfg(target_arch = "x86_64")]
pub(crate) const REGISTERS: u64 = 1 << CX | 1 << SI | 1 << DI | 1 << IP;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const REGISTERS: u64 = 1;

/// Their number.
pub(super) const COUNT: usize = REGISTERS.count_ones() as usize;

/// Numbers of `enum perf_event_x86_regs` (`arch/x86/include/uapi/asm/perf_regs.h`).
#[cfg(target_arch = "x86_64")]
const CX: u32 = 2;
#[cfg(target_arch = "x86_64")]
const SI: u32 = 4;
#[cfg(target_arch = "x86_64")]
const DI: u32 = 5;
#[cfg(target_arch = "x86_64")]
const IP: u32 = 8;

/// Whether a call of 64-bit code with these `arguments` was made in 32-bit mode. The instruction
/// `syscall` leaves the address after itself in CX (not on processors with FRED), and its first
/// arguments are in DI and SI; those of `int 0x80` are in BX and CX.
#[cfg(target_arch = "x86_64")]
pub(super) fn is_narrow(registers: [u64; COUNT], arguments: &[u64; 6]) -> bool {
    let [cx, si, di, ip] = registers;
    cx != ip && [di, si] != arguments[..2]
}

/// Elsewhere the ABI shows it.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn is_narrow(_: [u64; COUNT], _: &[u64; 6]) -> bool {
    false
}
