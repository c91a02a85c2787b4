//! System calls in 32-bit mode: of 32-bit programs, and of others that make them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{lines, of_kind};
use crate::program::{Scratch, fixture, is_root, run, skip, text};

/// A program of 32 bits, by hand: alarm(0), which has the number of 64-bit mincore; mmap2 of 64
/// KiB, a touch, munmap; and exit(3).
fn narrow_program() -> Vec<u8> {
    let code: [&[u8]; 13] = [
        &[0xb8, 27, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80],
        &[0xb8, 192, 0, 0, 0, 0x31, 0xdb],
        &[0xb9, 0, 0, 1, 0],
        &[0xba, 3, 0, 0, 0],
        &[0xbe, 0x22, 0, 0, 0],
        &[0xbf, 0xff, 0xff, 0xff, 0xff],
        &[0x31, 0xed, 0xcd, 0x80],
        &[0xc7, 0, 1, 0, 0, 0], // the touch
        &[0x89, 0xc3],
        &[0xb9, 0, 0, 1, 0],
        &[0xb8, 91, 0, 0, 0, 0xcd, 0x80],
        &[0xb8, 1, 0, 0, 0, 0xbb, 3, 0, 0, 0],
        &[0xcd, 0x80],
    ];
    let code = code.concat();
    let halves = |numbers: &[u16]| {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()
    };
    let words = |numbers: &[u32]| {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()
    };
    let size = 84 + u32::try_from(code.len()).unwrap();
    [
        b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
        halves(&[2, 3]), // ET_EXEC, EM_386
        words(&[1, 0x0804_8054, 52, 0, 0]),
        halves(&[52, 32, 1, 40, 0, 0]),
        // PT_LOAD, readable and executable
        words(&[1, 0, 0x0804_8000, 0x0804_8000, size, size, 5, 4096]),
        code,
    ]
    .concat()
}

#[test]
fn a_32_bit_program_is_shown_as_any_other() {
    let scratch = Scratch::new();
    let file = scratch.file("narrow");
    std::fs::write(&file, narrow_program()).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    if !Command::new(&file).status().is_ok_and(|status| status.code() == Some(3)) {
        return skip("this kernel runs no 32-bit programs");
    }
    for way in if is_root() { &["tracepoints", "ptrace"][..] } else { &["ptrace"] } {
        let output = run(&["trace", "--syscalls", way, "--", file.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        let mapped =
            "mmap(NULL, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x";
        assert!(said.contains(mapped) && said.contains(", 65536) = 0 <"), "{way}: {said}");
        assert!(said.contains("anonymous, first touch"), "{way}: {said}");
        assert!(!said.contains("mincore") && !said.contains("32-bit"), "{way}: {said}");
    }
}

#[test]
fn syscalls_of_a_64_bit_program_in_32_bit_mode_are_shown_or_counted() {
    let scratch = Scratch::new();
    let Some(program) = fixture("int80", &scratch) else { return };
    let program = program.to_str().unwrap();
    if !Command::new(program).status().is_ok_and(|status| status.code() == Some(4)) {
        return skip("this kernel makes no syscalls in 32-bit mode");
    }
    for way in ["tracepoints", "ptrace"] {
        let Some(lines) = lines(way, &[program, "20"]) else { continue };
        let sizes = of_kind(&lines, "syscall")
            .filter(|line| line["name"] == "munmap" && line["args"][1] == 65536)
            .count();
        let causes: Vec<_> = of_kind(&lines, "fault")
            .filter(|line| line["mapping"] == "[anonymous]" && line["cause"] == "first-touch")
            .collect();
        let output = run(&["trace", "--syscalls", way, "-o", "/dev/null", "--", program, "20"]);
        let said = text(&output.stderr);
        if way == "ptrace" {
            assert_eq!(sizes, 21, "both modes");
            assert!(causes.len() >= 41, "{}", causes.len());
            assert!(!said.contains("32-bit mode"), "{said}");
        } else {
            assert_eq!(sizes, 1, "the native one");
            assert!(said.contains("in 32-bit mode, which are not shown: 40 or more"), "{said}");
        }
    }
}
