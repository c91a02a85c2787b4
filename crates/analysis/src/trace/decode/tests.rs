//! Every call as strace prints it. The expected texts of unusual cases were observed with strace
//! 6.1.

use super::*;
use events::{Name, Span};

const ADDRESS: u64 = 0x7f12_3456_0000;
const MINUS_ONE: u64 = u64::MAX;

fn syscall(call: Call, given: &[u64], result: Option<i64>) -> Syscall {
    let mut arguments = [0; 6];
    arguments[..given.len()].copy_from_slice(given);
    Syscall {
        call,
        text: Name::NONE,
        arguments,
        arguments_known: true,
        result,
        span: Span::default(),
    }
}

fn decoded(syscall: &Syscall) -> String {
    let texts: Vec<String> =
        arguments(syscall, &Definitions::default()).map(|argument| argument.to_string()).collect();
    texts.join(", ")
}

/// Checks all arguments of `call` as text.
fn all_of(call: Call, cases: &[(&[u64], &str)]) {
    for (given, expect) in cases {
        assert_eq!(decoded(&syscall(call, given, Some(0))), *expect, "{}", call.name());
    }
}

#[test]
fn mappings() {
    all_of(
        Call::Mmap,
        &[
            (
                &[0, 8192, 3, 0x22, 0xffff_ffff, 0],
                "NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0",
            ),
            (
                &[0, 8192, 3, 0x22, MINUS_ONE, 0],
                "NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0",
            ),
            (
                &[ADDRESS, 110_592, 5, 0x812, 3, 0x7000],
                "0x7f1234560000, 110592, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, \
                3, 0x7000",
            ),
            (
                &[0, 2 << 20, 0, 0x22 | 0x4_0000 | 21 << 26, 0xffff_ffff, 0],
                "NULL, 2097152, PROT_NONE, \
                MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|21<<MAP_HUGE_SHIFT, -1, 0",
            ),
            (&[0, 1, 0, 30 << 26, 0, 0], "NULL, 1, PROT_NONE, MAP_FILE|30<<MAP_HUGE_SHIFT, 0, 0"),
            (
                &[0, 1, 1, 0x24, 0, MINUS_ONE],
                "NULL, 1, PROT_READ, 0x4 /* MAP_??? */|MAP_ANONYMOUS, 0, 0xffffffffffffffff",
            ),
            (&[0, 1, 1, 0x202, 0, 0], "NULL, 1, PROT_READ, MAP_PRIVATE|0x200, 0, 0"),
            (&[0, 1, 1, 0x402 | 1 << 40, 0, 0], "NULL, 1, PROT_READ, MAP_PRIVATE|0x400, 0, 0"),
            (
                &[0, 1, 1 << 40, 0x28, 0, 0],
                "NULL, 1, 0x10000000000 /* PROT_??? */, MAP_DROPPABLE|MAP_ANONYMOUS, 0, 0",
            ),
            (&[0, 1, 0x81, 3, 0, 0], "NULL, 1, PROT_READ|0x80, MAP_SHARED_VALIDATE, 0, 0"),
        ],
    );
    all_of(Call::Munmap, &[(&[ADDRESS, MINUS_ONE], "0x7f1234560000, 18446744073709551615")]);
    all_of(
        Call::Mprotect,
        &[(&[ADDRESS, 4096, 0x0100_0000], "0x7f1234560000, 4096, PROT_GROWSDOWN")],
    );
    all_of(
        Call::PkeyMprotect,
        &[(&[ADDRESS, 4096, 8, 0xffff_ffff], "0x7f1234560000, 4096, PROT_SEM, -1")],
    );
    all_of(Call::Brk, &[(&[0], "NULL"), (&[ADDRESS], "0x7f1234560000")]);
    all_of(
        Call::RemapFilePages,
        &[(
            &[ADDRESS, 4096, 0, 7, 0x1_0000],
            "0x7f1234560000, 4096, PROT_NONE, 7, MAP_FILE|MAP_NONBLOCK",
        )],
    );
    all_of(
        Call::MapShadowStack,
        &[(&[0, 4096, 3], "NULL, 4096, SHADOW_STACK_SET_TOKEN|SHADOW_STACK_SET_MARKER")],
    );
    all_of(
        Call::Mseal,
        &[
            (&[ADDRESS, 4096, 0], "0x7f1234560000, 4096, 0"),
            (&[0, 0, 1 << 32], "NULL, 0, 0x100000000"),
        ],
    );
}

