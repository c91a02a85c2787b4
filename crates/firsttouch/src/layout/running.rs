//! Runs the program as often as asked for, or takes the picture of a process, and collects the
//! pictures.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use analysis::layout::{Detail, Settings};
use anyhow::{Context, anyhow};
use collect::snapshot::{
    Accounted, At, Failure, LayoutSettings, SnapshotOutcome, SnapshotRequest, Unseen, pause_after,
};
use events::snapshot::Snapshot;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use results::layout::{Kernel, Layout, LayoutRun, Moment, SCHEMA};
use sys::interrupt::Interrupt;
use sys::launch::{Addresses, Program, Setup};
use sys::process::WaitStatus;
use sys::relay::{Relay, Requests};

use super::options::as_asked;
use super::watching::Watching;
use super::{Aslr, LayoutOptions, When};

/// The first picture has residency in so many parts of each region: more than any terminal has
/// columns.
const PARTS: u64 = 256;
/// The default number of runs with --aslr.
const RUNS: u32 = 16;
/// Ten pictures a second at most.
const EVERY: Duration = Duration::from_millis(100);

/// The pictures so far.
struct Album<'a> {
    layout: Layout,
    machine: &'a LayoutSettings,
}

impl<'a> Album<'a> {
    fn new(machine: &'a LayoutSettings) -> Self {
        let layout = Layout {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Layout::default()
        };
        Album { layout, machine }
    }

    /// Adds a picture; the program is that of the first one.
    fn add(&mut self, space: &Snapshot, at: Moment, command: &[OsString]) {
        // The process knows better than the request: a program with a set-user-ID bit is laid out
        // at random in any case.
        let aslr = aslr_of(self.machine, space.fixed_addresses);
        let is_first = self.layout.runs.is_empty();
        if is_first {
            self.layout.program = program(space, command);
            self.layout.kernel = kernel(self.machine, &self.layout.program);
        }
        let is_first_of_kind = self.layout.runs.iter().all(|run| run.aslr != aslr);
        let detail = if is_first_of_kind { Detail::Parts(PARTS) } else { Detail::None };
        let run = analysis::layout::run(space, aslr, at, detail);
        self.layout.runs.push(run);
    }

    fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.layout.notes.contains(&text) {
            self.layout.notes.push(text);
        }
    }

    fn finish(mut self) -> Layout {
        let runs = &self.layout.runs;
        let of = |aslr: Option<bool>| {
            runs.iter().filter(|run| run.aslr == aslr).collect::<Vec<&LayoutRun>>()
        };
        let (with, without) = (of(Some(true)), of(Some(false)));
        if with.is_empty() || without.is_empty() {
            self.layout.summary = analysis::layout::summary(&runs.iter().collect::<Vec<_>>());
        } else {
            let summaries = (analysis::layout::summary(&with), analysis::layout::summary(&without));
            (self.layout.summary, self.layout.summary_without_aslr) =
                (summaries.0, Some(summaries.1));
        }
        let unseen = self.layout.runs.first().map_or(0, |run| run.threads_unseen);
        if unseen > 0 {
            let whose = if unseen == 1 {
                "the stack of 1 thread is".to_owned()
            } else {
                format!("the stacks of {unseen} threads are")
            };
            self.note(format!(
                "{whose} shown as anonymous memory: the stack pointer could not be read (the \
                 thread was running, or Yama hides it)"
            ));
        }
        self.layout
    }
}

fn program(space: &Snapshot, command: &[OsString]) -> results::layout::ProgramFile {
    let words: Vec<String> =
        command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    analysis::layout::program(space, &words)
}

fn kernel(machine: &LayoutSettings, program: &results::layout::ProgramFile) -> Kernel {
    let bits = program.bits.unwrap_or(64);
    let is_compat32 = bits == 32 && usize::BITS == 64;
    let configured = analysis::layout::configured(&Settings {
        release: &machine.release,
        architecture: machine.architecture,
        page_bytes: machine.page_bytes,
        randomize: machine.randomize,
        mmap_bits: if is_compat32 { machine.mmap_bits_compat32 } else { machine.mmap_bits },
        bits,
        movable: program.position_independent.unwrap_or(true),
    });
    Kernel {
        release: machine.release.clone(),
        architecture: machine.architecture.to_owned(),
        randomize_va_space: machine.randomize,
        configured_bits: configured,
    }
}

/// The picture of a process that runs.
pub(super) fn look_at(
    pid: u32,
    options: &LayoutOptions,
    machine: &LayoutSettings,
    interrupt: Interrupt,
) -> anyhow::Result<Layout> {
    let first = if options.accounted { Accounted::Always } else { Accounted::IfShort };
    let look = |accounted| {
        let began = Instant::now();
        let space = collect::snapshot::picture(pid, accounted)?;
        Ok((space, pause_after(began.elapsed(), EVERY)))
    };
    let (mut space, mut pause) = look(first).map_err(Failure::Unseen)?;
    if options.watch {
        let mut watching = Watching::new();
        while interrupt.received().is_none() {
            watching.show(&single(machine, &space, Moment::Running, &[]));
            interrupt.wait(pause);
            match look(Accounted::IfShort) {
                Ok(next) => (space, pause) = next,
                Err(Unseen::Gone(_) | Unseen::Empty(_)) => break,
                Err(unseen) => return Err(Failure::Unseen(unseen).into()),
            }
        }
    }
    Ok(single(machine, &space, Moment::Running, &[]))
}

fn single(machine: &LayoutSettings, space: &Snapshot, at: Moment, command: &[OsString]) -> Layout {
    let mut album = Album::new(machine);
    album.add(space, at, command);
    if space.totals.accounted_bytes.is_none() && command.is_empty() {
        album.note(
            "accounted memory was not read: that would keep mmap and munmap of the process waiting \
             for more than a millisecond (--accounted reads it all the same)",
        );
    }
    album.finish()
}

