//! Processors: their frequency scaling, what they share, which are isolated, and the clock source.

use std::collections::BTreeSet;
use std::fs::read_dir;
use std::time::Instant;

use super::{switch, text};

const CPU: &str = "/sys/devices/system/cpu";
/// Clock readings that are timed together. They take some microseconds if the clock is read in user
/// space, some milliseconds if not.
const READINGS: u32 = 2000;

/// The machine's processors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Processors {
    /// Online processors, in ascending order.
    pub online: Option<Vec<u32>>,
    /// The frequency governors of all processors, each once; `None` without frequency scaling.
    pub governors: Option<Vec<String>>,
    /// The switch for frequencies above the rated one.
    pub boost: Option<Boost>,
    /// Whether two processors share a core.
    pub smt_active: Option<bool>,
    /// Number of NUMA nodes.
    pub nodes: Option<usize>,
    /// `kernel.numa_balancing`: 0 is off.
    pub numa_balancing: Option<u8>,
    /// Processors taken from the scheduler (`isolcpus`), as a list.
    pub isolated: Option<Vec<u32>>,
    /// Processors without a periodic tick (`nohz_full`), as a list.
    pub nohz_full: Option<Vec<u32>>,
    /// The kernel's clock source.
    pub clocksource: Option<String>,
    /// The mean time of one clock reading, over some thousand.
    pub clock_read_ns: Option<f64>,
}

/// The switch for frequencies above the rated one (turbo, boost).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boost {
    /// Whether they are enabled.
    pub on: bool,
    /// The command that disables them.
    pub off_command: &'static str,
}

impl Processors {
    pub(super) fn now() -> Self {
        let nodes = read_dir("/sys/devices/system/node").ok().map(|folder| {
            let is_node = |name: &str| {
                name.strip_prefix("node").is_some_and(|number| number.parse::<u32>().is_ok())
            };
            folder.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_node)).count()
        });
        Processors {
            online: online_cpus(),
            governors: governors(),
            boost: boost(),
            smt_active: switch(format!("{CPU}/smt/active")),
            nodes,
            numa_balancing: super::number("/proc/sys/kernel/numa_balancing"),
            isolated: list("isolated"),
            nohz_full: list("nohz_full"),
            clocksource: text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            clock_read_ns: Some(clock_read_ns()),
        }
    }
}

/// The online processors, in ascending order; `None` if `/sys` does not list them.
#[must_use]
pub fn online_cpus() -> Option<Vec<u32>> {
    list("online")
}

/// An empty file is an empty list.
fn list(name: &str) -> Option<Vec<u32>> {
    parse_list(&std::fs::read_to_string(format!("{CPU}/{name}")).ok()?)
}

fn governors() -> Option<Vec<String>> {
    let policies = read_dir(format!("{CPU}/cpufreq")).ok()?.flatten();
    let governors: BTreeSet<String> =
        policies.filter_map(|policy| text(policy.path().join("scaling_governor"))).collect();
    (!governors.is_empty()).then(|| governors.into_iter().collect())
}

/// Documentation/admin-guide/pm: `intel_pstate` has its own switch, with the opposite sense.
fn boost() -> Option<Boost> {
    let intel = switch(format!("{CPU}/intel_pstate/no_turbo")).map(|forbidden| Boost {
        on: !forbidden,
        off_command: "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
    });
    intel.or_else(|| {
        let on = switch(format!("{CPU}/cpufreq/boost"))?;
        Some(Boost { on, off_command: "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost" })
    })
}

fn clock_read_ns() -> f64 {
    let start = Instant::now();
    let mut last = start;
    for _ in 0..READINGS {
        last = std::hint::black_box(Instant::now());
    }
    last.duration_since(start).as_nanos() as f64 / f64::from(READINGS)
}

/// A list of processors as the kernel writes it: `0-2,5`. Empty text is an empty list.
fn parse_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty() && *part != "(null)") {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_ranges() {
        assert_eq!(parse_list("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_list("7"), Some(vec![7]));
        // nohz_full is "(null)" on some kernels that have none.
        assert_eq!((parse_list("\n"), parse_list(" (null)\n")), (Some(vec![]), Some(vec![])));
        assert_eq!(parse_list("all"), None);
    }
}
