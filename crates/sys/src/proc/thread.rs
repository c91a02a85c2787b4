//! `/proc/PID/auxv` and `/proc/PID/task/TID/syscall`: the auxiliary vector of a program, and the
//! syscall that a thread is in.

/// The entry of the auxiliary vector that has the program's entry address (getauxval(3)).
const AT_ENTRY: u64 = 9;

/// The entry that says whether the program runs with more privilege than its caller.
const AT_SECURE: u64 = 23;

/// The entry address in the auxiliary vector `vector`, whose words have `bits`. `None` if it is not
/// there.
pub(super) fn entry_address(vector: &[u8], bits: u8) -> Option<u64> {
    entry(vector, bits, AT_ENTRY)
}

/// Whether the program runs with more privilege than its caller, from its auxiliary vector. `None`
/// if that is not there.
pub(super) fn is_secure(vector: &[u8], bits: u8) -> Option<bool> {
    entry(vector, bits, AT_SECURE).map(|secure| secure != 0)
}

/// The entry `wanted` of the auxiliary vector `vector`.
pub(super) fn entry(vector: &[u8], bits: u8, wanted: u64) -> Option<u64> {
    let number = |bytes: &[u8]| match bits {
        32 => Some(u64::from(u32::from_ne_bytes(bytes.try_into().ok()?))),
        _ => Some(u64::from_ne_bytes(bytes.try_into().ok()?)),
    };
    let word = usize::from(bits / 8);
    vector
        .chunks_exact(2 * word)
        .find(|pair| number(&pair[..word]) == Some(wanted))
        .and_then(|pair| number(&pair[word..]))
}

/// The syscall and the stack pointer of a thread that is not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyscallState {
    /// The syscall that it is in; `None` if it is in none.
    pub syscall: Option<u64>,
    /// Its stack pointer.
    pub stack_pointer: u64,
}

/// Parses `number arguments stack-pointer instruction-pointer`, or `-1 stack-pointer
/// instruction-pointer`; `None` for a running thread.
pub(super) fn parse_syscall_state(text: &str) -> Option<SyscallState> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pointer = words.get(words.len().checked_sub(2)?)?.strip_prefix("0x")?;
    let first: i64 = words.first()?.parse().ok()?;
    Some(SyscallState {
        syscall: u64::try_from(first).ok(),
        stack_pointer: u64::from_str_radix(pointer, 16).ok().filter(|&pointer| pointer != 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syscall_and_stack_pointer_are_parsed() {
        let in_call = "7 0x7ffe 0x1 0xffffffff 0x0 0x0 0x0 0x7ffe5c80 0x7f3d\n";
        assert_eq!(
            parse_syscall_state(in_call),
            Some(SyscallState { syscall: Some(7), stack_pointer: 0x7ffe_5c80 })
        );
        let outside = "-1 0x7ffe5c88 0x4005d0\n";
        assert_eq!(
            parse_syscall_state(outside),
            Some(SyscallState { syscall: None, stack_pointer: 0x7ffe_5c88 })
        );
        for nothing in ["running\n", "", "7", "-1 0x0 0x0\n"] {
            assert_eq!(parse_syscall_state(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn the_entry_of_this_process_is_found() {
        let vector = std::fs::read("/proc/self/auxv").unwrap();
        let headers = crate::elf::parse(&std::fs::read("/proc/self/exe").unwrap()).unwrap();
        let bias = crate::image::own_image().unwrap().bias as u64;
        assert_eq!(entry_address(&vector, headers.bits), Some(headers.entry + bias));
        assert_eq!(entry_address(&vector[..8], 64), None);
        let narrow: Vec<u8> =
            [3_u32, 52, 9, 0x0804_8000, 0, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(entry_address(&narrow, 32), Some(0x0804_8000));
    }
}
