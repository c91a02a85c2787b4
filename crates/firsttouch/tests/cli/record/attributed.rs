//! Who pays, whatever the allocator: against what the program does, the kernel's count of the
//! faults on each site's blocks, and a plain account of the events.

pub(super) mod account;

use std::collections::BTreeMap;
use std::ffi::OsStr;

use serde_json::Value;

use self::account::{Account, FaultTimes, Paid};
use super::allocators::library;
use super::{Manner, Recorded, plain_fixture};
use crate::program::{Scratch, firsttouch, text};

pub(super) fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} of {value}"))
}

/// The sum of a figure over rows.
pub(super) fn sum<'a>(rows: impl IntoIterator<Item = &'a Value>, key: &str) -> u64 {
    rows.into_iter().map(|row| number(row, key)).sum()
}

/// Pages of one block that the program returns while it is live.
const RETURNED: u64 = 128;
/// The pages of 32 blocks that a child writes to: it may not be the first to copy those at the
/// ends.
const COPIED: u64 = 32 * 15;

/// What `fixtures/recorded_touched.c` says of one of its sites.
#[derive(Debug, Clone, Copy)]
struct Said {
    bytes: u64,
    /// Faults while it touched, those in the child and those in another thread.
    faults: u64,
    copies: u64,
    others: u64,
}

impl Said {
    /// The name of the site, and what a line says of it.
    fn of(line: &str) -> Option<(String, Said)> {
        let (name, numbers) = line.split_once(' ')?;
        let numbers = numbers.split(' ').map(|number| number.parse().expect("a number"));
        let [bytes, faults, copies, others] = numbers.collect::<Vec<u64>>().try_into().ok()?;
        Some((name.to_owned(), Said { bytes, faults, copies, others }))
    }
}

/// A recording of it.
pub(super) struct Touched {
    pub(super) recorded: Recorded,
    pub(super) events: Vec<Value>,
    said: BTreeMap<String, Said>,
}

impl Touched {
    /// With this allocator, or with that of the C library. `None`, and a skip, where that cannot be
    /// recorded here.
    pub(super) fn with(allocator: Option<&str>, scratch: &Scratch) -> Option<Touched> {
        let preload = match allocator {
            Some(name) => Some(library(name)?),
            None => None,
        };
        let program = plain_fixture("recorded_touched", scratch)?;
        let manner = Manner { preload: preload.as_deref(), ..Manner::default() };
        Touched::of(&[program.as_os_str()], manner, scratch)
    }

    pub(super) fn of(command: &[&OsStr], manner: Manner<'_>, scratch: &Scratch) -> Option<Touched> {
        let recorded = Recorded::of(command, manner, scratch)?;
        let file = scratch.file("recording.ft");
        let lines = firsttouch(&["report"]).arg(file).args(["--events", "--json", "-"]).output();
        let lines = text(&lines.expect("the program starts").stdout);
        let events = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let said = text(&recorded.under.stdout);
        let said = said.lines().filter_map(|line| Said::of(line.strip_prefix("counted ")?));
        let said = said.collect();
        Some(Touched { recorded, events, said })
    }

    /// The sites below a function.
    fn sites(&self, function: &str) -> Vec<&Value> {
        let is_below = |site: &&Value| {
            let frames = site["stack"].as_array().expect("a stack").iter();
            let starts = |frame: &str| {
                frame.strip_prefix(function).is_some_and(|rest| rest.starts_with(' '))
            };
            frames.filter_map(Value::as_str).any(starts)
        };
        self.recorded.report["sites"].as_array().expect("sites").iter().filter(is_below).collect()
    }

    /// The sizes that a site asks for: one, or for what grows one after the other.
    fn sizes(&self, name: &str) -> Vec<u64> {
        let (calls, _) = self.recorded.expected()[name];
        match name {
            "grown" => (0..calls).map(|step| (48 << (10 + step)) + 160).collect(),
            _ => vec![self.said[name].bytes / calls],
        }
    }