#[test]
fn mremap_shows_its_fifth_argument_only_if_the_kernel_reads_it() {
    all_of(
        Call::Mremap,
        &[
            (&[ADDRESS, 4096, 8192, 0, ADDRESS], "0x7f1234560000, 4096, 8192, 0"),
            (&[ADDRESS, 4096, 8192, 1, ADDRESS], "0x7f1234560000, 4096, 8192, MREMAP_MAYMOVE"),
            (&[ADDRESS, 4096, 8192, 2, ADDRESS], "0x7f1234560000, 4096, 8192, MREMAP_FIXED"),
            (
                &[ADDRESS, 4096, 8192, 3, ADDRESS],
                "0x7f1234560000, 4096, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x7f1234560000",
            ),
            (
                &[ADDRESS, 4096, 4096, 5],
                "0x7f1234560000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_DONTUNMAP, NULL",
            ),
            (&[ADDRESS, 4096, 4096, 8], "0x7f1234560000, 4096, 4096, 0x8 /* MREMAP_??? */"),
        ],
    );
}

#[test]
fn advice_locks_and_synchronisation() {
    all_of(
        Call::Madvise,
        &[
            (&[ADDRESS, 4096, 4], "0x7f1234560000, 4096, MADV_DONTNEED"),
            (&[ADDRESS, 4096, 0], "0x7f1234560000, 4096, MADV_NORMAL"),
            (&[ADDRESS, 4096, 5], "0x7f1234560000, 4096, 0x5 /* MADV_??? */"),
            (&[ADDRESS, 4096, 102], "0x7f1234560000, 4096, MADV_GUARD_INSTALL"),
            (&[ADDRESS, 4096, 0xe | 1 << 32], "0x7f1234560000, 4096, MADV_HUGEPAGE"),
        ],
    );
    all_of(
        Call::ProcessMadvise,
        &[
            (&[3, ADDRESS, 2, 20, 0], "3, 0x7f1234560000, 2, MADV_COLD, 0"),
            (&[MINUS_ONE, ADDRESS, 0, 21, 0x10], "-1, [], 0, MADV_PAGEOUT, 0x10"),
        ],
    );
    all_of(Call::ProcessMrelease, &[(&[3, MINUS_ONE], "3, 0xffffffff")]);
    all_of(Call::Mlock, &[(&[ADDRESS, 4096], "0x7f1234560000, 4096")]);
    all_of(Call::Munlock, &[(&[ADDRESS, 4096], "0x7f1234560000, 4096")]);
    all_of(
        Call::Mlock2,
        &[
            (&[ADDRESS, 4096, 1], "0x7f1234560000, 4096, MLOCK_ONFAULT"),
            (&[ADDRESS, 4096, 0], "0x7f1234560000, 4096, 0"),
            (&[ADDRESS, 4096, 2], "0x7f1234560000, 4096, 0x2 /* MLOCK_??? */"),
        ],
    );
    all_of(
        Call::Mlockall,
        &[(&[5], "MCL_CURRENT|MCL_ONFAULT"), (&[15], "MCL_CURRENT|MCL_FUTURE|MCL_ONFAULT|0x8")],
    );
    all_of(Call::Munlockall, &[(&[1, 2, 3], "")]);
    all_of(
        Call::Msync,
        &[
            (&[ADDRESS, 4096, 6], "0x7f1234560000, 4096, MS_SYNC|MS_INVALIDATE"),
            (&[ADDRESS, 4096, 0x18], "0x7f1234560000, 4096, 0x18 /* MS_??? */"),
        ],
    );
    all_of(
        Call::Mincore,
        &[
            (&[ADDRESS, 4096, 64], "0x7f1234560000, 4096, 0x40"),
            (&[ADDRESS, 0, 64], "0x7f1234560000, 0, []"),
        ],
    );
}

