//! Layouts from hand-made snapshots.

use events::snapshot::{Image, MappedRange, Segment, Snapshot};
use results::layout::{Address, Bits, LayoutRun, Moment, Region, RegionKind};

use super::*;

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;

fn range(start: u64, end: u64, permissions: &str, file: u32, name: &str) -> MappedRange {
    MappedRange {
        start,
        end,
        permissions: permissions.to_owned(),
        file,
        name: name.to_owned(),
        resident: Some(Vec::new()),
        ..MappedRange::default()
    }
}

fn segment(
    address: u64,
    offset_bytes: u64,
    file_bytes: u64,
    memory_bytes: u64,
    flags: &str,
) -> Segment {
    Segment {
        address,
        offset_bytes,
        file_bytes,
        memory_bytes,
        executable: flags.contains('x'),
        writable: flags.contains('w'),
    }
}

/// A program with 1 page of headers, 1 of code, 1 of constants, 1 of data and 3 of bss, the last
/// page partly used.
fn image(file: u32, entry: u64) -> Image {
    let segments = vec![
        segment(0, 0, 0x800, 0x800, "r"),
        segment(0x1000, 0x1000, 0x400, 0x400, "rx"),
        segment(0x2000, 0x2000, 0x100, 0x100, "r"),
        segment(0x3d00, 0x2d00, 0x200, 0x3200, "rw"),
    ];
    Image { file, bits: 64, fixed: false, interpreted: true, entry, segments }
}

const BASE: u64 = 0x5555_5555_4000;
const LIBRARY: u64 = 0x7fff_f7d0_0000;

/// The program at `BASE`, its heap `gap` bytes behind its bss, and a library.
fn space(gap: u64) -> Snapshot {
    let end = BASE + 0x7000;
    let mut ranges = vec![
        range(BASE, BASE + 0x1000, "r--p", 1, "/app"),
        range(BASE + 0x1000, BASE + 0x2000, "r-xp", 1, "/app"),
        range(BASE + 0x2000, BASE + 0x3000, "r--p", 1, "/app"),
        range(BASE + 0x3000, BASE + 0x4000, "rw-p", 1, "/app"),
    ];
    if gap == 0 {
        let mut both = range(BASE + 0x4000, end + 0x21000, "rw-p", 0, "[heap]");
        both.resident = Some(vec![(BASE + 0x5000, BASE + 0x6000), (end, end + 0x2000)]);
        both.resident_bytes = 0x3000;
        ranges.push(both);
    } else {
        ranges.push(range(BASE + 0x4000, end, "rw-p", 0, ""));
        ranges.push(range(end + gap, end + gap + 0x21000, "rw-p", 0, "[heap]"));
    }
    ranges.extend([
        range(LIBRARY, LIBRARY + 0x1000, "r--p", 2, "/libc.so"),
        range(LIBRARY + 0x1000, LIBRARY + 0x2000, "r-xp", 2, "/libc.so"),
        range(LIBRARY + 0x2000, LIBRARY + 0x3000, "r--p", 2, "/libc.so"),
        range(LIBRARY + 0x3000, LIBRARY + 0x4000, "rw-p", 2, "/libc.so"),
        range(LIBRARY + 0x4000, LIBRARY + 0x9000, "rw-p", 0, ""),
        range(0x7fff_f7fc_1000, 0x7fff_f7fc_5000, "r--p", 0, "[vvar]"),
        range(0x7fff_f7fc_5000, 0x7fff_f7fc_7000, "r-xp", 0, "[vdso]"),
        range(0x7fff_fffd_e000, 0x7fff_ffff_f000, "rw-p", 0, "[stack]"),
        range(0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000, "--xp", 0, "[vsyscall]"),
    ]);
    Snapshot {
        pid: 9,
        program: "/app".to_owned(),
        page_bytes: PAGE,
        ranges,
        images: vec![image(1, 0x1040), image(2, 0)],
        entry: Some(BASE + 0x1040),
        ..Snapshot::default()
    }
}

fn explained(space: &Snapshot) -> LayoutRun {
    run(space, Some(true), Moment::Exit, Detail::Parts(8))
}

fn kinds(run: &LayoutRun) -> Vec<RegionKind> {
    run.regions.iter().map(|region| region.kind).collect()
}

/// Asserts that the regions cover the mappings exactly, without overlap.
fn covers(space: &Snapshot, run: &LayoutRun) {
    let total: u64 = space.ranges.iter().map(|range| range.end - range.start).sum();
    assert_eq!(run.mapped_bytes(), total);
    assert!(run.regions.windows(2).all(|pair| pair[0].end <= pair[1].start));
}

