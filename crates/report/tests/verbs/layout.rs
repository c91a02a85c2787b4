//! The screens of an address space, from injected ones.

use report::View;
use results::layout::{
    Address, Bits, Cost, Gaps, Kernel, Layout, LayoutRun, LayoutSummary, Moment, Parts,
    ProgramFile, Region, RegionKind, SCHEMA, Spans,
};

use crate::{plain, snapshots};

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) fn region(
    start: u64,
    bytes: u64,
    perms: &str,
    kind: RegionKind,
    path: Option<&str>,
    resident_bytes: u64,
) -> Region {
    let part_bytes = bytes.div_ceil(64).next_multiple_of(4096);
    let left = |number: u64| resident_bytes.saturating_sub(number * part_bytes).min(part_bytes);
    Region {
        start: Address(start),
        end: Address(start + bytes),
        perms: perms.to_owned(),
        kind,
        path: path.map(str::to_owned),
        resident_bytes,
        huge_bytes: 0,
        parts: Some(Parts {
            part_bytes,
            resident_bytes: (0..bytes.div_ceil(part_bytes)).map(left).collect(),
        }),
    }
}

/// A program at `base` with its heap `gap` bytes behind its bss, some libraries, and a thread.
fn run(base: u64, gap: u64, aslr: bool) -> LayoutRun {
    let mut regions = vec![
        region(base, 0x2000, "r--p", RegionKind::Rodata, Some("/app"), 0x2000),
        region(base + 0x2000, 0x5000, "r-xp", RegionKind::Text, Some("/app"), 0x5000),
        region(base + 0x7000, 0x2000, "r--p", RegionKind::Rodata, Some("/app"), 0),
        region(base + 0x9000, 0x1000, "rw-p", RegionKind::Data, Some("/app"), 0x1000),
        region(base + 0xa000, 16 * MIB, "rw-p", RegionKind::Bss, None, 8 * MIB),
        region(base + 0xa000 + 16 * MIB + gap, 33 * MIB, "rw-p", RegionKind::Heap, None, 20 * MIB),
    ];
    let high = 0x7f1c_0000_0000;
    regions.push(region(high, 0x21000, "rw-p", RegionKind::Arena, None, 0x2000));
    regions.push(region(high + 0x21000, 64 * MIB - 0x21000, "---p", RegionKind::Arena, None, 0));
    let stack = high + 100 * MIB;
    regions.push(region(stack - 4096, 4096, "---p", RegionKind::ThreadStack, None, 0));
    regions.push(region(stack, 8 * MIB, "rw-p", RegionKind::ThreadStack, None, 0x3000));
    let mut huge = region(high + 200 * MIB, 100 * MIB, "rw-p", RegionKind::Mmap, None, 60 * MIB);
    huge.huge_bytes = 20 * MIB;
    regions.push(huge);
    for number in 0..30 {
        let start = high + 300 * MIB + number * 0x4000;
        let path = format!("/usr/lib/x86_64-linux-gnu/libnumber{number}.so");
        regions.push(region(start, 0x3000, "r-xp", RegionKind::File, Some(&path), 0x3000));
    }
    regions.push(region(
        high + 400 * MIB,
        2 * MIB,
        "r-xp",
        RegionKind::File,
        Some("/lib/li\u{1b}[2Jbc.so.6"),
        MIB,
    ));
    regions.push(region(0x7ffd_0000_0000, 0x21000, "rw-p", RegionKind::Stack, None, 0x4000));
    regions.push(region(0xffff_ffff_ff60_0000, 0x1000, "--xp", RegionKind::Vsyscall, None, 0));
    LayoutRun {
        aslr: Some(aslr),
        pid: 4121,
        at: Moment::Exit,
        heap_gap_bytes: Some(gap),
        bss_end: Some(Address(base + 0xa000 + 16 * MIB - 8)),
        program_break: Some(Address(base + 0xa000 + 49 * MIB + gap)),
        peak_resident_bytes: Some(640 << 20),
        cost: Cost {
            page_tables_bytes: Some(308 << 10),
            accounted_bytes: Some(157 * MIB),
            mappings: 44,
            mappings_max: Some(65_530),
            address_space_bytes: Some(224 * MIB),
            address_space_max_bytes: None,
            commit_left_bytes: None,
        },
        threads_unseen: 0,
        regions,
    }
}

