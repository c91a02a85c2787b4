//! Faults that nobody pays for, by kinds of memory.

use analysis::allocations::RestKind;
use events::MappingReport;

use crate::script::{PAGE, Script};

const AT: u64 = 0x7000_0000;

fn mapping(name: &'static str, protection: u32) -> MappingReport<'static> {
    MappingReport {
        start: AT,
        end: AT + 4 * PAGE,
        protection,
        name,
        inode: u64::from(name.starts_with('/')),
        ..MappingReport::default()
    }
}

#[test]
fn the_rest_is_told_by_kinds_of_memory() {
    for (kind, mapping) in [
        (RestKind::File, mapping("/lib/a.so", 5)),
        (RestKind::ProgramData, mapping("/lib/a.so", 3)),
        (RestKind::Stack, mapping("[stack]", 3)),
        (RestKind::Heap, mapping("[heap]", 3)),
        (RestKind::Anonymous, mapping("", 3)),
        (RestKind::Shared, MappingReport { shared: true, ..mapping("", 3) }),
        (RestKind::Unknown, mapping("[vdso]", 5)),
    ] {
        let mut script = Script::new();
        script.map(1, &mapping).fault(10, 5, AT + 8).fault(20, 6, AT + PAGE);
        let rest = script.account().0.rest;
        let found: Vec<_> =
            rest.iter().map(|rest| (rest.kind, rest.faults.minor, rest.faults.ns)).collect();
        assert_eq!(found, [(kind, 2, 11)], "{mapping:?}");
    }
}

#[test]
fn bss_follows_the_data_of_its_file() {
    let mut script = Script::new();
    let data = mapping("/bin/app", 3);
    let bss = MappingReport { start: data.end, end: data.end + PAGE, ..mapping("", 3) };
    script.map(1, &data).map(2, &bss).fault(10, 5, data.end);
    assert_eq!(script.account().0.rest[0].kind, RestKind::ProgramData);
    let mut script = Script::new();
    script.fault(10, 5, AT);
    assert_eq!(script.account().0.rest[0].kind, RestKind::Unknown, "nothing is mapped there");
}

#[test]
fn the_library_of_the_recorder_and_its_bss_are_the_recorders() {
    let library = "/home/someone/.cache/firsttouch/shim-f918debf8f44012e.so";
    let mut script = Script::new();
    let data = mapping(library, 3);
    let bss = MappingReport { start: data.end, end: data.end + PAGE, ..mapping("", 3) };
    let code = MappingReport { start: AT - PAGE, end: AT, ..mapping(library, 5) };
    script.map(1, &code).map(2, &data).map(3, &bss);
    script.fault(10, 5, AT - PAGE).fault(20, 6, AT).fault(30, 7, bss.start);
    let rest = script.account().0.rest;
    let found: Vec<_> =
        rest.iter().map(|rest| (rest.kind, rest.faults.minor, rest.faults.ns)).collect();
    assert_eq!(found, [(RestKind::Recorder, 3, 18)]);
}
