//! Times in which threads are not on a processor, as events, from the switches that the kernel
//! reports. A program may switch a hundred thousand times a second: then most short ones are only
//! counted.

use events::{Absence, AbsenceReason, Event, EventKind, Thread};

/// The time for which absences are bounded.
const PERIOD_NS: u64 = 100_000_000;
/// So many are told in a period, whatever their length.
const ANY_MAX: u32 = 2_000;
/// So many are told, if they are not short.
const LONG_MAX: u32 = 10_000;
/// Those below are short: hardly any slow call is slow because of one of them.
const SHORT_NS: u64 = 1_000_000;
/// The first Linux that says whether a thread was preempted
/// (`PERF_RECORD_MISC_SWITCH_OUT_PREEMPT`).
const TELLS_PREEMPTION: (u32, u32) = (4, 17);

/// An absence that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Away {
    pub(crate) left_ns: u64,
    /// Whether it could have gone on, as far as the kernel says.
    pub(crate) was_preempted: bool,
    /// Whether the tracer stopped it.
    pub(crate) was_stopped: bool,
}

/// Tells of absences, or does not.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    /// `None`: nobody wants to know.
    wanted: Option<Wanted>,
    period: u64,
    told: u32,
    left_out: Option<LeftOut>,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// Whether the kernel tells of preemptions.
    tells_preemption: bool,
}

#[derive(Debug, Clone, Copy)]
struct LeftOut {
    from_ns: u64,
    until_ns: u64,
    absences: u32,
    sum_ns: u64,
}

impl Absences {
    /// Tells of absences from here on, on a kernel with this release.
    pub(crate) fn tell(&mut self, kernel_release: &str) {
        self.wanted = Some(Wanted { tells_preemption: tells_preemption(kernel_release) });
    }

    /// `thread` is on a processor again at `time_ns`.
    pub(crate) fn over(
        &mut self,
        thread: Thread,
        away: Away,
        time_ns: u64,
        each: &mut impl FnMut(Event),
    ) {
        let Some(wanted) = self.wanted else { return };
        let period = time_ns / PERIOD_NS;
        if period != self.period {
            self.end_period(each);
            self.period = period;
        }
        let latency_ns = time_ns.saturating_sub(away.left_ns);
        let most = if latency_ns < SHORT_NS { ANY_MAX } else { LONG_MAX };
        if self.told >= most {
            return self.leave_out(away.left_ns, time_ns, latency_ns);
        }
        self.told += 1;
        let reason = match (away.was_stopped, wanted.tells_preemption, away.was_preempted) {
            (true, ..) => AbsenceReason::Stopped,
            (false, false, _) => AbsenceReason::Unknown,
            (false, true, true) => AbsenceReason::Preempted,
            (false, true, false) => AbsenceReason::Blocked,
        };
        let kind = EventKind::Absence(Absence { latency_ns, reason });
        each(Event { time_ns: away.left_ns, thread, kind });
    }

    fn leave_out(&mut self, left_ns: u64, time_ns: u64, latency_ns: u64) {
        let out = self.left_out.get_or_insert(LeftOut {
            from_ns: left_ns,
            until_ns: time_ns,
            absences: 0,
            sum_ns: 0,
        });
        out.from_ns = out.from_ns.min(left_ns);
        out.until_ns = out.until_ns.max(time_ns);
        out.absences = out.absences.saturating_add(1);
        out.sum_ns = out.sum_ns.saturating_add(latency_ns);
    }

    /// Says what was left out since the period began.
    pub(crate) fn end_period(&mut self, each: &mut impl FnMut(Event)) {
        self.told = 0;
        let Some(LeftOut { from_ns, until_ns, absences, sum_ns }) = self.left_out.take() else {
            return;
        };
        let (latency_ns, reason) =
            (until_ns.saturating_sub(from_ns), AbsenceReason::LeftOut { absences, sum_ns });
        let kind = EventKind::Absence(Absence { latency_ns, reason });
        each(Event { time_ns: from_ns, thread: Thread { pid: 0, tid: 0 }, kind });
    }
}

/// Whether a kernel says of a switch that the thread was preempted, by its release (`uname -r`).
fn tells_preemption(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return false;
    };
    (major, minor) >= TELLS_PREEMPTION
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: Thread = Thread { pid: 1, tid: 2 };

    fn told(absences: &mut Absences, away: Away, time_ns: u64) -> Vec<(u64, Absence)> {
        let mut told = Vec::new();
        absences.over(THREAD, away, time_ns, &mut |event| {
            let EventKind::Absence(absence) = event.kind else { panic!("{event:?}") };
            told.push((event.time_ns, absence));
        });
        told
    }

    #[test]
    fn the_reason_is_what_the_kernel_and_the_tracer_say() {
        let at = |was_preempted, was_stopped| Away { left_ns: 5, was_preempted, was_stopped };
        for (release, away, reason) in [
            ("6.18.0", at(true, false), AbsenceReason::Preempted),
            ("4.17-rc1", at(false, false), AbsenceReason::Blocked),
            ("6.1", at(true, true), AbsenceReason::Stopped),
            ("4.16.18", at(false, false), AbsenceReason::Unknown),
            ("odd", at(false, false), AbsenceReason::Unknown),
        ] {
            let mut absences = Absences::default();
            assert_eq!(told(&mut absences, away, 12), [], "nobody wants to know");
            absences.tell(release);
            let expected = (5, Absence { latency_ns: 7, reason });
            assert_eq!(told(&mut absences, away, 12), [expected], "{release}");
        }
    }

    #[test]
    fn of_too_many_the_short_ones_are_counted() {
        let mut absences = Absences::default();
        absences.tell("6.0");
        let away = |left_ns| Away { left_ns, was_preempted: true, was_stopped: false };
        let (mut all, mut now_ns) = (Vec::new(), 5 * PERIOD_NS);
        for _ in 0..ANY_MAX + 3 {
            all.extend(told(&mut absences, away(now_ns), now_ns + 10));
            now_ns += 20;
        }
        assert_eq!(all.len(), ANY_MAX as usize);
        let long = told(&mut absences, away(now_ns), now_ns + SHORT_NS);
        assert_eq!(long.len(), 1, "a long one is still told");
        let next = told(&mut absences, away(6 * PERIOD_NS), 6 * PERIOD_NS + 1);
        let first_ns = 5 * PERIOD_NS + u64::from(ANY_MAX) * 20;
        let left_out =
            Absence { latency_ns: 50, reason: AbsenceReason::LeftOut { absences: 3, sum_ns: 30 } };
        assert_eq!((next.len(), next[0]), (2, (first_ns, left_out)));
        let mut rest = 0;
        absences.end_period(&mut |_| rest += 1);
        assert_eq!(rest, 0, "nothing was left out since");
    }
}
