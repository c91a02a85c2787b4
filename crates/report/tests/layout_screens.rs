//! The screens and the picture of an address space, from injected ones.

use results::layout::{
    Address, Bits, Gaps, Kernel, Layout, LayoutRun, LayoutSummary, Moment, Parts, ProgramFile,
    Region, RegionKind, SCHEMA, Spans,
};

const MIB: u64 = 1 << 20;

fn region(
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
        threads_unseen: 0,
        regions,
    }
}

fn layout(runs: Vec<LayoutRun>) -> Layout {
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

fn one() -> Layout {
    layout(vec![run(0x55d0_c000_0000, 412 * MIB, true)])
}

fn both() -> Layout {
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

fn plain(layout: &Layout, width: Option<usize>, most: Option<usize>) -> String {
    let screen = anstream::adapter::strip_str(&report::layout_screen(
        layout,
        report::View::verbose(width),
        most,
    ))
    .to_string();
    let widest = screen.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(width.is_none_or(|width| widest <= width), "{widest} columns:\n{screen}");
    assert!(screen.is_ascii(), "{screen}");
    screen
}

#[test]
fn a_picture_at_80_columns() {
    insta::assert_snapshot!(plain(&one(), Some(80), Some(8)));
}

#[test]
fn a_picture_at_120_columns() {
    insta::assert_snapshot!(plain(&one(), Some(120), Some(8)));
}

#[test]
fn several_runs_at_80_columns() {
    insta::assert_snapshot!(plain(&both(), Some(80), Some(4)));
}

#[test]
fn several_runs_at_120_columns() {
    insta::assert_snapshot!(plain(&both(), Some(120), Some(4)));
}

#[test]
fn a_pipe_has_every_place() {
    let screen = plain(&one(), None, None);
    for region in &one().runs[0].regions {
        let inner = region.kind == RegionKind::Arena || region.kind == RegionKind::ThreadStack;
        assert!(inner || screen.contains(&region.start.to_string()), "{region:?}\n{screen}");
    }
    assert!(screen.contains("\\u{1b}[2J"), "names are inert: {screen}");
}

#[test]
fn a_pipe_cuts_no_name_and_wraps_what_is_prose() {
    let mut long = both();
    let name = format!("lib{}.so", "x".repeat(100));
    long.runs[1].regions[10].kind = RegionKind::File;
    long.runs[1].regions[10].path = Some(format!("/lib/{name}"));
    long.notes.push("this is a note of many words ".repeat(9));
    let screen = plain(&long, None, None);
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
    long.runs[0].regions[10].kind = RegionKind::File;
    long.runs[0].regions[10].path = Some(format!("/lib/{name}"));
    long.runs[0].regions[10].huge_bytes = 0;
    assert!(plain(&long, Some(120), None).contains(name));
    let narrow = plain(&long, Some(80), None);
    assert!(narrow.contains("_struct.cpython-31.. ") && !narrow.contains(name), "{narrow}");
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
    let screen = report::layout_screen(&short, report::View::verbose(Some(80)), None);
    let line = screen.lines().find(|line| line.contains(".so")).unwrap();
    assert!(line.contains(".so              1 MiB"), "a wide letter has two columns: {line}");
}

/// The size column of a line of the screen, in bytes.
fn size_of(line: &str) -> Option<f64> {
    let words: Vec<&str> = line.get(34..)?.split_whitespace().collect();
    let unit = ["B", "KiB", "MiB", "GiB"].iter().position(|unit| words.get(1) == Some(unit))?;
    Some(words[0].replace(',', "").parse::<f64>().ok()? * 1024_f64.powi(i32::try_from(unit).ok()?))
}

#[test]
fn folding_loses_no_byte() {
    let total = |most| plain(&one(), Some(100), most).lines().filter_map(size_of).sum::<f64>();
    let whole = total(None);
    assert!(whole > 200e6);
    for most in 1..36 {
        // Sums are printed with three digits.
        assert!(
            (total(Some(most)) / whole - 1.0).abs() < 0.003,
            "{most}: {} of {whole}",
            total(Some(most))
        );
    }
    let folded = plain(&one(), Some(100), Some(4));
    assert!(folded.contains("other (30)"), "{folded}");
}

#[test]
fn narrow_and_empty_ones_are_printed_all_the_same() {
    for width in [1, 20, 60] {
        let _ = report::layout_screen(&both(), report::View::verbose(Some(width)), Some(3));
    }
    assert_eq!(
        report::layout_screen(&Layout::default(), report::View::verbose(Some(80)), None),
        ""
    );
    let empty = layout(vec![LayoutRun::default()]);
    assert!(plain(&empty, Some(80), None).contains("Next"));
    assert!(
        report::layout_svg(&empty).ends_with("</svg>\n")
            && report::layout_svg(&Layout::default()).contains("<svg")
    );
}

#[test]
fn the_drawing_is_whole_and_inert() {
    let mut hostile = both();
    hostile.program.path = "/a/<script>alert(1)<&\"\u{1b}\u{ffff}".to_owned();
    let svg = report::layout_svg(&hostile);
    for expect in [
        "role=\"img\"",
        "<title id=\"title-4121\">",
        "<desc id=\"desc-4121\">",
        "prefers-color-scheme:dark",
    ] {
        assert!(svg.contains(expect), "{expect}");
    }
    assert!(
        !svg.contains("<script")
            && !svg.contains("http://a")
            && !svg.contains(['\u{1b}', '\u{ffff}'])
    );
    assert!(svg.contains("&lt;script&gt;alert(1)&lt;&amp;&quot;\\u{1b}\u{fffd}</title>"));
    assert!(
        svg.contains("no gap between bss and heap")
            && svg
                .contains("412 MiB gap between bss and heap (varies in 17 bits or more, 64 runs)")
    );
    assert_eq!(svg, report::layout_svg(&hostile), "the same input, the same bytes");
    // Every tag that is opened is closed.
    for tag in ["svg", "title", "desc", "style", "text"] {
        let (open, closed) =
            (svg.matches(&format!("<{tag}")).count(), svg.matches(&format!("</{tag}>")).count());
        assert_eq!(open, closed, "{tag}");
    }
}

/// A text of the drawing: its ends and its base, in pixels, by the widths of letters of common
/// fonts.
struct Words {
    start: f64,
    end: f64,
    base: f64,
    text: String,
}

fn words_of(svg: &str) -> Vec<Words> {
    let number = |tag: &str, name: &str| -> f64 {
        let value = tag.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        value.parse().unwrap()
    };
    let each = svg.split("<text ").skip(1).map(|rest| {
        let (tag, rest) = rest.split_once('>').unwrap();
        let text = rest
            .split("</text>")
            .next()
            .unwrap()
            .replace("&lt;", "<")
            .replace("&amp;", "&")
            .replace("&quot;", "\"");
        let letter = match tag {
            _ if tag.contains("title") => 11.5,
            _ if tag.contains("mono") => 6.7,
            _ if tag.contains("quiet") => 6.2,
            _ => 6.8,
        };
        let tag = format!(" {tag}");
        let (x, length) = (number(&tag, "x"), letter * text.chars().count() as f64);
        let start = if tag.contains("text-anchor") { x - length } else { x };
        Words { start, end: start + length, base: number(&tag, "y"), text }
    });
    each.collect()
}

#[test]
fn words_of_the_drawing_fit_and_do_not_overlap() {
    let mut long = both();
    for region in long.runs.iter_mut().flat_map(|run| &mut run.regions) {
        region.path = region.path.as_ref().map(|path| format!("{path}{}", "W".repeat(60)));
    }
    long.program.path = format!("/a/{}", "W".repeat(200));
    long.program.position_independent = Some(false);
    long.version = "10.20.30".to_owned();
    for drawn in [one(), both(), long] {
        let svg = report::layout_svg(&drawn);
        let width: f64 =
            svg.split(" width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        let words = words_of(&svg);
        assert!(words.len() > 60, "{}", words.len());
        for one in &words {
            assert!(one.start >= 0.0 && one.end <= width, "{} of {width}: {}", one.end, one.text);
            let beside =
                |other: &&Words| (other.base - one.base).abs() < 8.0 && !std::ptr::eq(*other, one);
            for other in words.iter().filter(beside) {
                assert!(
                    one.end <= other.start || other.end <= one.start,
                    "{:?} over {:?}",
                    one.text,
                    other.text
                );
            }
        }
    }
}

#[test]
fn the_drawing_is_to_scale() {
    let svg = report::layout_svg(&one());
    // The upright frames of heap and bss, which are the largest of their areas: the others have two
    // pixels.
    let heights = svg
        .lines()
        .filter(|line| line.contains("class=\"frame\"") && line.contains("width=\"72.00\""));
    let height = |line: &str| -> f64 {
        line.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    let heights: Vec<f64> = heights.map(height).collect();
    let [.., heap, bss] = heights[..] else { panic!("{heights:?}") };
    assert!((heap - 44.0).abs() < 0.1, "{heights:?}");
    assert!((bss - (100.0 - 4.0 * 2.0)).abs() < 0.1, "{heights:?}");
    // Of the mmap area: 100 MiB, a thread's stack of 8 MiB, and an arena of 64 MiB.
    let per_mib: Vec<f64> =
        heights[1..4].iter().zip([100.0, 8.0, 64.0]).map(|(height, mib)| height / mib).collect();
    assert!(per_mib.iter().all(|one| (one / per_mib[0] - 1.0).abs() < 0.01), "{heights:?}");
}

#[test]
fn the_legend_tells_what_is_drawn_and_no_more() {
    let svg = report::layout_svg(&one());
    for words in [
        "the program",
        "heap",
        "libraries and files",
        "anonymous, arenas",
        "resident",
        "not resident",
        "no access",
    ] {
        assert!(svg.contains(&format!(">{words}</text>")), "{words}");
    }
    let few = layout(vec![LayoutRun {
        regions: vec![region(0x7000_0000_0000, MIB, "rw-p", RegionKind::Heap, None, 0)],
        ..LayoutRun::default()
    }]);
    let svg = report::layout_svg(&few);
    assert!(
        svg.contains(">heap</text>")
            && !svg.contains(">no access</text>")
            && !svg.contains(">the program</text>")
    );
}
