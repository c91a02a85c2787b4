//! Random events in random order: nothing panics, and no event is lost on the way to the screen.

use std::collections::HashMap;
use std::num::NonZeroU64;

use analysis::trace::{FaultBursts, FaultLines, LineBuilder, Tally};
use events::{
    Call, Clock, Ending, Event, Fault, Header, Interner, Life, Lost, MappingReport, Name, Sees,
    Span, Syscall, ThpPolicy, Thread,
};
use results::trace::{
    Group, Line, LineKind, Shown, TableRow, TraceSummary, write_line, write_summary,
};
use serde_json::Value;

const PAGE: u64 = 4096;

struct Random {
    state: u64,
    names: Vec<Name>,
    time_ns: u64,
    /// Whether numbers take extreme values.
    wild: bool,
    interner: Interner,
    texts: [&'static str; 8],
}

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % limit
    }

    fn number(&mut self) -> u64 {
        const WILD: [u64; 10] = [
            0,
            1,
            4095,
            1 << 21,
            1 << 47,
            1 << 63,
            u64::MAX,
            u64::MAX - 1,
            u64::MAX - 4094,
            0xffff_ffff_ff60_0000,
        ];
        match self.below(if self.wild { 4 } else { 3 }) {
            3 => WILD[usize::try_from(self.below(10)).unwrap()],
            // Few addresses, so that events overlap.
            _ => 0x7f00_0000_0000 + self.below(600) * PAGE + self.below(2) * 8,
        }
    }

    fn small(&mut self) -> u64 {
        if self.wild && self.below(4) == 0 { self.number() } else { self.below(64) * PAGE }
    }

    fn span(&mut self) -> Span {
        let ns = match self.below(8) {
            0 => 0,
            1 if self.wild => u64::MAX,
            _ => 400 + self.below(4000),
        };
        Span { latency_ns: NonZeroU64::new(ns), on_cpu_ns: NonZeroU64::new(ns / 2) }
    }

    fn name(&mut self) -> Name {
        let at = self.below(self.names.len() as u64);
        self.names[usize::try_from(at).unwrap()]
    }

    fn thread(&mut self) -> Thread {
        let (pid, other) = (
            10 * (1 + u32::try_from(self.below(3)).unwrap()),
            u32::try_from(self.below(2)).unwrap(),
        );
        Thread { pid, tid: pid + other }
    }

    fn event(&mut self) -> Event {
        self.time_ns = if self.wild && self.below(50) == 0 {
            self.number()
        } else {
            self.time_ns.saturating_add(1 + self.below(9000))
        };
        let what = match self.below(41) {
            0..20 => self.fault(),
            20..32 => self.syscall(),
            32..38 => self.mapping(),
            38 => self.life(),
            39 => events::EventKind::Lost(Lost { records: self.below(100) }),
            _ => events::EventKind::Absence(events::Absence {
                latency_ns: self.number(),
                reason: events::AbsenceReason::Blocked,
            }),
        };
        Event { time_ns: self.time_ns, thread: self.thread(), kind: what }
    }

    fn fault(&mut self) -> events::EventKind {
        events::EventKind::Fault(Fault {
            address: self.number(),
            ip: self.number(),
            span: self.span(),
            major: self.below(20) == 0,
            page_bytes: match self.below(4) {
                0 => None,
                1 => NonZeroU64::new(4096),
                2 => NonZeroU64::new(2 << 20),
                _ => NonZeroU64::new(self.below(u64::MAX)),
            },
            in_kernel: self.below(9) == 0,
            present: match self.below(3) {
                0 => None,
                word => Some(word == 1),
            },
        })
    }

    fn syscall(&mut self) -> events::EventKind {
        let call = Call::ALL[usize::try_from(self.below(Call::ALL.len() as u64)).unwrap()];
        let call = if self.below(3) == 0 { Call::Mmap } else { call };
        let first = self.number();
        let flags =
            [0x22, 0x21, 2, 1, 0x8022, 0x4_0022, 0x2_0022][usize::try_from(self.below(7)).unwrap()];
        let result = match self.below(6) {
            0 => None,
            1 => Some(-1 - self.below(200).cast_signed()),
            2 => Some(0),
            _ => Some(self.number().cast_signed()),
        };
        let arguments = match call {
            Call::Mmap => [first, self.small(), self.below(8), flags, self.below(5), self.small()],
            _ => {
                [first, self.small(), self.below(110), self.below(8), self.number(), self.number()]
            }
        };
        events::EventKind::Syscall(Syscall {
            call,
            text: self.name(),
            arguments,
            arguments_known: true,
            result,
            span: self.span(),
        })
    }

    fn mapping(&mut self) -> events::EventKind {
        let start = self.number();
        let report = MappingReport {
            start,
            end: start.wrapping_add(self.small()),
            offset_bytes: self.small(),
            inode: self.below(3),
            protection: u32::try_from(self.below(16)).unwrap(),
            shared: self.below(4) == 0,
            name: self.texts[usize::try_from(self.below(self.texts.len() as u64)).unwrap()],
            ..MappingReport::default()
        };
        events::EventKind::Mapping(report.intern(&mut self.interner))
    }

    fn life(&mut self) -> events::EventKind {
        events::EventKind::Life(match self.below(8) {
            0..3 => Life::Started { by: self.thread() },
            3 => Life::Executed { name: self.name() },
            4 => Life::Attached,
            _ => Life::Ended {
                ending: [Ending::Unknown, Ending::Exited(3), Ending::Killed(9)]
                    [usize::try_from(self.below(3)).unwrap()],
            },
        })
    }
}

