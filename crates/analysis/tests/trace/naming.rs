//! Names of mappings, from either source or both.

use events::{Life, MappingKind, Sees, ThpPolicy};
use results::trace::{LineKind, MappingLabel};

use crate::script::{ANONYMOUS, PAGE, PRIVATE, READ, SEES, SHARED, Script, WRITE};

const AT: u64 = 0x7f00_0000_0000;
const LIBC: &str = "/lib/libc.so.6";

#[test]
fn syscalls_alone_give_kinds() {
    let mut script = Script::new();
    for (page, flags, expect) in [
        (0, PRIVATE | ANONYMOUS, "[anonymous]"),
        (1, SHARED | ANONYMOUS, "[shared anonymous]"),
        (2, PRIVATE, "[file]"),
        (3, SHARED, "[shared file]"),
    ] {
        script.mmap(AT + page * PAGE, 1, WRITE, flags);
        assert_eq!(script.label(AT + page * PAGE), expect);
    }
}

#[test]
fn the_kernels_report_alone_gives_names() {
    let mut script = Script::new();
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
        script.mapped(AT, 1, 3, name);
        assert_eq!(script.label(AT), expect);
    }
}

#[test]
fn the_report_after_an_mmap_has_its_name() {
    let mut script = Script::new();
    script.mmap(AT, 4, READ, PRIVATE);
    assert!(script.lines.is_empty(), "the line waits for the name");
    script.mapped(AT, 4, 1, LIBC);
    assert!(script.lines.is_empty());
    assert_eq!(script.label(AT + PAGE), LIBC);
    let LineKind::Syscall(call) = &script.lines[0].kind else { panic!("{:?}", script.lines[0]) };
    assert_eq!((call.name, call.mapping.as_ref().map(MappingLabel::label)), ("mmap", Some(LIBC)));
    assert_eq!(script.lines[0].time_ns, 1000);
    // Without a report the line is emitted before the next event, or at a pause.
    script.mmap(AT + 4 * PAGE, 4, READ, PRIVATE);
    let mut lines = Vec::new();
    script.builder.pause(&mut |line| lines.push(line));
    let LineKind::Syscall(call) = &lines[0].kind else { panic!("{lines:?}") };
    assert_eq!(call.mapping.as_ref().map(MappingLabel::label), Some("[file]"));
}

#[test]
fn a_report_of_joined_mappings_removes_nothing() {
    let mut script = Script::new();
    script.mmap(AT, 4, WRITE, PRIVATE | ANONYMOUS);
    script.mapped(AT, 4, 3, "//anon");
    let first = script.fault(AT);
    script.mmap(AT + 4 * PAGE, 4, WRITE, PRIVATE | ANONYMOUS);
    script.mapped(AT, 8, 3, "//anon");
    let again = script.fault(AT);
    assert_eq!((first.word(), again.word()), ("first-touch", "copy-on-write"));
    assert_eq!(script.fault(AT + 7 * PAGE).word(), "first-touch");
    let starts = |script: &mut Script| {
        let fault = script.fault_as(AT + 6 * PAGE, 1, false);
        fault.mapping.map(|mapping| mapping.start)
    };
    assert_eq!(starts(&mut script), Some(AT), "one mapping, as in the kernel");
}

#[test]
fn the_kernel_loads_a_program_in_overlapping_parts() {
    let mut script = Script::new();
    script.life(Life::Executed { name: events::Name::NONE });
    // The kernel maps the whole image first, then its parts over it, each at its offset in the
    // file.
    script.mapped_at(AT, 16, 1, "/bin/true", 0);
    script.mapped_at(AT + 4 * PAGE, 8, 5, "/bin/true", 4 * PAGE);
    script.mapped_at(AT + 12 * PAGE, 2, 3, "/bin/true", 11 * PAGE);
    script.mapped(AT + 14 * PAGE, 2, 3, "");
    assert_eq!(
        [0, 5, 13, 15].map(|page| script.label(AT + page * PAGE)),
        ["/bin/true", "/bin/true", "/bin/true", "[anonymous]"]
    );
    assert_eq!(
        script.fault(AT + 12 * PAGE).word(),
        "file",
        "the neighbour 13 may have been written"
    );
    assert_eq!(script.fault(AT + 14 * PAGE).word(), "first-touch");
}

#[test]
fn the_calls_of_a_32_bit_program_are_not_seen() {
    let mut script = Script::new();
    script.life(Life::Compat32);
    script.mapped(AT, 8, 3, "");
    assert_eq!(
        [0, 0].map(|page| script.fault(AT + page * PAGE).word()),
        ["first-touch", "copy-on-write"]
    );
    script.mapped(AT, 8, 3, "");
    assert_eq!(script.fault(AT).word(), "first-touch");
    assert_eq!(script.lines.len(), 3, "a change of mode has no line");
}

#[test]
fn without_syscalls_an_identical_report_is_a_new_mapping() {
    let mut script = Script::seeing(ThpPolicy::Never, Sees { calls: false, ..SEES });
    script.mapped(AT, 8, 3, "");
    assert_eq!(
        [0, 0].map(|page| script.fault(AT + page * PAGE).word()),
        ["first-touch", "copy-on-write"]
    );
    script.mapped(AT, 8, 3, "");
    assert_eq!(script.fault(AT).word(), "first-touch");
    script.mapped(AT, 12, 3, "");
    assert_eq!(script.fault(AT).word(), "copy-on-write", "the mapping has grown");
}

#[test]
fn with_syscalls_a_report_alone_is_not_a_new_mapping() {
    let mut script = Script::new();
    script.mapped(AT, 12, 3, "");
    script.fault(AT);
    script.mapped(AT, 12, 3, "");
    assert_eq!(script.fault(AT).word(), "copy-on-write");
}

#[test]
fn calls_have_the_mapping_that_they_concern() {
    let mut script = Script::new();
    script.mapped(AT, 8, 3, "[heap]");
    script.madvise(AT, 8, 4);
    script.munmap(AT, 8);
    script.munmap(AT, 8);
    let kinds: Vec<Option<MappingKind>> = script
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
fn a_file_page_after_pageout_is_a_file_page_again() {
    let mut script = Script::new();
    script.mmap(AT, 8, READ, PRIVATE);
    assert_eq!([0, 0].map(|page| script.fault(AT + page * PAGE).word()), ["file", "unknown"]);
    script.madvise(AT, 8, 21);
    assert_eq!(script.fault(AT).word(), "file");
}
