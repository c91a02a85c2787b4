//! The real bench: one fresh child process per sample, of the same program.

mod beside;
mod conversion;
mod ending;

pub use conversion::add_floors;
pub use ending::understand;

use std::collections::BTreeMap;
use std::io;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use results::{Block, Sample};
use sample::measurement::Measurement;
use sample::protocol::{Answer, CHILD_VERB, Job, Task};
use sample::random::below;
use sys::interrupt::Interrupt;

use crate::design::Design;
use crate::design::time_budget::COLDNESS;
use crate::design::work::Work;
use crate::question::memory::MemoryState;
use crate::question::preload::{Environment, Preloaded};
use crate::run::activity::BlockActivity;
use crate::run::allocators;
use crate::run::files::Files;
use crate::run::policy_check::{self, policy_took_effect};
use crate::run::timings::TakenTimings;
use crate::run::{Bench, Taken};
use conversion::Slot;

/// If no host takes memory back, free memory stays warm unless the machine was idle for this long.
const IDLE: Duration = Duration::from_secs(1);
/// The environment variable that carries padding. The size of the environment shifts the start of a
/// process's stack, and with it alignments (Mytkowicz et al. 2009): this factor is randomised, not
/// fixed.
pub const PADDING: &str = "FIRSTTOUCH_PADDING";
/// The longest padding.
pub const PADDING_BYTES_MAX: u64 = 4096;
/// The time that a child may take beyond twice the cap of the run.
const PATIENCE: Duration = Duration::from_mins(1);

/// The part of a bench that does not depend on the design.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The user's requests to end.
    pub interrupt: Interrupt,
    /// When the run's clock started.
    pub started: Instant,
    /// The processors to measure on, one per block.
    pub cpus: Vec<u32>,
    /// The files of the run.
    pub files: Rc<Files>,
}

impl Surroundings {
    /// The surroundings of a run that started at `started`, on processor `cpu` or on all that it
    /// may use.
    #[must_use]
    pub fn new(interrupt: Interrupt, started: Instant, cpu: Option<u32>, files: Rc<Files>) -> Self {
        // Read once: from here on this process pins itself to one of them at a time.
        let cpus = cpu.map_or_else(sys::process::allowed_cpus, |cpu| vec![cpu]);
        Surroundings { interrupt, started, cpus, files }
    }
}

/// Starts children and records activity around them.
pub struct Children<'a> {
    design: &'a Design,
    around: Surroundings,
    program: PathBuf,
    random: Xoshiro256PlusPlus,
    last_child: Option<Instant>,
    /// Whether freed memory stays with this machine: no host takes it back.
    keeps_memory: bool,
    /// The processor of the current samples; `None` if moving to it failed.
    cpu: Option<u32>,
    /// Processor time of the children since the start of the block.
    block_cpu: Duration,
    activity: Option<BlockActivity>,
    /// Times of single touches, if they were timed.
    timings: Vec<TakenTimings>,
    /// The seed of the workloads of small objects, the same in all samples of a block.
    block_seed: u64,
    /// By allocator name: how children get it, or why it is not available here.
    allocators: BTreeMap<String, Result<Preloaded, String>>,
    /// The cached bytes of the last child's file, before and after.
    cached: (Option<u64>, Option<u64>),
    /// The floors.
    beside: beside::Beside,
}

impl<'a> Children<'a> {
    /// A bench for `design`.
    ///
    /// # Errors
    /// If the program cannot find its own file.
    pub fn new(design: &'a Design, around: Surroundings) -> io::Result<Self> {
        let mut children = Children {
            design,
            around,
            program: sys::process::own_program()?,
            // A different random stream than that of the orders: the seed with its bits inverted.
            random: Xoshiro256PlusPlus::seed_from_u64(!design.seed),
            last_child: None,
            keeps_memory: sys::machine::free_page_reporting() == Some(false),
            cpu: None,
            block_cpu: Duration::ZERO,
            activity: None,
            block_seed: design.seed,
            timings: Vec::new(),
            allocators: BTreeMap::new(),
            cached: (None, None),
            beside: beside::Beside::new(design),
        };
        children.change_processor();
        Ok(children)
    }