/// The lines of random events.
fn lines_of(
    seed: u64,
    wild: bool,
    huge_pages: ThpPolicy,
    count: usize,
) -> (Vec<Line>, TraceSummary) {
    let mut interner = Interner::default();
    let texts = [
        "",
        "[heap]",
        "[stack]",
        "[vdso]",
        "/lib/a b\u{1b}[2J\".so",
        "/dev/zero (deleted)",
        "[anon:x]",
        "?",
    ];
    let names = texts.map(|text| interner.text(text)).to_vec();
    let mut random = Random { state: seed, names, interner, texts, time_ns: 0, wild };
    let everything = Sees {
        calls: true,
        faults: true,
        kernel_faults: true,
        page_sizes: wild,
        allocations: false,
        stops: false,
        absences: false,
    };
    let began_ns = random.below(100_000);
    let header = Header {
        clock: Clock::Monotonic,
        began_ns,
        page_bytes: PAGE,
        huge_pages,
        can_swap: wild,
        sees: everything,
    };
    let mut builder = LineBuilder::new(&header, true);
    let mut lines = Vec::new();
    for _ in 0..count {
        let event = random.event();
        builder.take(&event, random.interner.table(), &mut |line| lines.push(line));
    }
    builder.pause(&mut |line| lines.push(line));
    (lines, builder.summary(0))
}

/// Every seed, tame and wild, under each policy of huge pages.
fn each(mut check: impl FnMut(Vec<Line>, TraceSummary)) {
    for seed in 0..40 {
        for (wild, huge_pages) in
            [(false, ThpPolicy::Advised), (true, ThpPolicy::Always), (true, ThpPolicy::Never)]
        {
            // Wild events populate huge ranges, which takes long.
            if wild && seed >= 6 {
                continue;
            }
            let (lines, summary) = lines_of(seed, wild, huge_pages, 1000);
            check(lines, summary);
        }
    }
}

#[test]
fn every_event_except_a_mapping_is_a_line() {
    each(|lines, summary| {
        let count =
            |is: fn(&LineKind) -> bool| lines.iter().filter(|line| is(&line.kind)).count() as u64;
        assert_eq!(count(|what| matches!(what, LineKind::Fault(_))), summary.faults_seen);
        assert_eq!(count(|what| !matches!(what, LineKind::Lost(_))), summary.events);
        let lost: u64 = lines
            .iter()
            .map(|line| if let LineKind::Lost(records) = line.kind { records } else { 0 })
            .sum();
        assert_eq!(lost, summary.lost);
    });
}

