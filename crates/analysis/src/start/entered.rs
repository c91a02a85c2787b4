//! After the entry: constructors of the program, then `main`. What was paid is kept apart for each
//! place where the program was seen, because only names tell which of them are in `main`.

use std::collections::HashMap;
use std::mem::take;

use events::{ModuleId, StackId};
use results::start::StartCause;

use super::account::{StartEvidence, StartRun};
use super::image::Moment;
use super::tally::{StartSum, StartTally};

/// The outer frames of a stack that tell constructors from `main`: with the GNU C library
/// `_start`, `__libc_start_main`, perhaps another one of it, and then `main` or a constructor.
const OUTER_FRAMES: usize = 4;
/// Stacks that share so many of them count as one place.
const PLACE_FRAMES: usize = 3;
/// The most places that are told apart.
const PLACES: usize = 1024;
/// The most calls and faults that are looked at.
const EVENTS: u32 = 1 << 18;
/// The same from the first call that looks as if it was in `main`.
const EVENTS_IN_MAIN: u32 = 1 << 10;

/// A program after its entry.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    pub(super) at_ns: u64,
    runs: Vec<StartRun>,
    /// The faults since the last event of the last run.
    since: StartTally,
    /// The run of each place.
    places: HashMap<Place, usize>,
    last: (StackId, Option<Place>),
    events_left: u32,
}

/// Where the program was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// In a call, by the third of the outer frames.
    Stack(StackId),
    /// At this instruction of its file.
    Code(u64),
    /// Behind its relocations.
    Relro,
}

/// A fault after the entry.
pub(super) struct FaultAfterEntry {
    pub(super) sum: StartSum,
    /// Its cause and file; `None`: it is the recorder's.
    pub(super) belongs: Option<(StartCause, ModuleId)>,
    /// The offset of the instruction in the program's file, in bytes, if it is there.
    pub(super) offset_bytes: Option<u64>,
    /// Its end since exec, in nanoseconds.
    pub(super) until_ns: u64,
}

impl Entered {
    /// The program was entered at this time.
    pub(super) fn new(at_ns: u64) -> Entered {
        Entered {
            at_ns,
            runs: Vec::new(),
            since: StartTally::default(),
            places: HashMap::new(),
            last: (StackId::NONE, None),
            events_left: EVENTS,
        }
    }

    /// Takes a fault. Returns whether more is to be seen, as the other functions do.
    pub(super) fn fault(&mut self, fault: &FaultAfterEntry) -> bool {
        let FaultAfterEntry { sum, belongs, offset_bytes, until_ns } = *fault;
        let tells = offset_bytes.is_some_and(|offset| {
            self.see(Place::Code(offset), until_ns, || StartEvidence::Code(offset))
        });
        let inside = self.runs.last_mut().filter(|_| tells).map(|run| &mut run.inside);
        inside.unwrap_or(&mut self.since).add_fault(belongs, &sum);
        self.spend() && self.has_room()
    }

    /// The program has relocated itself.
    pub(super) fn relro(&mut self, until_ns: u64) -> bool {
        self.see(Place::Relro, until_ns, || StartEvidence::Relro);
        self.has_room()
    }

    /// Takes a call of the program's first thread.
    pub(super) fn call(
        &mut self,
        stack: StackId,
        executable: ModuleId,
        until_ns: u64,
        moment: &mut Moment<'_>,
    ) -> bool {
        let known = Some(self.last.1).filter(|_| self.last.0 == stack);
        let outer = if known.is_none() { outer_frames(stack, moment) } else { Outer::default() };
        let place = known.unwrap_or_else(|| {
            // A stack that ends elsewhere was not followed to its beginning.
            let (begin, _) = outer.frames.first()?;
            (*begin == executable).then_some(Place::Stack(outer.place))
        });
        self.last = (stack, place);
        if let Some(place) = place {
            if outer.looks_like_main(executable) {
                self.events_left = self.events_left.min(EVENTS_IN_MAIN);
            }
            self.see(place, until_ns, || StartEvidence::Stack(outer.frames));
        }
        self.spend() && self.has_room()
    }

    /// An event was looked at.
    pub(super) fn spend(&mut self) -> bool {
        self.events_left = self.events_left.saturating_sub(1);
        self.events_left > 0
    }

    /// What was seen.
    pub(super) fn finish(self) -> Vec<StartRun> {
        self.runs
    }

    fn has_room(&self) -> bool {
        self.places.len() < PLACES
    }

    /// The program was at `place` until `until_ns`. Returns whether that tells where it is, and
    /// the last run goes on.
    fn see(
        &mut self,
        place: Place,
        until_ns: u64,
        evidence: impl FnOnce() -> StartEvidence,
    ) -> bool {
        let last = self.runs.len().saturating_sub(1);
        match self.places.get(&place).copied() {
            Some(run) if run == last => self.runs[run].inside.merge(&take(&mut self.since)),
            // The same call goes on, and what came in between is part of it.
            Some(run) if matches!(place, Place::Stack(_)) => self.join(run),
            // A function may be called from anywhere.
            Some(_) => return false,
            None => {
                self.places.insert(place, self.runs.len());
                self.runs.push(StartRun {
                    evidence: vec![evidence()],
                    gap: take(&mut self.since),
                    ..StartRun::default()
                });
            }
        }
        if let Some(run) = self.runs.last_mut() {
            run.until_ns = until_ns;
        }
        true
    }

    /// Makes all runs from `first` on one, up to now.
    fn join(&mut self, first: usize) {
        let later = self.runs.split_off(first + 1);
        let Some(run) = self.runs.last_mut() else { return };
        for StartRun { evidence, gap, inside, .. } in later {
            run.evidence.extend(evidence);
            run.inside.merge(&gap);
            run.inside.merge(&inside);
        }
        run.inside.merge(&take(&mut self.since));
        self.places.values_mut().for_each(|run| *run = (*run).min(first));
    }
}

/// The outer frames of a stack.
#[derive(Debug, Default)]
struct Outer {
    /// The outermost first.
    frames: Vec<(ModuleId, u64)>,
    /// The innermost of those that tell places apart.
    place: StackId,
}

impl Outer {
    /// Whether they are those of `main` under the GNU C library since 2.34. There may be others
    /// like them.
    fn looks_like_main(&self, executable: ModuleId) -> bool {
        let [begin, outer, inner, own] = self.frames[..] else { return false };
        (begin.0, own.0) == (executable, executable) && outer.0 == inner.0 && outer.0 != own.0
    }
}

fn outer_frames(stack: StackId, moment: &mut Moment<'_>) -> Outer {
    let mut outer = [(StackId::NONE, 0); OUTER_FRAMES];
    let (mut at, mut count) = (stack, 0);
    while let Some(frame) = moment.definitions.frame(at) {
        outer[count % OUTER_FRAMES] = (at, frame.address);
        count += 1;
        at = frame.caller;
    }
    let from_the_outermost =
        (1..=count.min(OUTER_FRAMES)).map(|back| (count - back) % OUTER_FRAMES);
    let outer: Vec<_> = from_the_outermost.map(|index| outer[index]).collect();
    Outer {
        place: outer.iter().take(PLACE_FRAMES).next_back().map_or(StackId::NONE, |(id, _)| *id),
        frames: outer.iter().map(|(_, address)| moment.place(*address)).collect(),
    }
}
