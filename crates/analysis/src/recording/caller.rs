//! The function that asked for memory: the innermost one that does not belong to an allocator or a
//! standard library.

use std::collections::HashMap;

use results::recording::{CallerRow, Seen, SiteCosts, SiteRow, by_true_cost};

use super::names::{NamedFrame, Names};
use super::skipping::Skipping;
use crate::allocations::{AllocationAccount, Site};

/// Namespaces of standard libraries, and of what they are made of.
const NAMESPACES: [&str; 8] = [
    "std::",
    "__gnu_cxx::",
    "__cxxabiv1::",
    "alloc::",
    "core::",
    "hashbrown::",
    "__rustc::",
    "std::__1::",
];
/// The beginnings of functions of allocators and of the C library that allocate for their caller.
const FUNCTIONS: [&str; 11] = [
    "operator new",
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "__rust_",
    "__rdl_",
    "__rg_",
    "_IO_",
];
/// Libraries that allocate for their callers, up to the ".so" of their names.
const LIBRARIES: [&str; 10] = [
    "libc",
    "libstdc++",
    "libc++",
    "libc++abi",
    "libgcc_s",
    "libm",
    "libpthread",
    "libjemalloc",
    "libmimalloc",
    "libtcmalloc",
];
/// Beginnings of the names of dynamic linkers, and of the C library before glibc 2.34.
const LINKERS: [&str; 2] = ["ld-", "libc-2."];

/// The sites by their callers, in the order of costs.
pub(super) fn callers(
    account: &AllocationAccount,
    seen: Seen,
    names: &Names,
    sites: &[(&Site, SiteRow)],
    skipping: &mut Skipping,
) -> Vec<CallerRow> {
    let mut rows: Vec<CallerRow> = Vec::new();
    let mut known: HashMap<(String, Option<String>, bool), usize> = HashMap::new();
    for (index, (site, row)) in sites.iter().enumerate() {
        let (function, at) = name_of(account, names, site, skipping);
        let caller = (function.clone(), at.clone(), site.maps);
        let place = *known.entry(caller).or_insert(rows.len());
        if place == rows.len() {
            let (maps, costs) = (site.maps, SiteCosts::none(seen));
            rows.push(CallerRow { function, at, maps, costs, ..CallerRow::default() });
        }
        rows[place].sites.push(index);
        rows[place].costs.add(&row.costs);
    }
    for row in &mut rows {
        row.true_per_apparent = row.costs.true_per_apparent();
    }
    rows.sort_by_cached_key(|row| by_true_cost(&row.costs));
    rows
}

/// The function and the line of the caller. If all frames belong to libraries, the innermost one;
/// if all others are skipped, the innermost of those.
fn name_of(
    account: &AllocationAccount,
    names: &Names,
    site: &Site,
    skipping: &mut Skipping,
) -> (String, Option<String>) {
    let frames: Vec<NamedFrame<'_>> =
        account.frames(site.stack).flat_map(|frame| names.at(frame)).collect();
    let own = || frames.iter().filter(|frame| !is_of_a_library(frame));
    let skipped = own().take_while(|frame| skipping.skips(&frame.function())).count();
    let names: Vec<String> = own().take(skipped).map(NamedFrame::function).collect();
    skipping.count(names.iter().map(String::as_str));
    let caller = own().nth(skipped).or_else(|| own().next()).or(frames.first());
    caller.map_or(("unknown".to_owned(), None), |frame| (frame.function(), frame.at()))
}

/// The caller. If all frames belong to libraries, the innermost one.
pub(super) fn caller_of<'a>(
    account: &AllocationAccount,
    names: &'a Names,
    site: &Site,
) -> Option<NamedFrame<'a>> {
    let mut frames = account.frames(site.stack).flat_map(|frame| names.at(frame)).peekable();
    let innermost = frames.peek().cloned();
    frames.find(|frame| !is_of_a_library(frame)).or(innermost)
}

fn is_of_a_library(frame: &NamedFrame<'_>) -> bool {
    let library = frame.place().and_then(|place| place.split_once(".so")).map(|(name, _)| name);
    let function = frame.name.and_then(|name| name.function.as_deref());
    library.is_some_and(|library| {
        LIBRARIES.contains(&library) || LINKERS.iter().any(|begin| library.starts_with(begin))
    }) || function.is_some_and(is_function_of_a_library)
}

/// Whether a function, as C++ and Rust write it, belongs to a standard library.
fn is_function_of_a_library(function: &str) -> bool {
    if FUNCTIONS.iter().any(|begin| function.starts_with(begin)) {
        return true;
    }
    // `<alloc::vec::Vec<T> as Clone>::clone` and `void std::vector<int>::push_back(int&&)`.
    let name = qualified(function).trim_start_matches(['<', '&', '*']);
    let name =
        ["mut ", "dyn ", "const "].iter().fold(name, |name, word| name.trim_start_matches(word));
    NAMESPACES.iter().any(|namespace| name.starts_with(namespace))
}

/// A function of C++ without the type that it returns and without its arguments.
pub(super) fn qualified(function: &str) -> &str {
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in function.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            '(' if depth == 0 && at > start => return &function[start..at],
            ' ' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    &function[start.min(function.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_libraries_are_told_from_those_of_programs() {
        for library in [
            "operator new(unsigned long)",
            "operator new[](unsigned long)",
            "malloc",
            "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>(int*)",
            "std::__cxx11::basic_string<char>::reserve(unsigned long)",
            "__gnu_cxx::new_allocator<Image>::allocate(unsigned long, void const*)",
            "alloc::raw_vec::RawVec<T,A>::grow_one",
            "<alloc::vec::Vec<T> as core::clone::Clone>::clone",
            "<&mut std::io::Stdout as core::fmt::Write>::write_str",
            "hashbrown::raw::RawTable<T,A>::reserve_rehash",
            "__rust_alloc",
            "_IO_file_doallocate",
        ] {
            assert!(is_function_of_a_library(library), "{library}");
        }
        for program in [
            "main",
            "Image::decode(std::vector<int>&)",
            "std_like::f(int)",
            "void decode<std::vector<int> >(std::vector<int> const&)",
            "<app::Image as core::clone::Clone>::clone",
            "app::core::run",
            "PyObject_Malloc",
            "(anonymous namespace)::f(std::string)",
            "allocate_everything",
            "",
        ] {
            assert!(!is_function_of_a_library(program), "{program}");
        }
    }

    #[test]
    fn names_without_types_and_arguments() {
        for (function, name) in [
            ("main", "main"),
            ("void a::b<int, (int)3>::c(int) const", "a::b<int, (int)3>::c"),
            ("std::f(std::g<h i>)", "std::f"),
            ("", ""),
            ("x ", ""),
        ] {
            assert_eq!(qualified(function), name, "{function}");
        }
    }
}
