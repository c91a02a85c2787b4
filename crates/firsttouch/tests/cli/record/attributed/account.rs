//! A plain account of events: every page and every block on its own, and no threads that allocate
//! at the same time. Sites are told apart by the sizes that they ask for.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

const PAGE: u64 = 4096;

/// What the blocks of one size pay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Paid {
    pub(crate) faults: u64,
    pub(crate) fault_ns: u64,
    pub(crate) returned_bytes: u64,
}

/// The time of all faults by what they are of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "their unit")]
pub(crate) struct FaultTimes {
    /// On blocks.
    pub(crate) blocks_ns: u64,
    /// Inside calls that ask for memory, and inside those that only give back.
    pub(crate) asking_ns: u64,
    pub(crate) freeing_ns: u64,
    pub(crate) rest_ns: u64,
}

impl FaultTimes {
    pub(crate) fn sum(&self) -> u64 {
        self.blocks_ns + self.asking_ns + self.freeing_ns + self.rest_ns
    }
}

#[derive(Debug, Clone, Default)]
struct Process {
    /// The sizes of live blocks.
    blocks: BTreeMap<u64, u64>,
    /// The size of the block that paid for each page that is there.
    owners: HashMap<u64, u64>,
    break_at: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    processes: HashMap<u64, Process>,
    /// Until when a thread is inside its call, and whether that asks for memory.
    calls: HashMap<u64, (u64, bool)>,
    pub(crate) by_size: BTreeMap<u64, Paid>,
    pub(crate) times: FaultTimes,
}

fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or(0)
}

/// An address or a number among the arguments of a call.
fn value(of: &Value) -> u64 {
    let digits = of.as_str().and_then(|text| text.strip_prefix("0x"));
    let address = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    address.or(of.as_u64()).unwrap_or(0)
}

impl Account {
    pub(crate) fn of(events: &[Value]) -> Account {
        let mut account = Account::default();
        for event in events {
            account.take(event);
        }
        account
    }

    fn take(&mut self, event: &Value) {
        let pid = number(event, "pid");
        match event["kind"].as_str() {
            Some("process") if event["event"] == "started" => {
                let parent = self.processes.get(&number(event, "by")).cloned();
                self.processes.insert(pid, parent.unwrap_or_default());
            }
            Some("process") if event["event"] == "executed" => {
                self.processes.insert(pid, Process::default());
            }
            Some("allocation") => self.allocation(event),
            Some("fault") => self.fault(event),
            Some("syscall") if event["error"].is_null() => self.syscall(event),
            _ => {}
        }
    }

    fn allocation(&mut self, event: &Value) {
        let process = self.processes.entry(number(event, "pid")).or_default();
        let (released, address) = (value(&event["released"]), value(&event["address"]));
        let is_known = process.blocks.remove(&released).is_some();
        let asks = event["size_bytes"].is_u64();
        if address != 0 {
            process.blocks.insert(address, number(event, "size_bytes"));
        }
        if asks || is_known {
            let end_ns = number(event, "time_ns") + number(event, "latency_ns");
            self.calls.insert(number(event, "tid"), (end_ns, asks));
        }
    }

    fn fault(&mut self, event: &Value) {
        let (address, ns) = (value(&event["address"]), number(event, "latency_ns"));
        let process = self.processes.entry(number(event, "pid")).or_default();
        if let Some(bytes) = process.paying(address) {
            process.owners.insert(address / PAGE, bytes);
            let paid = self.by_size.entry(bytes).or_default();
            paid.faults += 1;
            paid.fault_ns += ns;
            self.times.blocks_ns += ns;
            return;
        }
        let call = self.calls.get(&number(event, "tid"));
        match call.filter(|(end_ns, _)| number(event, "time_ns") < *end_ns) {
            Some((_, true)) => self.times.asking_ns += ns,
            Some((_, false)) => self.times.freeing_ns += ns,
            None => self.times.rest_ns += ns,
        }
    }

    fn syscall(&mut self, event: &Value) {
        let process = self.processes.entry(number(event, "pid")).or_default();
        let arguments = &event["args"];
        let result = value(&event["result"]);
        let [first, second, third] = [0, 1, 2].map(|at| value(&arguments[at]));
        let gone = match event["name"].as_str() {
            Some("munmap") => first..first + second,
            Some("madvise") if arguments[2] == "MADV_DONTNEED" || arguments[2] == "MADV_FREE" => {
                first..first + second
            }
            Some("brk") => {
                let before = std::mem::replace(&mut process.break_at, result);
                result..before
            }
            Some("mremap") => {
                let pages = (first..first + second.min(third)).step_by(4096);
                let moved: Vec<_> =
                    pages.map(|at| (at - first, process.owners.remove(&(at / PAGE)))).collect();
                for (offset, owner) in moved {
                    owner.map(|owner| process.owners.insert((result + offset) / PAGE, owner));
                }
                return;
            }
            _ => return,
        };
        for page in gone.start / PAGE..gone.end.div_ceil(PAGE) {
            if let Some(bytes) = process.owners.remove(&page) {
                self.by_size.entry(bytes).or_default().returned_bytes += PAGE;
            }
        }
    }
}

impl Process {
    /// The size of the block that a fault belongs to: the one with the address, or else the nearest
    /// above it on the page.
    fn paying(&self, address: u64) -> Option<u64> {
        let below = self.blocks.range(..=address).next_back();
        let with = below.filter(|&(&at, &bytes)| address < at + bytes.max(1));
        let page_end = (address / PAGE + 1) * PAGE;
        let above = || self.blocks.range(address..page_end).next();
        with.or_else(above).map(|(_, &bytes)| bytes)
    }
}
