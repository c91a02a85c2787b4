//! The numbers of the memory syscalls on this architecture.

use events::Call;
use sys::syscall;

/// The syscalls and their numbers, in the order of the numbers.
pub(crate) fn numbers() -> Vec<(u32, Call)> {
    let mut numbers: Vec<(u32, Call)> =
        Call::ALL.into_iter().map(|call| (number(call), call)).collect();
    numbers.sort_unstable();
    numbers
}

/// The call with this number.
pub(crate) fn call(numbers: &[(u32, Call)], number: u64) -> Option<Call> {
    let number = u32::try_from(number).ok()?;
    let at = numbers.binary_search_by_key(&number, |&(known, _)| known).ok()?;
    Some(numbers[at].1)
}

/// Runs of consecutive numbers, both ends included, which need fewer comparisons in a kernel
/// filter.
pub(crate) fn ranges(numbers: &[(u32, Call)]) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &(number, _) in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

/// A tracepoint filter that matches these numbers (Documentation/trace/events.rst). The kernel
/// stops at the first term that decides.
pub(crate) fn filter(numbers: &[(u32, Call)]) -> String {
    let terms: Vec<String> = ranges(numbers)
        .into_iter()
        .map(|(first, last)| {
            if first == last {
                format!("id == {first}")
            } else {
                format!("(id >= {first} && id <= {last})")
            }
        })
        .collect();
    terms.join(" || ")
}

/// The number in the kernel's table.
fn number(call: Call) -> u32 {
    match call {
        Call::Brk => syscall::BRK,
        Call::GetMempolicy => syscall::GET_MEMPOLICY,
        Call::IoDestroy => syscall::IO_DESTROY,
        Call::IoSetup => syscall::IO_SETUP,
        Call::IoUringRegister => syscall::IO_URING_REGISTER,
        Call::Madvise => syscall::MADVISE,
        Call::MapShadowStack => syscall::MAP_SHADOW_STACK,
        Call::Mbind => syscall::MBIND,
        Call::MemfdCreate => syscall::MEMFD_CREATE,
        Call::MemfdSecret => syscall::MEMFD_SECRET,
        Call::MigratePages => syscall::MIGRATE_PAGES,
        Call::Mincore => syscall::MINCORE,
        Call::Mlock => syscall::MLOCK,
        Call::Mlock2 => syscall::MLOCK2,
        Call::Mlockall => syscall::MLOCKALL,
        Call::Mmap => syscall::MMAP,
        Call::MovePages => syscall::MOVE_PAGES,
        Call::Mprotect => syscall::MPROTECT,
        Call::Mremap => syscall::MREMAP,
        Call::Mseal => syscall::MSEAL,
        Call::Msync => syscall::MSYNC,
        Call::Munlock => syscall::MUNLOCK,
        Call::Munlockall => syscall::MUNLOCKALL,
        Call::Munmap => syscall::MUNMAP,
        Call::PkeyMprotect => syscall::PKEY_MPROTECT,
        Call::ProcessMadvise => syscall::PROCESS_MADVISE,
        Call::ProcessMrelease => syscall::PROCESS_MRELEASE,
        Call::RemapFilePages => syscall::REMAP_FILE_PAGES,
        Call::SetMempolicy => syscall::SET_MEMPOLICY,
        Call::SetMempolicyHomeNode => syscall::SET_MEMPOLICY_HOME_NODE,
        Call::Shmat => syscall::SHMAT,
        Call::Shmdt => syscall::SHMDT,
    }
}

/// The memory syscalls of 32-bit mode on x86, in the order of their numbers
/// (`arch/x86/entry/syscalls/syscall_32.tbl`). There are two mmaps.
pub(crate) fn narrow_numbers() -> Vec<(u32, Call)> {
    const OWN: [(u32, Call); 27] = [
        (45, Call::Brk),
        (90, Call::Mmap),
        (91, Call::Munmap),
        (125, Call::Mprotect),
        (144, Call::Msync),
        (150, Call::Mlock),
        (151, Call::Munlock),
        (152, Call::Mlockall),
        (153, Call::Munlockall),
        (163, Call::Mremap),
        (192, Call::Mmap),
        (218, Call::Mincore),
        (219, Call::Madvise),
        (245, Call::IoSetup),
        (246, Call::IoDestroy),
        (257, Call::RemapFilePages),
        (274, Call::Mbind),
        (275, Call::GetMempolicy),
        (276, Call::SetMempolicy),
        (294, Call::MigratePages),
        (317, Call::MovePages),
        (356, Call::MemfdCreate),
        (376, Call::Mlock2),
        (380, Call::PkeyMprotect),
        (397, Call::Shmat),
        (398, Call::Shmdt),
        (427, Call::IoUringRegister),
    ];
    // From here on the numbers are the same in every mode.
    let shared = numbers().into_iter().filter(|&(number, _)| number > 427);
    OWN.into_iter().chain(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_maps_back_to_its_call() {
        let numbers = numbers();
        assert_eq!(numbers.len(), Call::ALL.len());
        for &(number, known) in &numbers {
            assert_eq!(call(&numbers, number.into()), Some(known));
        }
        assert_eq!((call(&numbers, 1 << 40), call(&numbers, 100_000)), (None, None));
    }

    #[test]
    fn every_call_has_a_number_in_32_bit_mode() {
        let narrow = narrow_numbers();
        assert!(narrow.is_sorted() && narrow.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for call in Call::ALL {
            let count = narrow.iter().filter(|&&(_, narrow)| narrow == call).count();
            assert_eq!(count, if call == Call::Mmap { 2 } else { 1 }, "{call:?}");
        }
    }

    #[test]
    fn a_filter_has_runs_of_numbers() {
        let numbers =
            [(9, Call::Mmap), (10, Call::Mprotect), (11, Call::Munmap), (25, Call::Mremap)];
        assert_eq!(filter(&numbers), "(id >= 9 && id <= 11) || id == 25");
    }
}