    /// Draws the processor for the next samples and moves there; children inherit it. The samples
    /// of a block share a processor, so that its ratios do not include differences between
    /// processors, and the warm-up frees its pages to the per-processor lists from which the child
    /// allocates.
    fn change_processor(&mut self) {
        let Ok(count @ 1..) = u64::try_from(self.around.cpus.len()) else { return };
        let index = usize::try_from(below(&mut self.random, count)).expect("an index");
        // If the processor has just gone offline, the block runs unpinned.
        let cpu = self.around.cpus[index];
        self.cpu = sys::process::pin_to(cpu).is_ok().then_some(cpu);
    }

    /// The one untimed, observed run of `work`; `None` if the user interrupted the run.
    ///
    /// # Errors
    /// Why the child failed.
    pub fn observe(&mut self, work: &Work) -> Result<Option<(Measurement, Sample)>, String> {
        self.prepare_memory(MemoryState::Warm, work.warm_bytes);
        let measurement = self.run(work, true)?;
        Ok(measurement.map(|measurement| {
            let sample = self.sample_of(work, &measurement, 0, 0);
            (measurement, sample)
        }))
    }

    /// Brings free memory into the state that the design requires.
    fn prepare_memory(&mut self, memory: MemoryState, warm_bytes: u64) {
        match memory {
            MemoryState::Cold => self.around.interrupt.wait(COLDNESS),
            MemoryState::Warm if warm_bytes == 0 => {} // observed runs of a cold design
            MemoryState::Warm
                if self.keeps_memory && self.last_child.is_some_and(|end| end.elapsed() < IDLE) => {
            }
            // In a child, so that the out-of-memory killer hits a child and never this process with
            // all its samples. If a warm-up fails, memory stays as it was; the samples would then
            // show two modes.
            MemoryState::Warm => {
                let task = Task::Warm { parent: std::process::id(), bytes: warm_bytes };
                if let Ok(Some(finished)) = sys::process::run(
                    &mut self.command(&task),
                    self.around.interrupt,
                    self.patience(),
                ) {
                    self.block_cpu += finished.usage.cpu;
                }
            }
        }
    }

    /// Runs a child that measures `work`; `None` if the user interrupted the run.
    fn run(&mut self, work: &Work, observe: bool) -> Result<Option<Measurement>, String> {
        let job = Job {
            parent: std::process::id(),
            source: work.source,
            size_bytes: work.size_bytes,
            operations: work.operations,
            extra_bytes: work.extra_bytes,
            fill: work.fill,
            pattern: work.pattern,
            seed: if work.source.counts_pairs() { self.block_seed } else { self.random.next_u64() },
            before: work.before,
            threads: work.threads,
            one_mapping: work.one_mapping && work.threads > 1,
            // Threads that share one processor would only take turns.
            cpus: if work.source.threads(work.threads) > 1 {
                self.around.cpus.clone()
            } else {
                Vec::new()
            },
            file: self.around.files.of(work)?,
            observe,
        };
        let preloaded = self.preloaded(&work.environment)?;
        self.cached = (self.around.files.prepare(work)?, None);
        let answer = self.ask_in(&Task::Measure(job), &work.environment, preloaded.as_ref())?;
        self.cached.1 = self.around.files.cached_bytes(work);
        match answer {
            Some(Answer::Measured(measurement)) => {
                policy_check::allocator(measurement.allocator.as_deref(), preloaded.as_ref())?;
                Ok(Some(*measurement))
            }
            Some(Answer::Failed { reason }) => Err(reason),
            Some(_) => Err("the child's answer is of another kind".to_owned()),
            None => Ok(None),
        }
    }

