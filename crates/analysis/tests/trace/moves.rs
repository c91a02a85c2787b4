//! mremap(2) of several mappings (since Linux 6.17), which moves all, skips holes, or stops at one
//! that cannot be moved.

use events::Call;
use events::Cause::{CopyOnWrite, FirstTouch, Unknown};

use crate::script::{ANONYMOUS, PAGE, PRIVATE, READ, Script, WRITE};

const FROM: u64 = 0x7f00_0000_0000;
const TO: u64 = 0x7e00_0000_0000;
const NEXT: u64 = 0x7d00_0000_0000;
const FIXED: u64 = 3;
const DONTUNMAP: u64 = 4;
const EFAULT: u64 = 14u64.wrapping_neg();

/// Pages 0 to 7 of a file at the target; at the source pages 0 and 1, a hole of 4, and pages 6 and
/// 7 that can only be read. The first of both is touched.
fn parted() -> Script {
    let mut script = Script::new();
    script.mmap(TO, 8, READ, PRIVATE);
    script.mapped(TO, 8, 1, "/lib/file.so");
    script.mmap(FROM, 8, WRITE, PRIVATE | ANONYMOUS);
    script.munmap(FROM + 2 * PAGE, 4);
    script.call(Call::Mprotect, &[FROM + 6 * PAGE, 2 * PAGE, READ], 0);
    assert_eq!(script.fault(FROM), FirstTouch);
    assert_eq!(script.fault(FROM + 6 * PAGE), FirstTouch);
    script
}

fn labels(script: &mut Script, at: u64) -> Vec<String> {
    (0..8).map(|page| script.label(at + page * PAGE)).collect()
}

fn mremap(script: &mut Script, from: u64, to: u64, flags: u64, result: u64) {
    script.call(Call::Mremap, &[from, 8 * PAGE, 8 * PAGE, flags, to], result);
}

const NONE: &str = "nothing";
const FILE: &str = "/lib/file.so";
const OWN: &str = "[anonymous]";
const EITHER: &str = "[other]";

#[test]
fn what_lies_opposite_a_hole_stays() {
    for keeps in [0, DONTUNMAP] {
        let mut script = parted();
        mremap(&mut script, FROM, TO, FIXED | keeps, TO);
        assert_eq!(script.fault(TO), CopyOnWrite, "it moved with its page");
        assert_eq!(script.fault(TO + PAGE), FirstTouch);
        assert_eq!(labels(&mut script, TO), [OWN, OWN, FILE, FILE, FILE, FILE, OWN, OWN]);
        let left = if keeps == 0 { NONE } else { OWN };
        let source = [left, left, NONE, NONE, NONE, NONE, left, left];
        assert_eq!(labels(&mut script, FROM), source);
    }
}

#[test]
fn a_move_that_fails_may_have_moved_all_but_the_last() {
    let mut script = parted();
    mremap(&mut script, FROM, TO, FIXED, EFAULT);
    assert_eq!(script.fault(TO), Unknown);
    assert_eq!(labels(&mut script, TO), [EITHER, EITHER, FILE, FILE, FILE, FILE, FILE, FILE]);
    // As before Linux 6.17, when such a call moved nothing.
    assert_eq!(labels(&mut script, FROM), [OWN, OWN, NONE, NONE, NONE, NONE, OWN, OWN]);
    // What is at the source may be a hole now.
    script.mmap(NEXT, 8, READ, PRIVATE);
    script.mapped(NEXT, 8, 1, "/lib/file.so");
    mremap(&mut script, FROM, NEXT, FIXED, NEXT);
    assert_eq!(labels(&mut script, NEXT), [EITHER, EITHER, FILE, FILE, FILE, FILE, OWN, OWN]);
}

#[test]
fn a_call_that_can_have_moved_nothing_changes_nothing() {
    let before = [FILE; 8];
    // A hole at the beginning, other sizes, no fixed address, an overlap.
    let calls = [
        [FROM + 2 * PAGE, 8 * PAGE, 8 * PAGE, FIXED, TO],
        [FROM, 8 * PAGE, 7 * PAGE, FIXED, TO],
        [FROM, 8 * PAGE, 8 * PAGE, 1, TO],
        [FROM, 2 * PAGE, 2 * PAGE, FIXED, TO],
        [TO, 8 * PAGE, 8 * PAGE, FIXED, TO + PAGE],
    ];
    for arguments in calls {
        let mut script = parted();
        script.call(Call::Mremap, &arguments, EFAULT);
        assert_eq!(labels(&mut script, TO), before, "{arguments:x?}");
    }
}
