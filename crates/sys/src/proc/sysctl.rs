//! `/proc/sys`: settings of address spaces. A setting that this user may not read is
//! `None`.

use std::fs::read_to_string;
use std::str::FromStr;

/// `kernel.randomize_va_space`: 0 nothing is randomised, 1 all but the heap, 2 all.
#[must_use]
pub fn randomize_va_space() -> Option<u8> {
    number("/proc/sys/kernel/randomize_va_space")
}

/// `vm.mmap_rnd_bits`: the number of random bits in the page number of a mapping. Only root may
/// read it.
#[must_use]
pub fn mmap_rnd_bits() -> Option<u32> {
    number("/proc/sys/vm/mmap_rnd_bits")
}

/// `vm.mmap_rnd_compat_bits`: the same for 32-bit programs.
#[must_use]
pub fn mmap_rnd_compat_bits() -> Option<u32> {
    number("/proc/sys/vm/mmap_rnd_compat_bits")
}

/// `vm.max_map_count`: the largest number of mappings of a process.
#[must_use]
pub fn max_map_count() -> Option<u64> {
    number("/proc/sys/vm/max_map_count")
}

/// `vm.overcommit_memory`: 0 by a heuristic, 1 always, 2 never (proc(5)).
#[must_use]
pub fn overcommit_memory() -> Option<u8> {
    number("/proc/sys/vm/overcommit_memory")
}

fn number<T: FromStr>(path: &str) -> Option<T> {
    parse(&read_to_string(path).ok()?)
}

/// A file with one number on one line.
fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_numbers() {
        assert_eq!(
            (parse::<u8>("2\n"), parse::<u8>("\n"), parse::<u8>("256\n")),
            (Some(2), None, None)
        );
        assert!(randomize_va_space().is_none_or(|mode| mode <= 2));
        assert!(overcommit_memory().is_none_or(|mode| mode <= 2) && max_map_count() != Some(0));
        assert!(
            mmap_rnd_bits().is_none_or(|bits| bits < 64)
                && mmap_rnd_compat_bits().is_none_or(|bits| bits < 32)
        );
    }
}
