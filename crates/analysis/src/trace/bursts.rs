//! Folds bursts of faults into one line: faults of one thread, in one mapping and of one cause,
//! with no syscall of that thread between them.

use std::collections::HashMap;

use events::{Cause, MappingKind};
use results::trace::{Burst, BurstOrder, FaultLine, Line, LineKind, MappingLabel, Shown};

use super::durations::Durations;
use crate::address_space::AROUND_BYTES;

/// A burst is shown after this time at the latest, so the output stays live.
const KEPT_NS: u64 = 1_000_000_000;
/// The most open bursts per thread: a copy has two, loading code a few more.
const OPEN_A_THREAD: usize = 8;

/// How faults are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultLines {
    /// Nothing.
    Off,
    /// One line per burst.
    Summary,
    /// One line per fault.
    All,
}

/// Turns lines into the lines of a screen.
#[derive(Debug)]
pub struct FaultBursts {
    faults: FaultLines,
    page_bytes: u64,
    by_thread: HashMap<u32, Vec<Open>>,
    /// A time before which no open burst is due.
    due_ns: u64,
}

#[derive(Debug)]
struct Open {
    burst: Burst,
    times: Durations,
    last_page: u64,
    /// How much memory a fault of it maps at most.
    fault_bytes: u64,
    step: Step,
}

/// The distance between consecutive faults of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// One fault so far.
    None,
    /// A constant distance in bytes, and the number of steps.
    Even(u64, u64),
    /// The distance differs.
    Uneven,
}

/// The page of a fault.
#[derive(Debug, Clone, Copy)]
struct Page {
    start: u64,
    bytes: u64,
}

impl Page {
    /// A page of `smallest_bytes`, unless the fault reports a larger one.
    fn of(fault: &FaultLine, smallest_bytes: u64) -> Page {
        let known = fault.large_bytes().filter(|bytes| bytes.is_power_of_two());
        let bytes = known.unwrap_or(smallest_bytes);
        Page { start: fault.address & !(bytes - 1), bytes }
    }

    fn end(self) -> u64 {
        self.start.saturating_add(self.bytes)
    }
}

impl FaultBursts {
    /// For base pages of `page_bytes`, a power of two.
    #[must_use]
    pub fn new(faults: FaultLines, page_bytes: u64) -> FaultBursts {
        FaultBursts { faults, page_bytes, by_thread: HashMap::new(), due_ns: u64::MAX }
    }

    /// Takes the next line and shows the lines that are ready. A burst has the time of its first
    /// fault and is shown before the thread's next syscall.
    pub fn take(&mut self, line: Line, show: &mut dyn FnMut(Shown)) {
        if line.time_ns >= self.due_ns {
            self.show_due(line.time_ns, show);
        }
        match (&line.kind, self.faults) {
            (LineKind::Fault(_), FaultLines::Off) => return,
            (LineKind::Fault(fault), FaultLines::Summary) => return self.fold(&line, fault, show),
            (LineKind::Syscall(_) | LineKind::Allocation(_), _) => self.show_thread(line.tid, show),
            // After an exec, a fork or a gap, later faults belong to another state.
            (LineKind::Process(_) | LineKind::Lost(_) | LineKind::Switched { .. }, _) => {
                self.pause(show);
            }
            (LineKind::Fault(_), FaultLines::All) | (LineKind::Absence(_), _) => {}
        }
        show(Shown::Line(line));
    }

    /// Shows the bursts that are due at `time_ns`. Call it when no line arrives.
    pub fn wait(&mut self, time_ns: u64, show: &mut dyn FnMut(Shown)) {
        if time_ns >= self.due_ns {
            self.show_due(time_ns, show);
        }
    }

    /// Shows every open burst.
    pub fn pause(&mut self, show: &mut dyn FnMut(Shown)) {
        self.show_due(u64::MAX, show);
    }

    fn fold(&mut self, line: &Line, fault: &FaultLine, show: &mut dyn FnMut(Shown)) {
        let bursts = self.by_thread.entry(line.tid).or_default();
        let page = Page::of(fault, self.page_bytes);
        if let Some(open) = bursts.iter_mut().rev().find(|open| open.has(line, fault)) {
            return open.add(fault, page);
        }
        if bursts.len() == OPEN_A_THREAD {
            bursts.remove(0).close(show);
        }
        bursts.push(Open::new(line, fault, page));
        self.due_ns = self.due_ns.min(line.time_ns.saturating_add(KEPT_NS));
    }

    fn show_thread(&mut self, tid: u32, show: &mut dyn FnMut(Shown)) {
        // The list keeps its memory, because most threads fault again.
        for open in self.by_thread.get_mut(&tid).into_iter().flat_map(|bursts| bursts.drain(..)) {
            open.close(show);
        }
    }

