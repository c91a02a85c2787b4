//! Which number each memory syscall has on this architecture.

use events::Call;

/// The syscalls and their numbers, in the order of the numbers.
pub(crate) fn numbers() -> Vec<(u32, Call)> {
    let mut numbers: Vec<(u32, Call)> =
        Call::ALL.into_iter().filter_map(|call| Some((u32::try_from(number(call)).ok()?, call))).collect();
    numbers.sort_unstable();
    numbers
}

/// The call with this number.
pub(crate) fn call(numbers: &[(u32, Call)], number: u64) -> Option<Call> {
    let number = u32::try_from(number).ok()?;
    let at = numbers.binary_search_by_key(&number, |&(known, _)| known).ok()?;
    Some(numbers[at].1)
}

/// The runs of neighbouring numbers, both ends included: fewer comparisons for a filter in the kernel.
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

/// A tracepoint filter that holds for these numbers (Documentation/trace/events.rst). The kernel stops at the first term that
/// decides.
pub(crate) fn filter(numbers: &[(u32, Call)]) -> String {
    let terms: Vec<String> = ranges(numbers)
        .into_iter()
        .map(
            |(first, last)| {
                if first == last { format!("id == {first}") } else { format!("(id >= {first} && id <= {last})") }
            },
        )
        .collect();
    terms.join(" || ")
}

/// The number in the kernel's table: the same on all architectures from 424 on.
fn number(call: Call) -> libc::c_long {
    match call {
        Call::Brk => libc::SYS_brk,
        Call::GetMempolicy => libc::SYS_get_mempolicy,
        Call::IoDestroy => libc::SYS_io_destroy,
        Call::IoSetup => libc::SYS_io_setup,
        Call::IoUringRegister => libc::SYS_io_uring_register,
        Call::Madvise => libc::SYS_madvise,
        Call::MapShadowStack => 453,
        Call::Mbind => libc::SYS_mbind,
        Call::MemfdCreate => libc::SYS_memfd_create,
        Call::MemfdSecret => 447,
        Call::MigratePages => libc::SYS_migrate_pages,
        Call::Mincore => libc::SYS_mincore,
        Call::Mlock => libc::SYS_mlock,
        Call::Mlock2 => libc::SYS_mlock2,
        Call::Mlockall => libc::SYS_mlockall,
        Call::Mmap => libc::SYS_mmap,
        Call::MovePages => libc::SYS_move_pages,
        Call::Mprotect => libc::SYS_mprotect,
        Call::Mremap => libc::SYS_mremap,
        Call::Mseal => 462,
        Call::Msync => libc::SYS_msync,
        Call::Munlock => libc::SYS_munlock,
        Call::Munlockall => libc::SYS_munlockall,
        Call::Munmap => libc::SYS_munmap,
        Call::PkeyMprotect => libc::SYS_pkey_mprotect,
        Call::ProcessMadvise => 440,
        Call::ProcessMrelease => 448,
        Call::RemapFilePages => libc::SYS_remap_file_pages,
        Call::SetMempolicy => libc::SYS_set_mempolicy,
        Call::SetMempolicyHomeNode => 450,
        Call::Shmat => libc::SYS_shmat,
        Call::Shmdt => libc::SYS_shmdt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_its_call() {
        let numbers = numbers();
        assert_eq!(numbers.len(), Call::ALL.len());
        for &(number, known) in &numbers {
            assert_eq!(call(&numbers, number.into()), Some(known));
        }
        assert_eq!((call(&numbers, 1 << 40), call(&numbers, 100_000)), (None, None));
    }

    #[test]
    fn a_filter_names_runs_of_numbers() {
        let numbers = [(9, Call::Mmap), (10, Call::Mprotect), (11, Call::Munmap), (25, Call::Mremap)];
        assert_eq!(filter(&numbers), "(id >= 9 && id <= 11) || id == 25");
    }
}
