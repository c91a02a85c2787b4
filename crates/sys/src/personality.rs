//! Whether a program that is about to be started has its memory laid out at random: personality(2).
//!
//! Safety story: between fork and exec nothing happens but two calls of personality(2), which take
//! no memory.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

const NO_RANDOMIZE: libc::c_ulong = libc::ADDR_NO_RANDOMIZE as libc::c_ulong;
/// Asks without changing anything.
const ASK: libc::c_ulong = 0xffff_ffff;

/// `command`'s program will be laid out at random (if the kernel does so at all), or always alike.
/// Where the call is refused, as by a container's seccomp filter, starting the program fails with
/// EPERM.
pub fn lay_out_at_random(command: &mut Command, random: bool) {
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(move || set(random)) };
}

/// The same of this process, from its next exec on. Makes system calls only.
pub(crate) fn set(random: bool) -> io::Result<()> {
    // SAFETY: asks only.
    let now = unsafe { libc::personality(ASK) };
    if now < 0 {
        return Err(io::Error::last_os_error());
    }
    let now = libc::c_ulong::from(now.cast_unsigned());
    let wanted = if random { now & !NO_RANDOMIZE } else { now | NO_RANDOMIZE };
    // SAFETY: takes no memory. What is the case already is not asked for: even that may be refused.
    if wanted != now && unsafe { libc::personality(wanted) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