    fn show_due(&mut self, time_ns: u64, show: &mut dyn FnMut(Shown)) {
        let is_due = |open: &Open| {
            time_ns == u64::MAX || time_ns.saturating_sub(open.burst.time_ns) >= KEPT_NS
        };
        let mut due: Vec<Open> = Vec::new();
        for bursts in self.by_thread.values_mut() {
            due.extend(bursts.extract_if(.., |open| is_due(open)));
        }
        self.by_thread.retain(|_, bursts| !bursts.is_empty());
        let left = self
            .by_thread
            .values()
            .flatten()
            .map(|open| open.burst.time_ns.saturating_add(KEPT_NS));
        self.due_ns = left.min().unwrap_or(u64::MAX);
        due.sort_by_key(|open| (open.burst.time_ns, open.burst.tid));
        for open in due {
            open.close(show);
        }
    }
}

impl Open {
    fn new(line: &Line, fault: &FaultLine, page: Page) -> Open {
        let burst = Burst {
            time_ns: line.time_ns,
            pid: line.pid,
            tid: line.tid,
            first: fault.clone(),
            faults: 1,
            major: u64::from(fault.major),
            in_kernel: u64::from(fault.in_kernel),
            low: page.start,
            high: page.end(),
            order: BurstOrder::Upwards,
            sparse: false,
            apart_bytes: None,
            p50_ns: None,
            latency_ns: 0,
            timed: 0,
        };
        // A read of a file's page maps the pages around it as well.
        let fault_bytes =
            if fault.cause == Cause::File { page.bytes.max(AROUND_BYTES) } else { page.bytes };
        let mut open = Open {
            burst,
            times: Durations::default(),
            last_page: page.start,
            fault_bytes,
            step: Step::None,
        };
        open.time(fault);
        open
    }

    /// Whether `fault` belongs to this burst.
    fn has(&self, line: &Line, fault: &FaultLine) -> bool {
        let first = &self.burst.first;
        self.burst.pid == line.pid
            && first.cause == fault.cause
            && first.large_bytes() == fault.large_bytes()
            && match (&first.mapping, &fault.mapping) {
                (Some(one), Some(other)) => is_one(one, other),
                (one, other) => one == other,
            }
    }

    fn add(&mut self, fault: &FaultLine, page: Page) {
        let step = self.last_page.abs_diff(page.start);
        self.step = match self.step {
            Step::None => Step::Even(step, 1),
            Step::Even(same, steps) if same == step => Step::Even(same, steps + 1),
            Step::Even(..) | Step::Uneven => Step::Uneven,
        };
        let moved = match page.start.cmp(&self.last_page) {
            std::cmp::Ordering::Less => BurstOrder::Downwards,
            std::cmp::Ordering::Equal => self.burst.order,
            std::cmp::Ordering::Greater => BurstOrder::Upwards,
        };
        let burst = &mut self.burst;
        burst.order =
            if burst.faults == 1 || moved == burst.order { moved } else { BurstOrder::Mixed };
        burst.apart_bytes = match self.step {
            Step::Even(step, 2..) if step > page.bytes && burst.order != BurstOrder::Mixed => {
                Some(step)
            }
            _ => None,
        };
        burst.faults += 1;
        burst.major += u64::from(fault.major);
        burst.in_kernel += u64::from(fault.in_kernel);
        burst.low = burst.low.min(page.start);
        burst.high = burst.high.max(page.end());
        self.last_page = page.start;
        self.time(fault);
    }

    fn time(&mut self, fault: &FaultLine) {
        if let Some(latency_ns) = fault.latency_ns {
            self.times.add(latency_ns);
        }
    }

    fn close(self, show: &mut dyn FnMut(Shown)) {
        let Burst { time_ns, pid, tid, .. } = self.burst;
        show(if self.burst.faults == 1 {
            Shown::Line(Line { time_ns, pid, tid, kind: LineKind::Fault(self.burst.first) })
        } else {
            Shown::Burst(Burst {
                sparse: is_sparse(&self.burst, self.fault_bytes),
                p50_ns: self.times.quantile_ns(500),
                latency_ns: self.times.sum_ns,
                timed: self.times.count,
                ..self.burst
            })
        });
    }
}

/// Whether the faults of `burst`, of which each maps up to `fault_bytes`, map less than half of its
/// range. Fewer than four faults have no pattern.
fn is_sparse(burst: &Burst, fault_bytes: u64) -> bool {
    burst.faults >= 4
        && burst.faults.saturating_mul(2).saturating_mul(fault_bytes)
            < burst.high.saturating_sub(burst.low)
}

/// Whether both are the same mapping. A stack that has grown starts elsewhere and is still the
/// same.
fn is_one(one: &MappingLabel, other: &MappingLabel) -> bool {
    one.kind == other.kind
        && (one.start == other.start || one.kind == MappingKind::Stack)
        && one.name == other.name
}
