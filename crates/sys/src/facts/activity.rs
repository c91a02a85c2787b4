//! Activity of the machine besides this process: since boot, and over a short sample.

use std::fs::read_to_string;
use std::time::{Duration, Instant};

use crate::proc::{Counters, cpu_ticks};
use crate::usage::Usage;

/// The machine's activity besides this process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// The length of the sample.
    pub window: Duration,
    /// Processor time that other processes used during the sample, in ticks of 10 ms.
    pub others_cpu: Option<Duration>,
    /// Processor time that the hypervisor gave to other guests during the sample, in ticks of 10
    /// ms.
    pub stolen: Option<Duration>,
    /// Since boot, stolen time as a share of the processor time that this machine's processes
    /// wanted.
    pub stolen_share_since_boot: Option<f64>,
    /// Processes that ran or wanted to, averaged over a minute (`/proc/loadavg`).
    pub load: Option<f64>,
}

impl Activity {
    /// Sleeps for `window` and compares the counters before and after.
    pub(super) fn during(window: Duration) -> Self {
        // Read first, since this process itself adds to the load.
        let load = read_to_string("/proc/loadavg").ok().and_then(|text| parse_load(&text));
        let (before, own_before, start) =
            (Counters::now(), Usage::of_this_process().cpu, Instant::now());
        std::thread::sleep(window);
        let (after, own, window) = (
            Counters::now(),
            Usage::of_this_process().cpu.saturating_sub(own_before),
            start.elapsed(),
        );
        let difference = |before: Option<Duration>, after: Option<Duration>| {
            Some(after?.saturating_sub(before?))
        };
        Activity {
            window,
            others_cpu: difference(before.busy, after.busy).map(|busy| busy.saturating_sub(own)),
            stolen: difference(before.steal, after.steal),
            stolen_share_since_boot: read_to_string("/proc/stat")
                .ok()
                .and_then(|stat| stolen_share(&stat)),
            load,
        }
    }
}

/// Stolen time over stolen and busy time.
fn stolen_share(stat: &str) -> Option<f64> {
    let (busy, steal) = cpu_ticks(stat)?;
    let wanted = busy + steal;
    (!wanted.is_zero()).then(|| steal.as_secs_f64() / wanted.as_secs_f64())
}

/// The first number of `/proc/loadavg`.
fn parse_load(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_does_not_count() {
        // 90 busy, 10 stolen, and much idle.
        assert_eq!(stolen_share("cpu  90 0 0 99999 0 0 0 10 0 0\n"), Some(0.1));
        assert_eq!(stolen_share("cpu  0 0 0 5 0 0 0 0 0 0\n"), None);
        assert_eq!(stolen_share(""), None);
    }

    #[test]
    fn load_is_the_first_number() {
        assert_eq!(parse_load("0.40 0.14 0.05 1/84 1092\n"), Some(0.4));
        assert_eq!(parse_load(""), None);
    }
}