pub(crate) fn layout(runs: Vec<LayoutRun>) -> Layout {
    Layout {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        program: ProgramFile {
            command: vec!["./app".to_owned(), "data.bin".to_owned()],
            path: "/home/me/app".to_owned(),
            bits: Some(64),
            position_independent: Some(true),
            dynamic: Some(true),
        },
        kernel: Kernel {
            release: "6.18.44".to_owned(),
            architecture: "x86_64".to_owned(),
            randomize_va_space: Some(2),
            configured_bits: Bits {
                stack: Some(22),
                heap: Some(18),
                heap_gap: Some(18),
                ..Bits::default()
            },
        },
        runs,
        ..Layout::default()
    }
}

pub(crate) fn one() -> Layout {
    layout(vec![run(0x55d0_c000_0000, 412 * MIB, true)])
}

pub(crate) fn both() -> Layout {
    let runs = vec![run(0x5555_5555_4000, 0, false), run(0x55d0_c000_0000, 412 * MIB, true)];
    let span = |low, high| Some((Address(low), Address(high)));
    let gaps =
        |min, max, distinct| Gaps { min: Some(min), median: Some(max), max: Some(max), distinct };
    Layout {
        summary: LayoutSummary {
            runs: 64,
            heap_gap_bytes: gaps(3 * MIB, 1000 * MIB, 64),
            varying_bits: Bits {
                text: Some(28),
                heap_gap: Some(17),
                stack: Some(22),
                ..Bits::default()
            },
            spans: Spans {
                text: span(0x55d0_c000_2000, 0x5650_c000_2000),
                stack: span(0x7ffc_0000_0000, 0x7fff_f000_0000),
                ..Spans::default()
            },
        },
        summary_without_aslr: Some(LayoutSummary {
            runs: 64,
            heap_gap_bytes: gaps(0, 0, 1),
            varying_bits: Bits::default(),
            spans: Spans { text: span(0x5555_5555_6000, 0x5555_5555_6000), ..Spans::default() },
        }),
        notes: vec![
            "/usr/bin/app has a set-user-ID bit: being traced, it ran without that privilege"
                .to_owned(),
        ],
        ..layout(runs)
    }
}

fn shown(layout: &Layout, view: View, all: bool) -> String {
    let screen = plain(&report::layout_screen(layout, view, all), view);
    assert!(screen.is_ascii(), "{screen}");
    screen
}

#[test]
fn a_picture_in_every_view() {
    snapshots("layout", |view| report::layout_screen(&one(), view, false));
}

#[test]
fn several_runs_in_every_view() {
    snapshots("layout_runs", |view| report::layout_screen(&both(), view, false));
}

