//! `layout` on real programs whose address space is known by construction.

mod answers;
mod costs;
mod running;

use std::process::{Command, Output};

use results::layout::{Layout, LayoutRun, Moment, Region, RegionKind, SCHEMA};

use crate::program::{
    PROGRAM, Scratch, as_nobody, copied, fixture, fixture_with, is_root, open_copy, run, skip, text,
};

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;

fn layout(output: &Output) -> Layout {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    results::read_layout(&output.stdout[..])
        .unwrap_or_else(|e| panic!("{e}: {}", text(&output.stdout)))
}

/// The layout of a program of `fixtures/`.
fn of(arguments: &[&str], program: &std::path::Path, wish: &[&str]) -> Layout {
    let program = program.to_str().unwrap();
    layout(&run(&[&["layout", "--json", "-"], arguments, &["--", program], wish].concat()))
}

fn regions(run: &LayoutRun, kind: RegionKind) -> Vec<&Region> {
    run.regions.iter().filter(|region| region.kind == kind).collect()
}

fn bytes(run: &LayoutRun, kind: RegionKind) -> u64 {
    regions(run, kind).iter().map(|region| region.bytes()).sum()
}

fn resident(run: &LayoutRun, kind: RegionKind) -> u64 {
    regions(run, kind).iter().map(|region| region.resident_bytes).sum()
}

fn is_whole(layout: &Layout) {
    assert_eq!(
        (layout.schema.as_str(), layout.version.as_str()),
        (SCHEMA, env!("CARGO_PKG_VERSION"))
    );
    for run in &layout.runs {
        assert!(run.regions.windows(2).all(|pair| pair[0].end <= pair[1].start), "{run:?}");
        assert!(
            run.regions.iter().all(|region| region.resident_bytes <= region.bytes()),
            "{run:?}"
        );
    }
}

#[test]
fn bss_and_heap_are_where_the_program_has_them() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let layout = of(&[], &program, &["bss"]);
    is_whole(&layout);
    let run = &layout.runs[0];
    assert_eq!((run.at, layout.program.path.as_str()), (Moment::Exit, program.to_str().unwrap()));
    let bss = bytes(run, RegionKind::Bss);
    assert!((16 * MIB..16 * MIB + 4 * PAGE).contains(&bss), "{bss}");
    assert!(
        (8 * MIB - PAGE..8 * MIB + 8 * PAGE).contains(&resident(run, RegionKind::Bss)),
        "{}",
        resident(run, RegionKind::Bss)
    );
    for kind in [
        RegionKind::Text,
        RegionKind::Rodata,
        RegionKind::Data,
        RegionKind::Heap,
        RegionKind::Stack,
        RegionKind::File,
    ] {
        assert!(resident(run, kind) > 0, "{kind:?}");
    }
    let heap = regions(run, RegionKind::Heap);
    assert_eq!(run.program_break, heap.last().map(|region| region.end));
    let end = run.bss_end.unwrap().0.next_multiple_of(PAGE);
    assert_eq!(run.heap_gap_bytes, Some(heap[0].start.0 - end));
    let parts = regions(run, RegionKind::Bss)[0].parts.clone().expect("the first picture has them");
    let half = parts.resident_bytes.len() / 2;
    let low: u64 = parts.resident_bytes[..half].iter().sum();
    assert!(
        low > 7 * MIB && low <= resident(run, RegionKind::Bss),
        "the low half is the resident one: {parts:?}"
    );
}

#[test]
fn threads_have_stacks_and_arenas_while_the_program_exits() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let layout = of(&[], &program, &["threads"]);
    let run = &layout.runs[0];
    let open = |kind| regions(run, kind).iter().filter(|region| region.perms == "rw-p").count();
    assert_eq!((open(RegionKind::ThreadStack), run.threads_unseen), (3, 0), "{run:?}");
    if cfg!(target_env = "gnu") {
        assert_eq!(
            (open(RegionKind::Arena), bytes(run, RegionKind::Arena)),
            (3, 3 * 64 * MIB),
            "{run:?}"
        );
    }
}

#[test]
fn the_picture_is_taken_when_the_last_thread_exits() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let layout = of(&[], &program, &["leader"]);
    assert!(
        resident(&layout.runs[0], RegionKind::Mmap) >= 32 * MIB,
        "taken too early: {:?}",
        layout.runs[0]
    );
}

#[test]
fn after_exec_the_picture_is_of_the_last_program() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let path = program.to_str().unwrap();
    let chain =
        run(&["layout", "--json", "-", "--", "sh", "-c", &format!("exec {path} exec {path} bss")]);
    let layout = layout(&chain);
    assert_eq!(layout.program.path, path);
    assert!(resident(&layout.runs[0], RegionKind::Bss) > 7 * MIB);
}