#[test]
fn folding_conserves_faults_and_times() {
    each(|lines, _| {
        let mut folder = FaultBursts::new(FaultLines::Summary, PAGE);
        let mut shown = Vec::new();
        for line in &lines {
            folder.take(line.clone(), &mut |each| shown.push(each));
        }
        folder.pause(&mut |each| shown.push(each));
        let (mut before, mut after) = (HashMap::new(), HashMap::new());
        let add = |sums: &mut HashMap<_, [u64; 5]>,
                   fault: &results::trace::FaultLine,
                   pid: u32,
                   tid: u32,
                   figures: [u64; 5]| {
            let sum = sums
                .entry((pid, tid, fault.cause, fault.mapping.as_ref().map(|mapping| mapping.kind)))
                .or_default();
            for (sum, figure) in sum.iter_mut().zip(figures) {
                *sum = sum.saturating_add(figure);
            }
        };
        let single = |fault: &results::trace::FaultLine| {
            let timed = u64::from(fault.latency_ns.is_some());
            [1, fault.major.into(), fault.in_kernel.into(), timed, fault.latency_ns.unwrap_or(0)]
        };
        let is_fault = |line: &Line| matches!(line.kind, LineKind::Fault(_));
        for line in &lines {
            if let LineKind::Fault(fault) = &line.kind {
                add(&mut before, fault, line.pid, line.tid, single(fault));
            }
        }
        for each in &shown {
            match each {
                Shown::Line(Line { pid, tid, kind: LineKind::Fault(fault), .. }) => {
                    add(&mut after, fault, *pid, *tid, single(fault));
                }
                Shown::Line(_) => {}
                Shown::Burst(burst) => {
                    assert!(
                        burst.faults > 1 && burst.low < burst.high && burst.timed <= burst.faults,
                        "{burst:?}"
                    );
                    let figures =
                        [burst.faults, burst.major, burst.in_kernel, burst.timed, burst.latency_ns];
                    add(&mut after, &burst.first, burst.pid, burst.tid, figures);
                }
            }
        }
        assert_eq!(before, after);
        let others = shown
            .iter()
            .filter_map(|each| if let Shown::Line(line) = each { Some(line) } else { None });
        assert!(
            others.filter(|line| !is_fault(line)).eq(lines.iter().filter(|line| !is_fault(line))),
            "other lines are unchanged"
        );
    });
}

#[test]
fn a_burst_is_shown_before_the_next_syscall_of_its_thread() {
    each(|lines, _| {
        let mut folder = FaultBursts::new(FaultLines::Summary, PAGE);
        // Faults of each thread that are not shown yet.
        let mut open: HashMap<u32, u64> = HashMap::new();
        for line in lines {
            let (tid, is_call) = (line.tid, matches!(line.kind, LineKind::Syscall(_)));
            if matches!(line.kind, LineKind::Fault(_)) {
                *open.entry(tid).or_default() += 1;
            }
            folder.take(line, &mut |each| match each {
                Shown::Burst(burst) => *open.get_mut(&burst.tid).unwrap() -= burst.faults,
                Shown::Line(Line { tid, kind: LineKind::Fault(_), .. }) => {
                    *open.get_mut(&tid).unwrap() -= 1;
                }
                Shown::Line(_) => {}
            });
            assert!(!is_call || open.get(&tid).is_none_or(|&faults| faults == 0));
        }
    });
}