#[test]
fn near_a_limit_a_note_says_what_ends_there() {
    let head = |change: fn(&mut Cost), view| {
        let mut layout = one();
        change(&mut layout.runs[0].cost);
        let screen = plain(&report::layout_screen(&layout, view, false), view);
        screen.split("\n\n").next().unwrap().to_owned()
    };
    let pipe = View::brief(None);
    assert!(!head(|_| (), pipe).contains("note "));
    let line = "page tables 308 KiB, accounted 157 MiB, 44 of 65,530 mappings, address space";
    assert!(head(|_| (), pipe).contains(&format!("\n    {line} unlimited\n")));
    for (change, words) in [
        (
            (|cost| cost.mappings = 58_977) as fn(&mut Cost),
            &["58,977 of 65,530 mappings, ", "note 58,977 of 65,530", "vm.max_map_count"][..],
        ),
        (
            |cost| cost.address_space_max_bytes = Some(225 * MIB),
            &["address space 224 MiB of 225 MiB\n", "note ", "ulimit -v"],
        ),
        (|cost| cost.commit_left_bytes = Some(157 * MIB), &["note accounted 157 MiB", "fork"]),
        (
            |cost| cost.page_tables_bytes = Some(27 << 30),
            &["page tables 27 GiB,", "note 27 GiB of page tables are in no resident size"],
        ),
    ] {
        let head = head(change, pipe);
        assert!(words.iter().all(|word| head.contains(word)), "{words:?} in\n{head}");
        assert_eq!(head.matches("note ").count(), 1, "{head}");
    }
    for change in [
        (|cost| cost.mappings = 58_976) as fn(&mut Cost),
        |cost| cost.address_space_max_bytes = Some(250 * MIB),
        |cost| cost.commit_left_bytes = Some(175 * MIB),
        |cost| cost.page_tables_bytes = Some(8 * MIB),
    ] {
        assert!(!head(change, pipe).contains("note "), "{}", head(change, pipe));
    }
    let unread = head(|cost| cost.accounted_bytes = None, pipe);
    assert!(unread.contains(", accounted not read, 44 of"), "{unread}");
    let unknown = head(|cost| *cost = Cost { mappings: 1, ..Cost::default() }, pipe);
    assert!(unknown.contains("\n    accounted not read, 1 mapping\n"), "{unknown}");
}

#[test]
fn every_place_is_shown_with_v_and_if_all_are_asked_for() {
    for (view, all) in [(View::verbose(None), false), (View::brief(None), true)] {
        let screen = shown(&one(), view, all);
        for region in &one().runs[0].regions {
            let inner = [RegionKind::Arena, RegionKind::ThreadStack].contains(&region.kind);
            let drawn = region.kind != RegionKind::Vsyscall;
            let found = screen.contains(&region.start.to_string());
            assert!(inner || !drawn || found, "{region:?}\n{screen}");
        }
        assert!(screen.contains("\\u{1b}[2J"), "names are inert: {screen}");
    }
}

#[test]
fn a_pipe_cuts_no_name_and_wraps_what_is_prose() {
    let mut long = both();
    let name = format!("lib{}.so", "x".repeat(100));
    long.runs[1].regions[10].kind = RegionKind::File;
    long.runs[1].regions[10].path = Some(format!("/lib/{name}"));
    long.notes.push("this is a note of many words ".repeat(9));
    let screen = shown(&long, View::brief(None), false);
    assert!(screen.contains(&name), "{screen}");
    for line in screen.lines().filter(|line| line.chars().count() > 100) {
        let is_data = line.starts_with("0x") || line.contains("letter = ");
        assert!(is_data, "{line}");
    }
}

#[test]
fn names_take_the_room_there_is() {
    let mut long = one();
    let name = "_struct.cpython-311-x86_64-linux-gnu.so";
    let huge = &mut long.runs[0].regions[10];
    (huge.kind, huge.path, huge.huge_bytes) = (RegionKind::File, Some(format!("/lib/{name}")), 0);
    assert!(shown(&long, View::brief(Some(120)), false).contains(name));
    let narrow = shown(&long, View::brief(Some(80)), false);
    assert!(narrow.contains("_struct.cpython-31.. ") && !narrow.contains(name), "{narrow}");
    let whole = shown(&long, View::verbose(Some(80)), false);
    assert!(whole.contains("..86_64-linux-gnu.so "), "of a path its end is kept:\n{whole}");
    let short = layout(vec![LayoutRun {
        regions: vec![region(
            0x7000_0000_0000,
            MIB,
            "rw-p",
            RegionKind::File,
            Some("/\u{4e2d}\u{6587}.so"),
            0,
        )],
        ..LayoutRun::default()
    }]);
    let screen = report::layout_screen(&short, View::brief(Some(80)), false);
    let line = screen.lines().find(|line| line.contains(".so")).unwrap();
    assert!(line.contains(".so              1 MiB"), "a wide letter has two columns: {line}");
}