#[test]
fn the_picture_is_taken_at_the_moment_asked_for() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let exec = of(&["--at", "exec"], &program, &["bss"]);
    let run = &exec.runs[0];
    assert_eq!(
        (run.at, regions(run, RegionKind::Heap).len()),
        (Moment::Exec, 0),
        "nothing has run"
    );
    assert!(
        run.regions
            .iter()
            .all(|region| region.path.as_ref().is_none_or(|path| !path.contains("libc.so")))
    );
    let early = of(&["--at", "1h"], &program, &["bss"]);
    assert_eq!(early.runs[0].at, Moment::Exit);
    assert!(
        early.notes.iter().any(|note| note.contains("exited before 3600 s had passed")),
        "{:?}",
        early.notes
    );
    let sleeping = layout(&crate::program::run(&[
        "layout", "--json", "-", "--at", "100ms", "--", "sleep", "0.3",
    ]));
    assert_eq!(sleeping.runs[0].at, Moment::Time);
    assert!(!regions(&sleeping.runs[0], RegionKind::Heap).is_empty());
}

#[test]
fn a_killed_program_has_a_picture_or_a_sentence() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let output = run(&["layout", "--", program.to_str().unwrap(), "kill"]);
    match output.status.code() {
        Some(0) => {
            assert!(text(&output.stdout).contains("killed by SIGKILL"), "{}", text(&output.stdout));
        }
        code => {
            assert_eq!(code, Some(1));
            assert!(text(&output.stderr).contains("SIGKILL"), "{}", text(&output.stderr));
        }
    }
}

#[test]
fn without_aslr_nothing_moves_and_no_gap_is_there() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let path = program.to_str().unwrap();
    let output = run(&["layout", "--aslr", "both", "--runs", "8", "--json", "-", "--", path]);
    if output.status.code() == Some(1) {
        return skip(&text(&output.stderr));
    }
    let layout = layout(&output);
    is_whole(&layout);
    assert_eq!((layout.runs.len(), layout.program.position_independent), (16, Some(true)));
    let without = layout.summary_without_aslr.expect("half of the runs");
    assert_eq!((without.heap_gap_bytes.max, without.heap_gap_bytes.distinct), (Some(0), 1));
    let bits = without.varying_bits;
    assert_eq!([bits.text, bits.heap, bits.mmap, bits.stack], [Some(0); 4]);
    if layout.kernel.randomize_va_space != Some(2) {
        return skip("the kernel does not place everything at random");
    }
    let bits = layout.summary.varying_bits;
    assert!(layout.summary.heap_gap_bytes.distinct > 4, "{:?}", layout.summary);
    assert!(
        [bits.text, bits.heap, bits.mmap, bits.stack]
            .iter()
            .all(|bits| bits.is_some_and(|bits| bits >= 4)),
        "{bits:?}"
    );
}

#[test]
fn programs_of_other_kinds() {
    let scratch = Scratch::new();
    let kinds: [(&str, &[&str], bool, bool); 3] = [
        ("fixed", &["-no-pie", "-fno-pie"], false, true),
        ("static", &["-static", "-no-pie"], false, false),
        ("static-pie", &["-static-pie"], true, false),
    ];
    for (name, flags, movable, dynamic) in kinds {
        let Some(program) = fixture_with("spaces", flags, scratch.file(name)) else { continue };
        let layout = of(&["--aslr", "on", "--runs", "4"], &program, &["bss"]);
        is_whole(&layout);
        let found = &layout.program;
        assert_eq!(
            (found.position_independent, found.dynamic),
            (Some(movable), Some(dynamic)),
            "{name}"
        );
        assert!(bytes(&layout.runs[0], RegionKind::Bss) >= 16 * MIB, "{name}");
        if !movable {
            assert_eq!(layout.summary.varying_bits.text, Some(0), "{name}");
            assert!(layout.runs.iter().all(|run| run.heap_gap_bytes.is_some()), "{name}");
        }
    }
}