/// Whether the addresses of a process are random; `fixed` is its personality.
fn aslr_of(machine: &LayoutSettings, fixed: Option<bool>) -> Option<bool> {
    match (machine.randomize, fixed) {
        (Some(0), _) | (_, Some(true)) => Some(false),
        (Some(_), Some(false)) => Some(true),
        _ => None,
    }
}

/// The picture, or pictures, of a program.
pub(super) fn run(
    options: &LayoutOptions,
    machine: &LayoutSettings,
    interrupt: Interrupt,
) -> anyhow::Result<Layout> {
    let program = Program::find(&options.command).map_err(Failure::Unfit)?;
    let mut album = Album::new(machine);
    if program.wants_privilege() && !sys::process::is_root() {
        album.note(format!(
            "{} has a set-user-ID or set-group-ID bit: it ran without that privilege, because it \
             was traced",
            program.path().display()
        ));
    }
    let mut relay = Relay::new().context("cannot watch for signals")?;
    relay.take_requests(Requests::Once);
    let count = options.runs.unwrap_or(if options.aslr.is_some() { RUNS } else { 1 });
    let ways: &[Addresses] = match options.aslr {
        None => &[Addresses::Inherited],
        Some(Aslr::On) => &[Addresses::Random],
        Some(Aslr::Off) => &[Addresses::Fixed],
        Some(Aslr::Both) => &[Addresses::Fixed, Addresses::Random],
    };
    let total = count as usize * ways.len();
    let bar = bar(total);
    for (number, way) in
        ways.iter().flat_map(|way| std::iter::repeat_n(*way, count as usize)).enumerate()
    {
        bar.set_position(number as u64);
        let request = SnapshotRequest {
            program: &program,
            setup: Setup {
                addresses: way,
                discard_output: total > 1
                    || options.watch
                    || options.json.as_deref().is_some_and(|path| path.as_os_str() == "-"),
                no_input: total > 1,
                ..Setup::default()
            },
            at: match options.at {
                When::Exec => At::Exec,
                When::Exit => At::Exit,
                When::After(time) => At::After(time),
            },
            every: options.watch.then_some(EVERY),
        };
        let outcome = once(&request, options, machine, (interrupt, &mut relay))?;
        keep(&mut album, outcome, options, way, interrupt)?;
        if interrupt.received().is_some() {
            if number + 1 < total {
                album.note(format!("interrupted after {} of {total} runs", number + 1));
            }
            break;
        }
    }
    bar.finish_and_clear();
    if machine.randomize == Some(0) && options.aslr.is_some_and(|aslr| aslr != Aslr::Off) {
        album.note(
            "kernel.randomize_va_space is 0: nothing is placed at random here, not even with \
             --aslr on",
        );
    }
    Ok(album.finish())
}

fn once(
    request: &SnapshotRequest,
    options: &LayoutOptions,
    machine: &LayoutSettings,
    (interrupt, relay): (Interrupt, &mut Relay),
) -> Result<SnapshotOutcome, Failure> {
    let mut watching = request.every.map(|_| Watching::new());
    collect::snapshot::run(request, interrupt, relay, &mut |space| {
        if let Some(watching) = &mut watching {
            watching.show(&single(machine, space, Moment::Running, &options.command));
        }
    })
}

/// Adds the picture of a run to the others.
fn keep(
    album: &mut Album,
    outcome: SnapshotOutcome,
    options: &LayoutOptions,
    way: Addresses,
    interrupt: Interrupt,
) -> anyhow::Result<()> {
    use collect::snapshot::TakenAt;
    let Some((space, seen)) = outcome.taken else {
        if interrupt.received().is_some() && !album.layout.runs.is_empty() {
            return Ok(());
        }
        let how = match outcome.ending {
            WaitStatus::Killed(signal) => format!("was killed by {}", sys::interrupt::name(signal)),
            WaitStatus::Exited(status) => format!("exited with status {status}"),
        };
        return Err(anyhow!(
            "the program {how} before its picture was taken; try --at TIME with an earlier time"
        ));
    };
    let at = match (seen, options.at) {
        (TakenAt::Interrupted, _) => Moment::Interrupted,
        (TakenAt::AtExit, _) | (TakenAt::AsAsked, When::Exit) => Moment::Exit,
        (TakenAt::AsAsked, When::Exec) => Moment::Exec,
        (TakenAt::AsAsked, When::After(_)) => Moment::Time,
    };
    if let (TakenAt::AtExit, When::After(time)) = (seen, options.at) {
        album.note(format!(
            "the program exited before {} had passed: the picture is of its exit",
            as_asked(time)
        ));
    }
    if let WaitStatus::Killed(signal) = outcome.ending
        && interrupt.received().is_none()
    {
        album.note(format!("the program was killed by {}", sys::interrupt::name(signal)));
    }
    if way == Addresses::Fixed && space.fixed_addresses == Some(false) {
        album.note(
            "--aslr off had no effect: the kernel lays out programs with a set-user-ID or \
             set-group-ID bit, and those they exec, at random in any case (personality(2))",
        );
    }
    album.add(&space, at, &options.command);
    Ok(())
}

/// The progress of several runs.
fn bar(total: usize) -> ProgressBar {
    let visible = total > 1 && std::io::stderr().is_terminal();
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    bar.set_style(
        ProgressStyle::with_template("{bar:14} run {pos} of {len}")
            .expect("a valid template")
            .progress_chars("=> "),
    );
    bar.tick();
    bar
}
