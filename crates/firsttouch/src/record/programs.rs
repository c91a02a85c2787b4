//! Which programs were executed, and which of them write their allocation calls.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use events::{Batch, Definition, EventKind, Life, Name};

/// A note names this many programs.
const NAMED_MAX: usize = 4;

/// The programs that were executed, by their process.
#[derive(Debug, Default)]
pub(super) struct Programs {
    names: HashMap<Name, Arc<str>>,
    executed: BTreeMap<u32, Executed>,
}

#[derive(Debug, Clone, Copy)]
struct Executed {
    times: usize,
    last: Name,
}

impl Programs {
    /// Notes those of a batch.
    pub(super) fn see(&mut self, batch: &Batch) {
        for definition in &batch.definitions {
            if let Definition::Text(name, text) = definition {
                self.names.insert(*name, Arc::clone(text));
            }
        }
        for event in &batch.events {
            if let EventKind::Life(Life::Executed { name }) = event.kind {
                let known = Executed { times: 0, last: name };
                let executed = self.executed.entry(event.thread.pid).or_insert(known);
                *executed = Executed { times: executed.times + 1, last: name };
            }
        }
    }

    /// The number of those that do not write their calls.
    pub(super) fn silent_count(&self, greeted: &[u32]) -> u64 {
        self.unheard(greeted).map(|(times, _)| times as u64).sum()
    }

    /// How many of the programs of each process do not write their calls, and the last one's name.
    fn unheard(&self, greeted: &[u32]) -> impl Iterator<Item = (usize, Name)> {
        self.executed.iter().filter_map(|(pid, executed)| {
            let heard = greeted.iter().filter(|greeted| *greeted == pid).count();
            let silent = executed.times.saturating_sub(heard);
            (silent > 0).then_some((silent, executed.last))
        })
    }

    /// A sentence about those that do not write their calls; `None`: all do. `greeted` has a
    /// process for each program that does.
    pub(super) fn silent(&self, greeted: &[u32]) -> Option<String> {
        const WHY: &str = "linked statically, with privileges to gain, started with an empty \
                           environment, or without what it takes (a descriptor, the library's \
                           file); syscalls and page faults are recorded";
        let all: usize = self.executed.values().map(|executed| executed.times).sum();
        let silent: usize = self.unheard(greeted).map(|(times, _)| times).sum();
        let names = self.unheard(greeted).map(|(_, name)| self.names.get(&name));
        let names: BTreeSet<&str> = names.map(|name| name.map_or("?", |name| name)).collect();
        if greeted.is_empty() {
            return Some(format!(
                "no process has loaded the library that records allocation calls: {WHY}"
            ));
        }
        if silent == 0 {
            return None;
        }
        let more = if names.len() > NAMED_MAX { ", ..." } else { "" };
        let names = names.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
        let have = if silent == 1 { "has" } else { "have" };
        Some(format!(
            "{silent} of {all} programs {have} not loaded the library that records allocation \
             calls ({names}{more}): {WHY}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use events::{Event, Thread};

    use super::*;

    fn executing(processes: &[u32]) -> Programs {
        let mut batch = Batch::default();
        let name = Name::from_number(1);
        batch.definitions.push(Definition::Text(name, Arc::from("ls")));
        batch.events.extend(processes.iter().map(|&pid| Event {
            time_ns: 0,
            thread: Thread { pid, tid: pid },
            kind: EventKind::Life(Life::Executed { name }),
        }));
        let mut programs = Programs::default();
        programs.see(&batch);
        programs
    }

    #[test]
    fn a_program_that_does_not_write_is_named() {
        assert_eq!(executing(&[7, 7, 8]).silent(&[7, 8, 7]), None);
        let silent = executing(&[7, 7, 8]).silent(&[7, 8]).unwrap();
        assert!(silent.starts_with("1 of 3 programs has not"), "{silent}");
        assert!(silent.contains("(ls)"), "{silent}");
        let none = executing(&[7]).silent(&[]).unwrap();
        assert!(none.starts_with("no process has loaded"), "{none}");
    }
}