#[test]
fn the_rows_of_the_table_add_up_to_the_total() {
    each(|lines, summary| {
        let mut tally = Tally::default();
        for line in &lines {
            tally.take(line);
        }
        let table = tally.table(Vec::new(), summary);
        let all = table.total.expect("there are events");
        let sum = |figure: fn(&TableRow) -> u64| {
            table.rows.iter().map(figure).fold(0, u64::saturating_add)
        };
        assert_eq!(sum(|row| row.calls), all.calls);
        assert_eq!(sum(|row| row.errors.unwrap_or(0)), all.errors.unwrap_or(0));
        assert_eq!(sum(|row| row.major.unwrap_or(0)), all.major.unwrap_or(0));
        assert_eq!(sum(|row| row.cpu_ns.unwrap_or(0)), all.cpu_ns.unwrap_or(0));
        assert_eq!((sum(|row| row.wall_ns), sum(|row| row.untimed)), (all.wall_ns, all.untimed));
        let calls = |is: fn(&Group) -> bool| {
            table.rows.iter().filter(|row| is(&row.group)).map(|row| row.calls).sum::<u64>()
        };
        assert_eq!(calls(|group| !matches!(group, Group::Syscall(_))), summary.faults_seen);
        let called =
            lines.iter().filter(|line| matches!(line.kind, LineKind::Syscall(_))).count() as u64;
        assert_eq!(calls(|group| matches!(group, Group::Syscall(_))), called);
        assert!(
            table.rows.is_sorted_by_key(|row| std::cmp::Reverse(row.wall_ns)),
            "rows are sorted by time"
        );
        for row in &table.rows {
            assert!((0.0..=1.0).contains(&row.wall_share) && row.untimed <= row.calls, "{row:?}");
            assert!(row.p50_ns <= row.p99_ns && row.p99_ns <= row.max_ns, "{row:?}");
        }
    });
}

#[test]
fn every_line_is_json_with_the_keys_of_its_kind() {
    let keys = |kind: &str| -> &[&str] {
        match kind {
            "syscall" => &[
                "name",
                "args",
                "result",
                "error",
                "bytes",
                "mapping",
                "mapping_start",
                "latency_ns",
                "on_cpu_ns",
            ],
            "fault" => &[
                "address",
                "ip",
                "major",
                "in_kernel",
                "cause",
                "mapping",
                "mapping_start",
                "latency_ns",
                "on_cpu_ns",
            ],
            "process" => &["event"],
            "lost" => &["records"],
            "off-cpu" => &["reason", "latency_ns", "absences", "sum_ns"],
            other => panic!("unknown kind of line: {other}"),
        }
    };
    each(|lines, summary| {
        let mut text = String::new();
        for line in &lines {
            text.clear();
            write_line(line, &mut text);
            let value: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let has = |key: &&str| value.get(key).is_some();
            assert!(
                ["time_ns", "pid", "tid", "kind"].iter().all(has)
                    && text.matches('\n').count() == 1,
                "{text}"
            );
            assert!(keys(value["kind"].as_str().unwrap()).iter().all(has), "{text}");
            assert!(text.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()), "{text:?}");
            if let LineKind::Fault(fault) = &line.kind {
                let words = ["first-touch", "copy-on-write", "reuse", "file", "stack", "unknown"];
                assert!(words.contains(&value["cause"].as_str().unwrap()));
                assert_eq!(value["address"], Value::from(format!("{:#x}", fault.address)));
            }
        }
        text.clear();
        write_summary(&summary, None, &mut text);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (value["kind"].as_str(), value["faults_seen"].as_u64()),
            (Some("summary"), Some(summary.faults_seen))
        );
    });
}

#[test]
fn no_screen_has_control_characters() {
    each(|lines, summary| {
        let mut tally = Tally::default();
        let mut folder = FaultBursts::new(FaultLines::Summary, PAGE);
        let mut text = String::new();
        let mut names = report::FileNames::new(report::View::brief(None));
        let mut show = |shown| report::trace_line(&shown, &mut names, false, &mut text);
        for line in lines {
            tally.take(&line);
            folder.take(line, &mut show);
        }
        folder.pause(&mut show);
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "a control character reached the screen"
        );
        for width in [Some(40), Some(80), None] {
            // Styles are part of the text and stripped on output; the name must be escaped.
            let table = report::trace_table(
                &tally.table(Vec::new(), summary),
                report::View::verbose(width),
            );
            assert!(!table.contains("\u{1b}[2J"), "{table}");
        }
    });
}
