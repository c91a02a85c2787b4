//! What a program pays before its own `main`: the faults from exec to its entry, by what they are
//! for and by file; after the entry, what is known to come before `main`.
//!
//! ```text
//!   image.rs      one executed program until its entry
//!   entered.rs    the command after its entry: which events may tell where main begins
//!   cause.rs      what a fault is for
//!   tally.rs      sums by cause and file
//!   rows.rs       the result, with names
//! ```
//! Nobody tells of the beginning of `main`. What is in the stream:
//! - The entry: the first fault or call of the program's own code. Before it, the dynamic linker
//!   and constructors of libraries run. The page of the entry is mapped by that fault, as its
//!   segment has been read by nobody before.
//! - The end of relocations: the mprotect(2) that makes the relocated data of the program
//!   read-only.
//! - After the entry, calls with their stacks and faults of the program's code. Which of them are
//!   in `main` and which in a constructor, only names tell, which are looked up at the end. So what
//!   was paid is kept apart for each of the first few of them.

mod account;
mod cause;
mod entered;
mod image;
mod rows;
mod tally;

use std::collections::HashMap;

use events::{Definitions, Event, EventKind, Header, Life};

use crate::address_space::{Attribution, Attributor, LifeChange};
pub use account::{StartAccount, StartEvidence, StartRun, StartedSums};
use image::{Follow, Image, Moment};
pub use rows::program_start;
pub use tally::{StartSum, StartTally};

/// Follows each executed program until its start is over.
#[derive(Debug, Clone)]
pub struct Starts {
    header: Header,
    /// Those whose start is not over, by process.
    images: HashMap<u32, Image>,
    command: Command,
    /// How far the command is followed.
    follow: Follow,
    /// The start of the command's last program.
    account: Option<StartAccount>,
    sums: StartedSums,
}

/// The process that was started for the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    /// It has not begun yet.
    Awaited,
    /// This one.
    Is(u32),
    /// There is none: the recording began with a process that was already running, or has a gap at
    /// its start.
    None,
}

impl Starts {
    /// Those of the stream that begins with `header`.
    #[must_use]
    pub fn new(header: &Header) -> Starts {
        Starts {
            header: *header,
            images: HashMap::new(),
            command: Command::Awaited,
            follow: Follow::On,
            account: None,
            sums: StartedSums::default(),
        }
    }

    /// The same where nobody will ask for names of functions: the start ends at the entry.
    #[must_use]
    pub fn to_entry(header: &Header) -> Starts {
        Starts { follow: Follow::ToRelro, ..Starts::new(header) }
    }

    /// Whether any program is in its start: if not, only the lives of processes matter.
    #[must_use]
    pub fn has_open(&self) -> bool {
        !self.images.is_empty()
    }

    /// Takes the next event of the stream with its attribution, after `attributor` has taken it.
    pub fn take(
        &mut self,
        event: &Event,
        attribution: &Attribution,
        attributor: &mut Attributor,
        definitions: &Definitions,
    ) {
        if let (EventKind::Life(life), Attribution::Life(change)) = (&event.kind, attribution) {
            return self.life(*life, *change, event);
        }
        let Some(image) = self.images.get_mut(&event.thread.pid) else { return };
        let moment = Moment { event, attributor, definitions, header: &self.header };
        let goes_on = match (&event.kind, attribution) {
            (EventKind::Mapping(mapping), _) => image.mapped(mapping),
            (EventKind::Fault(fault), Attribution::Fault(origin)) => {
                image.fault(fault, origin, moment)
            }
            (EventKind::Syscall(call), _) => image.syscall(call, moment),
            (EventKind::Allocation(call), _) => image.allocation(call, moment),
            _ => true,
        };
        if !goes_on {
            self.close(event.thread.pid);
        }
    }

    /// Nothing is recorded for a while: what begins or goes on in that time is not known.
    pub fn interrupt(&mut self) {
        if self.command == Command::Awaited {
            self.command = Command::None;
        }
        for pid in self.images.keys().copied().collect::<Vec<_>>() {
            self.close(pid);
        }
    }

    /// The start of the command's last program, if it is known.
    #[must_use]
    pub fn finish(mut self) -> Option<StartAccount> {
        self.interrupt();
        let account = self.account?;
        Some(StartAccount { images: self.sums, ..account })
    }

    fn life(&mut self, life: Life, change: LifeChange, event: &Event) {
        let pid = event.thread.pid;
        match (life, change) {
            (Life::Attached, _) => self.command = Command::None,
            (Life::Executed { .. }, _) if self.header.sees.faults => {
                self.close(pid);
                if self.command == Command::Awaited {
                    self.command = Command::Is(pid);
                }
                let is_command = self.command == Command::Is(pid);
                if is_command {
                    self.account = None;
                }
                let follow = if is_command { self.follow } else { Follow::ToEntry };
                self.images.insert(pid, Image::new(event, follow));
            }
            (_, LifeChange::Over(_)) => self.close(pid),
            _ => {}
        }
    }

    /// The start of the program that `pid` executes is over, or will not be known.
    fn close(&mut self, pid: u32) {
        let Some(image) = self.images.remove(&pid) else { return };
        let account = image.finish();
        match &account {
            Some(account) => self.sums.add(account),
            None => self.sums.unknown += 1,
        }
        if self.command == Command::Is(pid) {
            self.account = account;
        }
    }
}
