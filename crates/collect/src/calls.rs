//! The numbers of the memory syscalls on this architecture.

use events::Call;
use sys::seccomp::Filter;
use sys::syscall;

/// The memory syscalls by number, in both modes of the processor.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    native: Vec<(u32, Call)>,
    /// Those of 32-bit mode; none on an architecture whose numbers are not known here.
    narrow: Vec<(u32, Call)>,
    /// Whether tracepoints report the calls of 32-bit mode.
    sees_narrow: bool,
}

/// System calls that are made often, with the numbers of memory syscalls of 32-bit mode: recvfrom,
/// openat, splice. A filter of a tracepoint does not know the mode.
const BUSY: [u32; 3] = [45, 257, 275];

impl Numbers {
    /// `is_narrow`: a 32-bit program is observed. Then tracepoints report its calls too. Otherwise
    /// they report that such calls were made, by the numbers that are rare natively.
    pub(crate) fn new(is_narrow: bool) -> Self {
        let narrow = if cfg!(target_arch = "x86_64") { narrow_numbers() } else { Vec::new() };
        Numbers { native: native_numbers(), sees_narrow: is_narrow && !narrow.is_empty(), narrow }
    }

    /// The call with this number.
    pub(crate) fn native(&self, number: u64) -> Option<Call> {
        find(&self.native, number)
    }

    /// The call with this number in 32-bit mode.
    pub(crate) fn narrow(&self, number: u64) -> Option<Call> {
        find(&self.narrow, number)
    }

    /// Whether tracepoints report the calls of 32-bit mode.
    pub(crate) fn sees_narrow(&self) -> bool {
        self.sees_narrow
    }

    /// Whether the numbers of 32-bit mode are known.
    pub(crate) fn knows_narrow(&self) -> bool {
        !self.narrow.is_empty()
    }

    /// A filter that stops at the calls of both modes.
    pub(crate) fn stops(&self) -> Filter {
        Filter::stop_at(&ranges(&self.native), &ranges(&self.narrow))
    }

    /// The filters of the tracepoints for the start and the end of a call.
    pub(crate) fn filters(&self) -> [String; 2] {
        let both = |wanted: &dyn Fn(u32) -> bool| {
            let narrow = self.narrow.iter().filter(|&&(number, _)| wanted(number));
            let mut both: Vec<(u32, Call)> = self.native.iter().chain(narrow).copied().collect();
            both.sort_unstable();
            both.dedup_by_key(|&mut (number, _)| number);
            filter(&both)
        };
        if self.sees_narrow {
            [both(&|_| true), both(&|_| true)]
        } else {
            [both(&|number| !BUSY.contains(&number)), filter(&self.native)]
        }
    }
}

/// The arguments of a call in 32-bit mode, as the same call has them natively; `None` if they are
/// in memory and cannot be read. `read` reads the arguments at an address.
pub(crate) fn narrow_arguments(
    number: u64,
    registers: [u64; 6],
    read: impl FnOnce(u64) -> Option<[u32; 6]>,
) -> Option<[u64; 6]> {
    /// The first mmap: its argument is the address of six.
    const OLD_MMAP: u64 = 90;
    /// The second one: its offset is in units of 4096 bytes.
    const MMAP2: u64 = 192;
    let mut arguments = registers.map(|register| register & u64::from(u32::MAX));
    match number {
        OLD_MMAP => return read(arguments[0]).map(|arguments| arguments.map(u64::from)),
        MMAP2 => arguments[5] <<= 12,
        _ => {}
    }
    Some(arguments)
}

/// The syscalls and their numbers, in the order of the numbers.
fn native_numbers() -> Vec<(u32, Call)> {
    let mut numbers: Vec<(u32, Call)> =
        Call::ALL.into_iter().map(|call| (number(call), call)).collect();
    numbers.sort_unstable();
    numbers
}