#[test]
fn every_part_has_its_kind() {
    use RegionKind::{Bss, Data, File, Heap, Mmap, Rodata, Stack, Text, Vdso, Vsyscall, Vvar};
    let space = space(100 * MIB);
    let run = explained(&space);
    covers(&space, &run);
    let expect = [
        Rodata, Text, Rodata, Data, Bss, Heap, File, File, File, File, File, Mmap, Vvar, Vdso,
        Stack, Vsyscall,
    ];
    assert_eq!(kinds(&run), expect);
    // Three pages of the library's bss, followed by another mapping.
    let own = &run.regions[10];
    assert_eq!((own.path.as_deref(), own.bytes()), (Some("/libc.so"), 0x3000));
    assert_eq!(run.heap_gap_bytes, Some(100 * MIB));
    assert_eq!(run.bss_end, Some(Address(BASE + 0x3d00 + 0x3200)));
    assert_eq!(run.program_break, Some(Address(BASE + 0x7000 + 100 * MIB + 0x21000)));
}

#[test]
fn without_a_gap_bss_and_heap_are_split() {
    let space = space(0);
    let run = explained(&space);
    covers(&space, &run);
    let of = |kind| run.regions.iter().find(|region: &&Region| region.kind == kind).unwrap();
    assert_eq!((of(RegionKind::Bss).bytes(), of(RegionKind::Bss).resident_bytes), (0x3000, 0x1000));
    assert_eq!(
        (of(RegionKind::Heap).start, of(RegionKind::Heap).resident_bytes),
        (Address(BASE + 0x7000), 0x2000)
    );
    assert_eq!(run.heap_gap_bytes, Some(0));
    let parts = of(RegionKind::Heap).parts.clone().unwrap();
    assert_eq!(parts.resident_bytes.iter().sum::<u64>(), 0x2000);
    assert!(parts.resident_bytes.len() <= 8);
}

/// With an executable stack, a 32-bit program's constants are executable too (`READ_IMPLIES_EXEC`),
/// and lie in one mapping with its code.
#[test]
fn executable_constants_are_not_text() {
    let mut space = space(MIB);
    space.ranges.splice(0..3, [range(BASE, BASE + 0x3000, "r-xp", 1, "/app")]);
    let run = explained(&space);
    covers(&space, &run);
    assert_eq!(kinds(&run)[..3], [RegionKind::Rodata, RegionKind::Text, RegionKind::Rodata]);
}

#[test]
fn without_an_adjacent_heap_there_is_no_gap() {
    let mut between = space(100 * MIB);
    between.ranges.insert(5, range(BASE + MIB, BASE + 2 * MIB, "rw-p", 0, ""));
    assert_eq!(explained(&between).heap_gap_bytes, None, "another mapping lies between");
    let mut none = space(100 * MIB);
    none.ranges.retain(|range| range.name != "[heap]");
    assert_eq!(explained(&none).heap_gap_bytes, None, "no heap");
    let mut below = space(100 * MIB);
    below.ranges.retain(|range| range.name != "[heap]");
    below.ranges.insert(0, range(0x1000, 0x3000, "rw-p", 0, "[heap]"));
    assert_eq!(explained(&below).heap_gap_bytes, None, "the heap is below");
    let mut unknown = space(100 * MIB);
    unknown.images.clear();
    let run = explained(&unknown);
    assert_eq!(
        (run.heap_gap_bytes, run.regions[0].kind),
        (None, RegionKind::File),
        "the program is unknown"
    );
}

#[test]
fn a_wrong_header_does_not_panic() {
    for entry in [0, 1, u64::MAX, BASE] {
        let mut hostile = space(0);
        hostile.entry = Some(entry);
        covers(&hostile, &explained(&hostile));
    }
    for value in [0, 1, u64::MAX, u64::MAX - 4095, 1 << 47] {
        for field in 0..4 {
            let mut hostile = space(100 * MIB);
            let segment = &mut hostile.images[0].segments[3];
            *[
                &mut segment.address,
                &mut segment.offset_bytes,
                &mut segment.file_bytes,
                &mut segment.memory_bytes,
            ][field] = value;
            covers(&hostile, &explained(&hostile));
        }
    }
}

#[test]
fn arenas_and_thread_stacks_are_recognised() {
    let mut space = space(MIB);
    let arena = 0x7fff_e800_0000;
    let stack = 0x7fff_f700_0000;
    let mut added = vec![
        range(arena, arena + 0x21000, "rw-p", 0, ""),
        // The reservation, and another mapping without access behind it.
        range(arena + 0x21000, arena + 65 * MIB, "---p", 0, ""),
        range(stack - PAGE, stack, "---p", 0, ""),
        range(stack, stack + 8 * MIB, "rw-p", 0, ""),
    ];
    let at = space.ranges.iter().position(|range| range.file == 2).unwrap();
    added.reverse();
    for range in added {
        space.ranges.insert(at, range);
    }
    space.stack_pointers = vec![stack + 7 * MIB, 0x10];
    let run = explained(&space);
    covers(&space, &run);
    let total = |kind| {
        run.regions.iter().filter(|region| region.kind == kind).map(Region::bytes).sum::<u64>()
    };
    assert_eq!(
        (total(RegionKind::Arena), total(RegionKind::ThreadStack)),
        (64 * MIB, 8 * MIB + PAGE)
    );
    // Not aligned, or too short: not an arena.
    for (shift, length) in [(MIB, 64 * MIB), (0, 63 * MIB)] {
        let mut other = space.clone();
        for range in
            other.ranges.iter_mut().filter(|range| (arena..arena + 65 * MIB).contains(&range.start))
        {
            range.start += shift;
            range.end = if range.permissions == "---p" {
                arena + shift + length
            } else {
                range.end + shift
            };
        }
        let run = explained(&other);
        assert!(
            run.regions.iter().all(|region| region.kind != RegionKind::Arena),
            "{shift} {length}"
        );
    }
}