#[test]
fn policies() {
    all_of(
        Call::Mbind,
        &[
            (
                &[ADDRESS, 4096, 2, 64, 65, 2],
                "0x7f1234560000, 4096, MPOL_BIND, 0x40, 65, MPOL_MF_MOVE",
            ),
            (
                &[ADDRESS, 4096, 0x8003, 64, 1, 9],
                "0x7f1234560000, 4096, MPOL_INTERLEAVE|MPOL_F_STATIC_NODES, 0x40, 1, \
                MPOL_MF_STRICT|0x8",
            ),
            (
                &[ADDRESS, 0, 0x6007, 0, 0, 0],
                "0x7f1234560000, 0, MPOL_F_RELATIVE_NODES|MPOL_F_NUMA_BALANCING|0x7, NULL, 0, 0",
            ),
            (
                &[ADDRESS, 0, 1 << 32, 0, 0, 8],
                "0x7f1234560000, 0, 0x100000000 /* MPOL_??? */, NULL, 0, 0x8 /* MPOL_??? */",
            ),
        ],
    );
    all_of(
        Call::SetMempolicy,
        &[
            (&[0, 0, 0], "MPOL_DEFAULT, NULL, 0"),
            (&[1, 64, 0], "MPOL_PREFERRED, [], 0"),
            (&[6 | 1 << 32, 64, MINUS_ONE], "MPOL_WEIGHTED_INTERLEAVE, 0x40, 18446744073709551615"),
        ],
    );
    all_of(
        Call::GetMempolicy,
        &[(&[64, 0, 0, ADDRESS, 3], "0x40, NULL, 0, 0x7f1234560000, MPOL_F_NODE|MPOL_F_ADDR")],
    );
    all_of(Call::SetMempolicyHomeNode, &[(&[ADDRESS, 4096, 1, 2], "0x7f1234560000, 4096, 1, 0x2")]);
    all_of(
        Call::MigratePages,
        &[(&[MINUS_ONE, 2, 64, 72], "-1, 2, 0x40, 0x48"), (&[7, 0, 64, 0], "7, 0, [], NULL")],
    );
    all_of(
        Call::MovePages,
        &[
            (&[0, 1, 64, 72, 80, 4], "0, 1, 0x40, 0x48, 0x50, MPOL_MF_MOVE_ALL"),
            (&[0, 0, 64, 0, 80, 1], "0, 0, [], NULL, [], 0x1 /* MPOL_??? */"),
        ],
    );
}

#[test]
fn objects() {
    all_of(
        Call::MemfdCreate,
        &[
            (&[0, 1], "NULL, MFD_CLOEXEC"),
            (&[64, 0], "0x40, 0"),
            (&[64, 4 | 21 << 26], "0x40, MFD_HUGETLB|21<<MFD_HUGE_SHIFT"),
            (&[64, 21 << 26], "0x40, 21<<MFD_HUGE_SHIFT"),
            (&[64, 0x13], "0x40, MFD_CLOEXEC|MFD_ALLOW_SEALING|MFD_EXEC"),
            (&[64, 0x20], "0x40, 0x20 /* MFD_??? */"),
        ],
    );
    all_of(
        Call::Userfaultfd,
        &[
            (&[0], "0"),
            (&[0x8_0801], "UFFD_USER_MODE_ONLY|O_NONBLOCK|O_CLOEXEC"),
            (&[2], "0x2 /* UFFD_??? */"),
        ],
    );
    all_of(Call::MemfdSecret, &[(&[0], "0"), (&[0x8_0000], "O_CLOEXEC"), (&[1], "0x1")]);
    all_of(
        Call::Shmat,
        &[
            (&[32769, 0, 0], "32769, NULL, 0"),
            (&[MINUS_ONE, ADDRESS, 0o10_001], "-1, 0x7f1234560000, SHM_RDONLY|0x1"),
        ],
    );
    all_of(Call::Shmdt, &[(&[ADDRESS], "0x7f1234560000")]);
    all_of(Call::IoSetup, &[(&[1 << 32 | 128, 64], "128, 0x40")]);
    all_of(Call::IoDestroy, &[(&[ADDRESS], "0x7f1234560000")]);
    all_of(
        Call::IoUringRegister,
        &[
            (&[3, 0, 64, 1], "3, IORING_REGISTER_BUFFERS, 0x40, 1"),
            (
                &[MINUS_ONE, 200, 0, MINUS_ONE],
                "-1, 0xc8 /* IORING_REGISTER_??? */, NULL, 4294967295",
            ),
            (
                &[0, 1 << 31 | 0x14, 0, 0],
                "0, IORING_REGISTER_RING_FDS|IORING_REGISTER_USE_REGISTERED_RING, NULL, 0",
            ),
        ],
    );
}