    /// Whether the file that `work` needs is available here.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn file_for(&self, work: &Work) -> Result<(), String> {
        self.around.files.of(work).map(drop)
    }

    /// How children of `environment` get their allocator; `None` if they keep the default one.
    ///
    /// # Errors
    /// Why it is not available here.
    pub fn preloaded(&mut self, environment: &Environment) -> Result<Option<Preloaded>, String> {
        let Some(allocator) = &environment.allocator else { return Ok(None) };
        if let Some(known) = self.allocators.get(&allocator.name) {
            return known.clone().map(Some);
        }
        let resolved = allocators::find(allocator, self.around.interrupt);
        if self.around.interrupt.received().is_none() {
            self.allocators.insert(allocator.name.clone(), resolved.clone());
        }
        resolved.map(Some)
    }

    /// The timeout of a child, if the run has a time cap: far longer than any child takes, so that
    /// a child that hangs does not hang the run.
    fn patience(&self) -> Option<Duration> {
        self.design.schedule.cap.map(|cap| 2 * cap + PATIENCE)
    }

    /// The answer of a child with this process's environment to `task`; `None` if the user
    /// interrupted the run.
    fn ask(&mut self, task: &Task) -> Result<Option<Answer>, String> {
        self.ask_in(task, &Environment::default(), None)
    }

    /// The answer of a child with `environment` to `task`; `None` if the user interrupted the run.
    fn ask_in(
        &mut self,
        task: &Task,
        environment: &Environment,
        preloaded: Option<&Preloaded>,
    ) -> Result<Option<Answer>, String> {
        let oom_kills = sys::proc::oom_kills();
        let mut command = self.command(task);
        command.envs(&environment.variables);
        match preloaded.map(|preloaded| &preloaded.library) {
            Some(Some(library)) => command.env("LD_PRELOAD", library),
            Some(None) => command.env_remove("LD_PRELOAD"),
            None => &mut command,
        };
        let finished = sys::process::run(&mut command, self.around.interrupt, self.patience());
        self.last_child = Some(Instant::now());
        let finished = finished.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => format!("the child hangs: {error}"),
            _ => format!("cannot start the child: {error}"),
        })?;
        let Some(finished) = finished else { return Ok(None) };
        self.block_cpu += finished.usage.cpu;
        understand(&finished, || sys::proc::oom_kills() > oom_kills).map(Some)
    }

    fn sample_of(
        &self,
        work: &Work,
        measurement: &Measurement,
        block: u64,
        position: u64,
    ) -> Sample {
        let (cached_before_bytes, cached_after_bytes) = self.cached;
        let slot = Slot { block, position, cached_before_bytes, cached_after_bytes };
        conversion::sample(self.design, work, measurement, slot)
    }

    fn command(&mut self, task: &Task) -> Command {
        let mut padding = || {
            "x".repeat(usize::try_from(below(&mut self.random, PADDING_BYTES_MAX)).expect("small"))
        };
        let mut command = Command::new(&self.program);
        sys::process::set_name(&mut command, "firsttouch");
        command.arg(CHILD_VERB).arg(serde_json::to_string(task).expect("a task can be serialised"));
        command.arg(padding()).env(PADDING, padding());
        command
    }
}

impl Bench for Children<'_> {
    type Sample = Sample;

    fn now(&mut self) -> Duration {
        self.around.started.elapsed()
    }

    fn sample(&mut self, arm: usize, block: u64, position: u64) -> Taken {
        if self.around.interrupt.received().is_some() {
            return Taken::Interrupted;
        }
        self.floors_before(position);
        let work = &self.design.arms[arm].work;
        self.prepare_memory(work.memory, work.warm_bytes);
        let mut measurement = match self.run(work, false) {
            Ok(Some(measurement)) => measurement,
            Ok(None) => return Taken::Interrupted,
            Err(reason) => return Taken::Failed(format!("{reason} (block {block})")),
        };
        let sample = self.sample_of(work, &measurement, block, position);
        if let Some(timings) = measurement.timings.take() {
            self.timings.push(TakenTimings::new(arm, block, timings));
        }
        match policy_took_effect(work, &sample) {
            Ok(()) => Taken::Sample(sample),
            Err(reason) => Taken::Unproved(sample, format!("{reason} (block {block})")),
        }
    }

    fn begin_block(&mut self) {
        self.change_processor();
        self.block_cpu = Duration::ZERO;
        self.block_seed = self.random.next_u64();
        self.place_floors();
        self.activity = Some(BlockActivity::begin());
    }

    fn end_block(&mut self, block: u64) -> Block {
        let Some(activity) = self.activity.take() else {
            return Block::default();
        };
        if self.around.interrupt.received().is_none() {
            self.floors_before(u64::MAX); // of positions whose arms have left
        }
        self.keep_floors(block, activity.elapsed());
        // Threads may run on all processors of the program.
        let cpu = self.cpu.filter(|_| {
            self.design.arms.iter().all(|arm| arm.work.source.threads(arm.work.threads) == 1)
        });
        activity.end(block, self.around.started, self.block_cpu, cpu)
    }
}