#[test]
fn a_file_has_its_path_where_another_has_its_name() {
    let mut twins = one();
    let files = twins.runs[0].regions.iter_mut().filter(|region| region.kind == RegionKind::File);
    for (region, path) in files.zip(["/usr/lib/libtwin.so", "/opt/libtwin.so", "/lib/libother.so"])
    {
        region.path = Some(path.to_owned());
    }
    let screen = shown(&twins, View::brief(Some(120)), true);
    for name in ["  /usr/lib/libtwin.so ", "  /opt/libtwin.so ", "  libother.so "] {
        assert!(screen.contains(name), "{name} in\n{screen}");
    }
    assert!(shown(&twins, View::verbose(Some(120)), true).contains("  /lib/libother.so "));
}

/// The size column of a line of the screen, in bytes.
fn size_of(line: &str) -> Option<f64> {
    let words: Vec<&str> = line.get(34..)?.split_whitespace().collect();
    let unit = ["B", "KiB", "MiB", "GiB"].iter().position(|unit| words.get(1) == Some(unit))?;
    Some(words[0].replace(',', "").parse::<f64>().ok()? * 1024_f64.powi(i32::try_from(unit).ok()?))
}

#[test]
fn folding_loses_no_byte() {
    let total = |screen: &str| {
        anstream::adapter::strip_str(screen).to_string().lines().filter_map(size_of).sum::<f64>()
    };
    let whole = total(&report::layout_screen(&one(), View::brief(Some(100)), true));
    assert!(whole > 200e6);
    let folded = shown(&one(), View::brief(Some(100)), false);
    assert!(folded.contains("other  21 libraries "), "{folded}");
    // Sums are printed with three digits.
    let is_whole = |screen: &str| (total(screen) / whole - 1.0).abs() < 0.003;
    assert!(is_whole(&folded), "{} of {whole}", total(&folded));
    for most in 1..70 {
        let frame = report::layout_frame(&one(), 100, most);
        assert!(is_whole(&frame), "{most}: {} of {whole}", total(&frame));
    }
}

#[test]
fn a_sum_stands_for_several_places() {
    let mut eleven = one();
    let mut files = 0;
    eleven.runs[0].regions.retain(|region| {
        files += usize::from(region.kind == RegionKind::File);
        region.kind != RegionKind::File || files <= 11
    });
    let screen = shown(&eleven, View::brief(Some(100)), false);
    assert!(!screen.contains(" other "), "{screen}");
}

#[test]
fn narrow_and_empty_ones_are_printed_all_the_same() {
    for width in [1, 20, 60] {
        let _ = report::layout_screen(&both(), View::verbose(Some(width)), true);
        let _ = report::layout_screen(&both(), View::brief(Some(width)), false);
    }
    assert_eq!(report::layout_screen(&Layout::default(), View::brief(Some(80)), false), "");
    let empty = layout(vec![LayoutRun::default()]);
    assert!(shown(&empty, View::brief(Some(80)), false).contains("Next"));
    assert!(
        report::layout_svg(&empty).ends_with("</svg>\n")
            && report::layout_svg(&Layout::default()).contains("<svg")
    );
}

#[test]
fn the_next_command_can_be_typed() {
    let mut layout = layout(vec![LayoutRun::default()]);
    let mut next = |words: &[&str]| {
        layout.program.command = words.iter().map(|&word| word.to_owned()).collect();
        let screen = shown(&layout, View::brief(None), false);
        screen.lines().find(|line| line.starts_with("Next: ")).unwrap_or_default().to_owned()
    };
    let many = ["x"; 60];
    for (words, expect) in [
        (&["./my prog", "it's"][..], r"firsttouch layout --aslr both -- './my prog' 'it'\''s'    "),
        (
            &[&["./my prog"], &many[..]].concat(),
            "firsttouch layout --aslr both -- './my prog' ...  ",
        ),
        (&["./a\u{1b}[1m"], r"firsttouch layout --aslr both -- $'./a\033[1m'    "),
        (&["./\u{fffd}"], "--aslr both before the same command    "),
    ] {
        let said = next(words);
        assert!(said.starts_with(&format!("Next: {expect}")), "{said}");
    }
}