#[test]
fn names_are_quoted() {
    let mut names = events::Interner::default();
    let mut quoted = |text: &str| {
        let syscall =
            Syscall { text: names.text(text), ..syscall(Call::MemfdCreate, &[64, 0], Some(3)) };
        arguments(&syscall, names.table()).next().unwrap().to_string()
    };
    assert_eq!(quoted("plain name"), r#""plain name""#);
    assert_eq!(quoted("a\"b\\c"), r#""a\"b\\c""#);
    assert_eq!(quoted("\t\n\u{b}\u{c}\r"), r#""\t\n\v\f\r""#);
    assert_eq!(quoted("\u{1}x\u{1}7\u{1}8\u{7f}"), r#""\1x\0017\18\177""#);
    assert_eq!(quoted("\u{e9}1"), r#""\303\2511""#);
    assert_eq!(quoted(&"x".repeat(249)), format!("\"{}\"", "x".repeat(249)));
}

#[test]
fn outcomes() {
    let shown = |call, result| outcome(&syscall(call, &[], result)).to_string();
    assert_eq!(shown(Call::Mmap, Some(0x7f12_3456_0000)), "0x7f1234560000");
    assert_eq!(shown(Call::Mremap, Some(0)), "0");
    assert_eq!(shown(Call::Munmap, Some(0)), "0");
    assert_eq!(shown(Call::ProcessMadvise, Some(4096)), "4096");
    assert_eq!(shown(Call::Mmap, Some(-12)), "-1 ENOMEM (Cannot allocate memory)");
    assert_eq!(shown(Call::Mmap, Some(-41)), "-1 (errno 41)");
    assert_eq!(shown(Call::Mmap, Some(-4095)), "-1 (errno 4095)");
    assert_eq!(shown(Call::Mmap, Some(-4096)), "0xfffffffffffff000");
    assert_eq!(shown(Call::Mmap, Some(-524)), "-1 ENOTSUPP (Unknown error 524)");
    assert_eq!(
        shown(Call::Mlock, Some(-512)),
        "? ERESTARTSYS (To be restarted if SA_RESTART is set)"
    );
    assert_eq!(shown(Call::Mlock, Some(-513)), "? ERESTARTNOINTR (To be restarted)");
    assert_eq!(shown(Call::Mlock, Some(-514)), "? ERESTARTNOHAND (To be restarted if no handler)");
    assert_eq!(shown(Call::Mlock, Some(-516)), "? ERESTART_RESTARTBLOCK (Interrupted by signal)");
    assert_eq!(shown(Call::Mlock, None), "?");
}

#[test]
fn lines() {
    let names = Definitions::default();
    let whole =
        |call, given: &[u64], result| line(&syscall(call, given, result), &names).to_string();
    assert_eq!(whole(Call::Brk, &[0], Some(0x5555_0000)), "brk(NULL) = 0x55550000");
    assert_eq!(
        whole(Call::Mprotect, &[ADDRESS, 4096, 1], Some(0)),
        "mprotect(0x7f1234560000, 4096, PROT_READ) = 0"
    );
    assert_eq!(whole(Call::Munlockall, &[], None), "munlockall() = ?");
}

#[test]
fn sizes() {
    let size = |call, given: &[u64]| bytes(&syscall(call, given, None));
    assert_eq!(size(Call::Mmap, &[0, 4097, 3]), Some(4097));
    assert_eq!(size(Call::Mremap, &[ADDRESS, 4096, 8192]), Some(8192));
    assert_eq!(size(Call::Brk, &[ADDRESS]), None);
    assert_eq!(size(Call::ProcessMadvise, &[3, ADDRESS, 2]), None);
    // Exactly the calls with one length argument have a size.
    for call in Call::ALL {
        let lengths = signature(call)
            .iter()
            .take(2)
            .filter(|kind| matches!(kind, ArgumentKind::Size))
            .count();
        let counts = matches!(call, Call::MigratePages | Call::MovePages);
        assert_eq!(size(call, &[1, 2, 3]).is_some(), lengths == 1 && !counts, "{}", call.name());
    }
}

/// Decoding never panics, and its text is printable, whatever the registers are.
#[test]
fn any_registers_are_text() {
    let mut interesting: Vec<u64> =
        (0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, !(1 << bit)]).collect();
    // A pseudo-random sequence, the same in every run (Knuth, The Art of Computer Programming 2,
    // 3.3.4, line 26).
    let mut state = 1_u64;
    interesting.extend((0..2000).map(|_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ state >> 29
    }));
    let names = Definitions::default();
    for call in Call::ALL {
        for (index, &value) in interesting.iter().enumerate() {
            let mut given = [0; 6];
            for (place, register) in given.iter_mut().enumerate() {
                *register = if index % 2 == 0 {
                    value
                } else {
                    interesting[(index * 7 + place * 13) % interesting.len()]
                };
            }
            for result in [None, Some(value.cast_signed()), Some(-((value & 0xfff).cast_signed()))]
            {
                let syscall = syscall(call, &given, result);
                let text = line(&syscall, &names).to_string();
                assert!(
                    text.starts_with(call.name()) && text.bytes().all(|b| matches!(b, b' '..=b'~')),
                    "{text}"
                );
                let count = arguments(&syscall, &names).len();
                let least = signature(call).len() - usize::from(call == Call::Mremap);
                assert!((least..=signature(call).len()).contains(&count));
                let _ = bytes(&syscall);
            }
        }
    }
}