#[test]
fn a_program_file_is_described() {
    let program = program(&space(0), &["app".to_owned()]);
    assert_eq!(
        (program.bits, program.position_independent, program.dynamic),
        (Some(64), Some(true), Some(true))
    );
    assert_eq!(super::program(&Snapshot::default(), &[]).bits, None);
}

#[test]
fn bits_that_varied_are_counted() {
    let pages = [0x1000, 0x5000, 0x3000, 0x1000];
    let runs: Vec<LayoutRun> = pages.iter().map(|gap| explained(&space(*gap))).collect();
    let all = summary(&runs.iter().collect::<Vec<_>>());
    let gaps = all.heap_gap_bytes;
    assert_eq!(
        (gaps.min, gaps.median, gaps.max, gaps.distinct),
        (Some(0x1000), Some(0x3000), Some(0x5000), 3)
    );
    assert_eq!(
        (all.varying_bits.heap_gap, all.varying_bits.text, all.varying_bits.stack),
        (Some(2), Some(0), Some(0))
    );
    assert_eq!(all.spans.mmap.unwrap().1, Address(LIBRARY + 0x9000));
    assert_eq!(all.runs, 4);
    assert_eq!(summary(&[]).heap_gap_bytes.distinct, 0);
    // Four consecutive places are two bits, even if a carry changes higher bits.
    let runs: Vec<LayoutRun> =
        [0x7000, 0x8000, 0x9000, 0xa000].iter().map(|gap| explained(&space(*gap))).collect();
    assert_eq!(summary(&runs.iter().collect::<Vec<_>>()).varying_bits.heap_gap, Some(2));
}

/// More runs never show fewer bits, and their order does not matter.
#[test]
fn more_runs_never_show_fewer_bits() {
    let mut state = 7_u64;
    let mut runs = Vec::new();
    let mut seen = 0;
    for _ in 0..40 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        runs.push(explained(&space((state >> 44) * PAGE + PAGE)));
        let all: Vec<&LayoutRun> = runs.iter().collect();
        let backwards: Vec<&LayoutRun> = runs.iter().rev().collect();
        let bits = summary(&all).varying_bits.heap_gap.unwrap();
        assert!(bits >= seen && bits <= 21);
        assert_eq!(summary(&backwards).varying_bits.heap_gap, Some(bits));
        seen = bits;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn configured_bits_follow_the_kernel_source() {
    let x86 = Settings {
        release: "6.18.44-x",
        architecture: "x86_64",
        page_bytes: PAGE,
        randomize: Some(2),
        mmap_bits: Some(28),
        bits: 64,
        movable: true,
    };
    let bits = |settings: Settings| {
        let Bits { text, mmap, stack, heap_gap, .. } = configured(&settings);
        [text, mmap, stack, heap_gap]
    };
    let some = |all: [u32; 4]| all.map(Some);
    assert_eq!(bits(x86), some([28, 28, 22, 18]));
    assert_eq!(
        bits(Settings { release: "6.8.0-45-generic", movable: false, ..x86 }),
        some([0, 28, 22, 13])
    );
    assert_eq!(bits(Settings { randomize: Some(1), ..x86 }), some([28, 28, 22, 0]));
    assert_eq!(bits(Settings { randomize: Some(0), ..x86 }), some([0; 4]));
    assert_eq!(bits(Settings { bits: 32, mmap_bits: Some(8), ..x86 }), some([8, 8, 11, 13]));
    let arm = Settings { architecture: "aarch64", mmap_bits: Some(33), ..x86 };
    assert_eq!(bits(arm), some([33, 33, 18, 18]));
    assert_eq!(
        bits(Settings { page_bytes: 65536, mmap_bits: Some(29), ..arm }),
        some([29, 29, 14, 14])
    );
    assert_eq!(bits(Settings { architecture: "s390x", ..x86 }), [Some(28), Some(28), None, None]);
    assert_eq!(bits(Settings { randomize: None, ..x86 }), [None; 4]);
    assert_eq!(bits(Settings { mmap_bits: None, ..x86 }), [None, None, Some(22), Some(18)]);
}
