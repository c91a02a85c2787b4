//! What is mapped where, from either source or both.

use events::{Life, MappingKind, Sees, ThpPolicy};
use results::trace::{LineKind, MappingLabel};

use crate::teller::{ANONYMOUS, PAGE, PRIVATE, READ, SEES, SHARED, Teller, WRITE};

const AT: u64 = 0x7f00_0000_0000;
const LIBC: &str = "/lib/libc.so.6";

#[test]
fn syscalls_alone_name_kinds() {
    let mut teller = Teller::new();
    for (page, flags, expect) in [
        (0, PRIVATE | ANONYMOUS, "[anonymous]"),
        (1, SHARED | ANONYMOUS, "[shared anonymous]"),
        (2, PRIVATE, "[file]"),
        (3, SHARED, "[shared file]"),
    ] {
        teller.mmap(AT + page * PAGE, 1, WRITE, flags);
        assert_eq!(teller.label(AT + page * PAGE), expect);
    }
}

#[test]
fn the_kernels_report_alone_names_all() {
    let mut teller = Teller::new();
    for (name, expect) in [
        (LIBC, LIBC),
        ("", "[anonymous]"),
        ("//anon", "[anonymous]"),
        ("[heap]", "[heap]"),
        ("[stack]", "[stack]"),
        ("[vdso]", "[vdso]"),
        ("[anon:arena]", "[anon:arena]"),
        ("shared /dev/zero (deleted)", "[shared anonymous]"),
        ("shared /memfd:ring (deleted)", "/memfd:ring (deleted)"),
        ("anon_inode:[perf_event]", "anon_inode:[perf_event]"),
    ] {
        teller.mapped(AT, 1, 3, name);
        assert_eq!(teller.label(AT), expect);
    }
}

#[test]
fn the_report_behind_an_mmap_brings_its_name() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, READ, PRIVATE);
    assert!(teller.lines.is_empty(), "its line waits for the name");
    teller.mapped(AT, 4, 1, LIBC);
    assert!(teller.lines.is_empty());
    assert_eq!(teller.label(AT + PAGE), LIBC);
    let LineKind::Syscall(call) = &teller.lines[0].kind else { panic!("{:?}", teller.lines[0]) };
    assert_eq!((call.name, call.mapping.as_ref().map(MappingLabel::label)), ("mmap", Some(LIBC)));
    assert_eq!(teller.lines[0].time_ns, 1000);
    // Without a report it is told before what comes next, and at the latest when nothing comes.
    teller.mmap(AT + 4 * PAGE, 4, READ, PRIVATE);
    let mut told = Vec::new();
    teller.builder.pause(&mut |line| told.push(line));
    let LineKind::Syscall(call) = &told[0].kind else { panic!("{told:?}") };
    assert_eq!(call.mapping.as_ref().map(MappingLabel::label), Some("[file]"));
}

#[test]
fn a_report_of_joined_mappings_takes_nothing_away() {
    let mut teller = Teller::new();
    teller.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    teller.mapped(AT, 4, 3, "//anon");
    let first = teller.fault(AT);
    teller.mmap(AT + 4 * PAGE, 4, WRITE, PRIVATE | ANONYMOUS);
    teller.mapped(AT, 8, 3, "//anon");
    let again = teller.fault(AT);
    assert_eq!((first.word(), again.word()), ("first-touch", "copy-on-write"));
    assert_eq!(teller.fault(AT + 7 * PAGE).word(), "first-touch");
    let starts = |teller: &mut Teller| {
        let fault = teller.fault_as(AT + 6 * PAGE, 1, false);
        fault.mapping.map(|mapping| mapping.start)
    };
    assert_eq!(starts(&mut teller), Some(AT), "one mapping, as the kernel has it");
}

#[test]
fn a_program_is_loaded_by_the_kernel_and_mapped_over() {
    let mut teller = Teller::new();
    teller.life(Life::Executed { name: events::Name::NONE });
    // The whole image first, then its parts over it, each at its place in the file.
    teller.mapped_at(AT, 16, 1, "/bin/true", 0);
    teller.mapped_at(AT + 4 * PAGE, 8, 5, "/bin/true", 4 * PAGE);
    teller.mapped_at(AT + 12 * PAGE, 2, 3, "/bin/true", 11 * PAGE);
    teller.mapped(AT + 14 * PAGE, 2, 3, "");
    assert_eq!(
        [0, 5, 13, 15].map(|page| teller.label(AT + page * PAGE)),
        ["/bin/true", "/bin/true", "/bin/true", "[anonymous]"]
    );
    assert_eq!(
        teller.fault(AT + 12 * PAGE).word(),
        "file",
        "beside 13, which may have been written"
    );
    assert_eq!(teller.fault(AT + 14 * PAGE).word(), "first-touch");
}

#[test]
fn the_calls_of_a_32_bit_program_are_not_seen() {
    let mut teller = Teller::new();
    teller.life(Life::Compat32);
    teller.mapped(AT, 8, 3, "");
    assert_eq!(
        [0, 0].map(|page| teller.fault(AT + page * PAGE).word()),
        ["first-touch", "copy-on-write"]
    );
    teller.mapped(AT, 8, 3, "");
    assert_eq!(teller.fault(AT).word(), "first-touch");
    assert_eq!(teller.lines.len(), 3, "it is no line");
}

#[test]
fn without_syscalls_a_report_to_the_letter_is_a_new_mapping() {
    let mut teller = Teller::seeing(ThpPolicy::Never, Sees { calls: false, ..SEES });
    teller.mapped(AT, 8, 3, "");
    assert_eq!(
        [0, 0].map(|page| teller.fault(AT + page * PAGE).word()),
        ["first-touch", "copy-on-write"]
    );
    teller.mapped(AT, 8, 3, "");
    assert_eq!(teller.fault(AT).word(), "first-touch");
    teller.mapped(AT, 12, 3, "");
    assert_eq!(teller.fault(AT).word(), "copy-on-write", "it has grown");
}

#[test]
fn where_syscalls_are_seen_they_say_what_is_new() {
    let mut teller = Teller::new();
    teller.mapped(AT, 12, 3, "");
    teller.fault(AT);
    teller.mapped(AT, 12, 3, "");
    assert_eq!(teller.fault(AT).word(), "copy-on-write");
}

#[test]
fn calls_are_told_with_what_they_are_about() {
    let mut teller = Teller::new();
    teller.mapped(AT, 8, 3, "[heap]");
    teller.madvise(AT, 8, 4);
    teller.munmap(AT, 8);
    teller.munmap(AT, 8);
    let kinds: Vec<Option<MappingKind>> = teller
        .lines
        .iter()
        .map(|line| match &line.kind {
            LineKind::Syscall(call) => call.mapping.as_ref().map(|mapping| mapping.kind),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [Some(MappingKind::Heap), Some(MappingKind::Heap), None]);
}

#[test]
fn a_file_advised_into_swap_is_a_file_again() {
    let mut teller = Teller::new();
    teller.mmap(AT, 8, READ, PRIVATE);
    assert_eq!([0, 0].map(|page| teller.fault(AT + page * PAGE).word()), ["file", "unknown"]);
    teller.madvise(AT, 8, 21);
    assert_eq!(teller.fault(AT).word(), "file");
}