    /// The calls, bytes and faults that the program says.
    fn pays_for_what_it_did(&self) {
        self.recorded.has_all_calls();
        assert_eq!(self.said.len(), 11, "{:?}", self.said);
        for (name, said) in &self.said {
            let sites = self.sites(name);
            let details = || sites.iter().map(|site| &site["detail"]);
            assert_eq!(sum(sites.iter().copied(), "bytes"), said.bytes, "{name}");
            let touchers =
                details().flat_map(|detail| detail["touchers"].as_array().expect("rows"));
            let touched = sum(touchers.filter(|row| row["function"] == "touched"), "faults");
            assert_eq!(touched, said.faults, "{name}: {sites:#?}");
            // What is more is the allocator's, which clears, copies and writes headers.
            let all = sum(sites.iter().copied(), "touch_faults");
            let allocators = if name == "untouched" { 0..=8 } else { 0..=u64::MAX };
            assert!(allocators.contains(&(all - touched)), "{name}: {all} {touched}");
            for (key, at_least) in [
                ("copied_faults", said.copies),
                ("other_process_faults", said.copies),
                ("other_thread_faults", said.others),
            ] {
                assert!(sum(details(), key) >= at_least, "{name} {key}: {sites:#?}");
            }
            let returned = if name == "returned" { RETURNED } else { 0 };
            assert_eq!(sum(details(), "returned_faults"), returned, "{name}");
        }
        let of = |name: &str| self.said[name];
        assert!(of("inherited").copies >= COPIED, "{:?}", self.said);
        assert!(of("handed").others > 0 && of("returned").faults >= RETURNED, "{:?}", self.said);
        assert_eq!(of("untouched").faults, 0);
    }

    /// A plain account of the events comes to the same for each site.
    fn pays_what_a_plain_account_says(&self) {
        let account = Account::of(&self.events);
        for name in self.said.keys() {
            let mut paid = Paid::default();
            for size in self.sizes(name) {
                let more = account.by_size.get(&size).copied().unwrap_or_default();
                paid.faults += more.faults;
                paid.fault_ns += more.fault_ns;
                paid.returned_bytes += more.returned_bytes;
            }
            let sites = self.sites(name);
            let details = sites.iter().map(|site| &site["detail"]);
            let found = Paid {
                faults: sum(sites.iter().copied(), "touch_faults"),
                // Small blocks share the time of a page.
                fault_ns: match name.as_str() {
                    "small" => paid.fault_ns,
                    _ => sum(sites.iter().copied(), "first_touch_ns"),
                },
                returned_bytes: sum(details, "returned_bytes"),
            };
            assert_eq!(found, paid, "{name}");
        }
        let report = &self.recorded.report;
        let [sites, rest] = ["sites", "rest"].map(|key| report[key].as_array().expect("rows"));
        let parts = sites.iter().map(|site| &site["detail"]["parts"]);
        let times = FaultTimes {
            blocks_ns: sum(sites, "first_touch_ns"),
            asking_ns: sum(parts, "fault_ns"),
            rest_ns: sum(rest, "fault_ns"),
            ..account.times
        };
        assert_eq!(times, account.times);
        let steps = report["timeline"]["steps"].as_array().expect("steps");
        assert_eq!(sum(steps, "fault_ns"), account.times.sum());
    }
}

fn pays(allocator: Option<&str>) {
    let scratch = Scratch::new();
    if let Some(touched) = Touched::with(allocator, &scratch) {
        touched.pays_for_what_it_did();
        touched.pays_what_a_plain_account_says();
    }
}

#[test]
fn sites_pay_for_their_blocks_with_the_c_librarys_malloc() {
    pays(None);
}

#[test]
fn sites_pay_for_their_blocks_with_jemalloc() {
    pays(Some("libjemalloc.so.2"));
}

#[test]
fn sites_pay_for_their_blocks_with_mimalloc() {
    pays(Some("libmimalloc.so.2"));
}

#[test]
fn sites_pay_for_their_blocks_with_tcmalloc() {
    pays(Some("libtcmalloc_minimal.so.4"));
}