/// The memory syscalls of 32-bit mode on x86, in the order of their numbers
/// (`arch/x86/entry/syscalls/syscall_32.tbl`). There are two mmaps. shmat and shmdt are also
/// operations of ipc(2), which is not among these.
fn narrow_numbers() -> Vec<(u32, Call)> {
    const OWN: [(u32, Call); 28] = [
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
        (374, Call::Userfaultfd),
        (376, Call::Mlock2),
        (380, Call::PkeyMprotect),
        (397, Call::Shmat),
        (398, Call::Shmdt),
        (427, Call::IoUringRegister),
    ];
    // From here on the numbers are the same in every mode.
    let shared = native_numbers().into_iter().filter(|&(number, _)| number > 427);
    OWN.into_iter().chain(shared).collect()
}

fn find(numbers: &[(u32, Call)], number: u64) -> Option<Call> {
    let number = u32::try_from(number).ok()?;
    let at = numbers.binary_search_by_key(&number, |&(known, _)| known).ok()?;
    Some(numbers[at].1)
}

/// Runs of consecutive numbers, both ends included, which need fewer comparisons in a kernel
/// filter.
fn ranges(numbers: &[(u32, Call)]) -> Vec<(u32, u32)> {
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
fn filter(numbers: &[(u32, Call)]) -> String {
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
        Call::Userfaultfd => syscall::USERFAULTFD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_maps_back_to_its_call() {
        let numbers = Numbers::new(true);
        assert_eq!(numbers.native.len(), Call::ALL.len());
        for &(number, known) in &numbers.native {
            assert_eq!(numbers.native(number.into()), Some(known));
        }
        assert_eq!((numbers.native(1 << 40), numbers.native(100_000)), (None, None));
    }

    #[test]
    fn every_call_has_a_number_in_32_bit_mode() {
        let narrow = narrow_numbers();
        assert!(narrow.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for call in Call::ALL {
            let count = narrow.iter().filter(|&&(_, narrow)| narrow == call).count();
            assert_eq!(count, if call == Call::Mmap { 2 } else { 1 }, "{call:?}");
        }
    }

    #[test]
    fn arguments_of_32_bit_mode_become_native_ones() {
        let registers = [1 << 40 | 0x1000, 2, 3, 4, 5, 6];
        let of = |number| {
            narrow_arguments(number, registers, |address| (address == 0x1000).then_some([9; 6]))
        };
        assert_eq!(of(91), Some([0x1000, 2, 3, 4, 5, 6]));
        assert_eq!(of(192), Some([0x1000, 2, 3, 4, 5, 6 << 12]));
        assert_eq!(of(90), Some([9; 6]));
        assert_eq!(narrow_arguments(90, registers, |_| None), None);
    }

    #[test]
    fn a_filter_has_runs_of_numbers() {
        let numbers =
            [(9, Call::Mmap), (10, Call::Mprotect), (11, Call::Munmap), (25, Call::Mremap)];
        assert_eq!(filter(&numbers), "(id >= 9 && id <= 11) || id == 25");
        let matches = |filter: &str, id: u32| {
            filter.split(" || ").any(|term| {
                let numbers: Vec<u32> = term
                    .split(|letter: char| !letter.is_ascii_digit())
                    .filter_map(|number| number.parse().ok())
                    .collect();
                (numbers[0]..=*numbers.last().unwrap()).contains(&id)
            })
        };
        for is_narrow in [false, true] {
            let numbers = Numbers::new(is_narrow);
            let [starts, ends] = numbers.filters();
            for id in 0..600 {
                let native = numbers.native(id.into()).is_some();
                let narrow = numbers.narrow(id.into()).is_some();
                let rare = narrow && !BUSY.contains(&id);
                assert_eq!(matches(&starts, id), native || rare || (narrow && is_narrow), "{id}");
                assert_eq!(matches(&ends, id), native || (narrow && is_narrow), "{id}");
            }
        }
    }
}
