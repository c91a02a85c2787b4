//! Changes the syscall at which a thread is stopped.
//!
//! Safety story: the kernel reads and writes a local struct of the type that the request names, and
//! checks what it is given; registers of the stopped thread are not ours.
#![allow(unsafe_code)]

use crate::Errno;

/// Makes the thread `tid`, which is about to make a syscall, skip it and return `result` from it:
/// -4095 to -1 is an errno.
///
/// # Errors
/// ESRCH: it is gone.
pub fn answer(tid: u32, result: i64) -> Result<(), Errno> {
    change(tid, |registers| registers.skip(result))
}

/// Makes the thread `tid`, which is about to make a syscall, exit instead, as one thread of its
/// process.
///
/// # Errors
/// ESRCH: it is gone.
pub fn exit_instead(tid: u32, compat32: bool) -> Result<(), Errno> {
    change(tid, |registers| registers.exit(compat32))
}

fn change(tid: u32, change: impl FnOnce(&mut Registers)) -> Result<(), Errno> {
    let mut registers = Registers::of(tid)?;
    change(&mut registers);
    registers.write(tid)
}

#[cfg(target_arch = "x86_64")]
struct Registers(libc::user_regs_struct);

#[cfg(target_arch = "x86_64")]
impl Registers {
    fn of(tid: u32) -> Result<Self, Errno> {
        // SAFETY: all-zero is a valid value of this plain struct.
        let mut registers = Registers(unsafe { std::mem::zeroed() });
        // SAFETY: the kernel writes one such struct; the address is not used.
        checked(unsafe {
            libc::ptrace(libc::PTRACE_GETREGS, tid.cast_signed(), 0, &raw mut registers.0)
        })?;
        Ok(registers)
    }

    fn write(&self, tid: u32) -> Result<(), Errno> {
        // SAFETY: the kernel reads one such struct; the address is not used.
        checked(unsafe {
            libc::ptrace(libc::PTRACE_SETREGS, tid.cast_signed(), 0, &raw const self.0)
        })
    }

    /// The kernel skips number -1 and leaves the result as it is.
    fn skip(&mut self, result: i64) {
        (self.0.orig_rax, self.0.rax) = (u64::MAX, result.cast_unsigned());
    }

    fn exit(&mut self, compat32: bool) {
        self.0.orig_rax = if compat32 { 1 } else { super::EXIT_THREAD };
    }
}

#[cfg(target_arch = "aarch64")]
struct Registers {
    general: libc::user_regs_struct,
    number: i32,
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    /// `NT_PRSTATUS` and `NT_ARM_SYSTEM_CALL` of `<elf.h>`.
    const GENERAL: usize = 1;
    const NUMBER: usize = 0x404;

    fn of(tid: u32) -> Result<Self, Errno> {
        // SAFETY: all-zero is a valid value of this plain struct.
        let mut registers = Registers { general: unsafe { std::mem::zeroed() }, number: 0 };
        registers.transfer(tid, libc::PTRACE_GETREGSET)?;
        Ok(registers)
    }

    fn write(&mut self, tid: u32) -> Result<(), Errno> {
        self.transfer(tid, libc::PTRACE_SETREGSET)
    }

    fn transfer(&mut self, tid: u32, request: libc::c_uint) -> Result<(), Errno> {
        let general = libc::iovec {
            iov_base: (&raw mut self.general).cast(),
            iov_len: size_of::<libc::user_regs_struct>(),
        };
        let number =
            libc::iovec { iov_base: (&raw mut self.number).cast(), iov_len: size_of::<i32>() };
        for (set, part) in [(Registers::GENERAL, general), (Registers::NUMBER, number)] {
            // SAFETY: the kernel reads or writes at most the bytes that the iovec names.
            checked(unsafe { libc::ptrace(request, tid.cast_signed(), set, &raw const part) })?;
        }
        Ok(())
    }

    fn skip(&mut self, result: i64) {
        (self.number, self.general.regs[0]) = (-1, result.cast_unsigned());
    }

    fn exit(&mut self, compat32: bool) {
        self.number = if compat32 { 1 } else { i32::try_from(super::EXIT_THREAD).unwrap_or(-1) };
    }
}

fn checked(returned: libc::c_long) -> Result<(), Errno> {
    if returned < 0 { Err(Errno::last()) } else { Ok(()) }
}
