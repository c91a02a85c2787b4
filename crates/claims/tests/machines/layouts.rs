//! Claims about layouts: the gap behind bss, and the mappings between heap and stack.

use claims::facts::LayoutFacts;
use claims::judge::layout::{KernelRange, Layouts, aslr_gap, mmap_between};
use results::claims::ClaimVerdict::{CannotTest, DoesNotHold, Holds};

use crate::{glibc, is, of};

const END: usize = 0x5555_5560_0000;

fn layout(gap: usize) -> LayoutFacts {
    let heap = END + gap;
    LayoutFacts {
        pie: true,
        program_end: END,
        heap: Some((heap, heap + 0x21000)),
        stack: Some((0x7ffc_0000_0000, 0x7ffc_0002_1000)),
        fresh: 0x7f00_0000_0000,
        mappings: vec![(0x7f00_0000_0000, 0x7f00_0010_0000), (0x7f10_0000_0000, 0x7f10_0020_0000)],
    }
}

fn usual() -> Layouts {
    Layouts {
        random: (1..=64).map(|n| layout(n * 0x5000)).collect(),
        fixed: Ok(vec![layout(0); 8]),
    }
}

fn kernel(randomize: u8) -> KernelRange {
    KernelRange { randomize: Some(randomize), range_bytes: Some(1 << 30), page_bytes: 4096 }
}

fn gap(
    change: fn(&mut Layouts),
    randomize: u8,
    verdict: results::claims::ClaimVerdict,
    words: &[&str],
) {
    let mut layouts = usual();
    change(&mut layouts);
    is(&aslr_gap(&layouts, Err("no C compiler (cc) found"), &kernel(randomize)), verdict, words);
}

#[test]
fn gaps() {
    gap(
        |_| (),
        2,
        Holds,
        &[
            "no gap; on",
            "64 values in 64 runs",
            "8 runs without ASLR",
            "(18 bits)",
            "only this PIE",
            "no C compiler",
        ],
    );
    gap(|l| l.fixed = Ok(vec![layout(0x1000)]), 2, DoesNotHold, &["at most 4,096 bytes"]);
    gap(|l| l.fixed = Ok(vec![layout(0x800)]), 2, Holds, &["at most 2,048 bytes"]);
    gap(|l| l.random = vec![layout(0); 64], 2, DoesNotHold, &["1 values in 64 runs"]);
    for off in [0, 1] {
        gap(
            |l| l.random = vec![layout(0); 64],
            off,
            CannotTest,
            &["randomize_va_space is", "heap start is not random"],
        );
    }
    gap(
        |l| l.fixed = Err("personality(2) is refused here".to_owned()),
        2,
        CannotTest,
        &["personality(2)"],
    );
    gap(|l| l.random[7].heap = None, 2, CannotTest, &["does not show [heap]"]);
    // The kernel shows a heap that begins before the end of bss as one mapping with it: no gap.
    gap(
        |l| {
            l.fixed =
                Ok(vec![LayoutFacts { heap: Some((END - 0x3000, END + 0x1000)), ..layout(0) }]);
        },
        2,
        Holds,
        &["no gap"],
    );
    // A heap below bss does not follow it.
    gap(
        |l| l.random[0].heap = Some((0x1000, 0x2000)),
        2,
        CannotTest,
        &["behind the program's bss"],
    );
}

#[test]
fn another_program_is_in_the_explanation() {
    let mut other = usual();
    for layout in other.random.iter_mut().chain(other.fixed.as_mut().unwrap()) {
        layout.pie = false;
    }
    is(
        &aslr_gap(&usual(), Ok(&other), &kernel(2)),
        Holds,
        &["a non-PIE: no gap without ASLR, 20 KiB to 1.2 MiB with it"],
    );
    other.fixed = Ok(vec![layout(0x4000)]);
    is(&aslr_gap(&usual(), Ok(&other), &kernel(2)), DoesNotHold, &["a gap too"]);
    other.fixed = Err("refused".to_owned());
    is(&aslr_gap(&usual(), Ok(&other), &kernel(2)), Holds, &["only this PIE was tested: refused"]);
}

#[test]
fn ranges_follow_the_kernel() {
    assert_eq!(KernelRange::range_of("6.18.44-fc", "x86_64"), Some(1 << 30));
    assert_eq!(KernelRange::range_of("6.8.0-45-generic", "x86_64"), Some(32 << 20));
    assert_eq!(KernelRange::range_of("5.10.0", "aarch64"), Some(1 << 30));
    assert_eq!(KernelRange::range_of("5.10.0", "s390x"), None);
    assert_eq!(KernelRange::range_of("unknown", "x86_64"), None);
    let unknown = KernelRange { range_bytes: None, ..kernel(2) };
    is(&aslr_gap(&usual(), Err("x"), &unknown), Holds, &["range of this kernel is unknown"]);
}

#[test]
fn between() {
    let check = |change: fn(&mut Layouts), verdict, words: &[&str]| {
        let mut layouts = usual();
        change(&mut layouts);
        is(
            &mmap_between(&layouts, &of("/usr/lib/libmimalloc.so.2", None, "never")),
            verdict,
            words,
        );
    };
    check(|_| (), Holds, &["144 of 144 mappings", "72 processes, 64 of them with ASLR"]);
    check(|l| l.fixed = Err("refused".to_owned()), Holds, &["128 of 128"]);
    check(
        |l| l.random[0].mappings.push((0x200_0000_0000, 0x240_0000_0000)),
        DoesNotHold,
        &["144 of 145", "mimalloc"],
    );
    check(|l| l.random[0].fresh = 0x1000, DoesNotHold, &["71 of 72", "ulimit -s"]);
    check(|l| l.random[3].stack = None, CannotTest, &["does not show heap and stack"]);
    is(
        &mmap_between(&Layouts { random: Vec::new(), fixed: Ok(Vec::new()) }, &glibc()),
        CannotTest,
        &["does not show"],
    );
}