/// A program of 32 bits without a C library: an exit, and a page of bss.
#[test]
fn a_narrow_program() {
    let scratch = Scratch::new();
    let (source, program) = (scratch.file("narrow.S"), scratch.file("narrow"));
    std::fs::write(
        &source,
        ".globl _start\n_start: movl $1, large\n movl $1, %eax\n movl $3, %ebx\n int \
         $0x80\n.bss\nlarge: .skip 65536\n",
    )
    .unwrap();
    let flags = ["-m32", "-nostdlib", "-static", "-no-pie", "-o"];
    let compiled = Command::new("cc").args(flags).arg(&program).arg(&source).output();
    if !cfg!(target_arch = "x86_64") || !compiled.is_ok_and(|output| output.status.success()) {
        return skip("no compiler for 32 bits");
    }
    let output = run(&["layout", "--json", "-", "--", program.to_str().unwrap()]);
    if output.status.code() == Some(126) {
        return skip("the kernel runs no 32-bit programs");
    }
    let layout = layout(&output);
    assert_eq!((layout.program.bits, layout.program.position_independent), (Some(32), Some(false)));
    let run = &layout.runs[0];
    assert!((65536..65536 + 2 * PAGE).contains(&bytes(run, RegionKind::Bss)), "{run:?}");
    assert!(
        !regions(run, RegionKind::Text).is_empty() && !regions(run, RegionKind::Stack).is_empty()
    );
}

#[test]
fn an_ordinary_user_gets_the_same() {
    if !is_root() {
        return; // every test here was that
    }
    let scratch = Scratch::new();
    let Some(fixture) = fixture("spaces", &scratch) else { return };
    let program = open_copy(&scratch);
    let output = as_nobody(&program)
        .args(["layout", "--json", "-", "--"])
        .arg(&fixture)
        .arg("threads")
        .output();
    let Ok(output) = output else { return skip("no setpriv") };
    let layout = layout(&output);
    let run = &layout.runs[0];
    assert!(
        resident(run, RegionKind::Text) > 0 && regions(run, RegionKind::ThreadStack).len() >= 3,
        "{run:?}"
    );
    let privileged = copied(&fixture, scratch.file("privileged"));
    std::fs::set_permissions(&privileged, std::os::unix::fs::PermissionsExt::from_mode(0o4755))
        .unwrap();
    let output = as_nobody(&program)
        .args(["layout", "--aslr", "off", "--runs", "2", "--json", "-", "--"])
        .arg(&privileged)
        .output()
        .unwrap();
    if output.status.code() != Some(1) {
        let layout = self::layout(&output);
        assert!(
            layout.notes.iter().any(|note| note.contains("without that privilege")),
            "{:?}",
            layout.notes
        );
        let moved = layout.runs[0].regions[0].start != layout.runs[1].regions[0].start;
        assert!(
            !moved || layout.runs.iter().all(|run| run.aslr == Some(true)),
            "off is said of what moves"
        );
    }
    let unreadable = copied(&fixture, scratch.file("unreadable"));
    std::fs::set_permissions(&unreadable, std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .unwrap();
    let output = as_nobody(&program).args(["layout", "--"]).arg(&unreadable).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sentence = text(&output.stderr);
    assert!(
        sentence.contains("unreadable: ran") && sentence.contains("may not be read"),
        "{sentence}"
    );
    let other = as_nobody(&program).args(["layout", "-p", "1"]).output().unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("sudo"), "{}", text(&other.stderr));
}

#[test]
fn screen_and_picture_are_written() {
    let scratch = Scratch::new();
    let (svg, json) = (scratch.file("l.svg"), scratch.file("l.json"));
    let files = ["--svg", svg.to_str().unwrap(), "--json", json.to_str().unwrap()];
    let output = run(&[&["layout"], &files[..], &["--", "true"]].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    let screen = text(&output.stdout);
    assert!(screen.is_ascii() && screen.contains("\nNext: firsttouch layout"), "{screen}");
    let layout = results::read_layout(std::fs::File::open(&json).unwrap()).unwrap();
    for region in layout.runs[0].regions.iter().filter(|region| region.kind == RegionKind::Text) {
        assert!(screen.contains(&region.start.to_string()), "{region:?}\n{screen}");
    }
    let svg = std::fs::read_to_string(&svg).unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("role=\"img\""),
        "{svg}"
    );
    assert!(!svg.contains("<script") && !svg.contains("href"), "{svg}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let script =
        format!("{PROGRAM} layout -- true | true; {PROGRAM} layout --json - -- true | true");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

/// The exit status of the program is not passed on.
#[test]
fn the_output_of_the_program_is_passed_on() {
    let output = run(&["layout", "--", "sh", "-c", "echo spoken; exit 5"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("spoken\n"));
    let several = run(&["layout", "--runs", "2", "--", "sh", "-c", "echo spoken; cat"]);
    assert!(!text(&several.stdout).contains("spoken\n"), "{}", text(&several.stdout));
}
