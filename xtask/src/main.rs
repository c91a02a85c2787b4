//! `cargo xtask`: the daily commands. `test` runs every test and lists what was skipped. `prove`
//! validates the lab on this machine; docs/method.md describes the stages. The `bench-` tasks
//! measure the cost of trace, record, report and layout; their pages in docs/ have the results. An
//! interrupted stage of `prove` continues where it stopped: each run is a line in the stage's file.

mod lab_stages;
mod looks;
mod neighbour;
mod peers;
mod phases;
mod program;
mod rates;
mod recording;
mod reports;
mod stage;
mod store;
mod test;
mod tracing;
mod whole_programs;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use sys::interrupt::Interrupt;

use crate::peers::{Peers, Tool, ToolResult};
use crate::program::{Found, Program};
use crate::stage::{Kind, Stage, Subject};
use crate::store::Store;

#[derive(Debug, Parser)]
#[command(name = "xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
}

/// What `cargo xtask` alone prints.
const DAILY: &str = "\
Every day:
  cargo run --release -- bench      the program (release: figures of a debug build mean nothing)
  cargo xtask test                  every test, and at the end what was skipped and why
  cargo xtask test -p firsttouch    the tests of one crate; arguments are those of cargo test
  cargo fmt                         format
  cargo clippy --workspace --all-targets -- -D warnings
                                    lints, which must be silent
  .ci/run                           everything that must hold before a change lands: format, lints,
                                    documentation, licences, tests as this user and as nobody

Now and then, on an idle machine:
  cargo xtask prove                 validates the lab: some hours (--quick, --list)
  cargo xtask prove-compare         validates compare: half an hour
  cargo xtask bench-trace           the cost of trace, compared with strace
  cargo xtask bench-record          the cost of record, compared with heaptrack
  cargo xtask bench-report          the speed of report, beside heaptrack_print
  cargo xtask bench-layout          how long looks of layout keep mmap calls waiting
  INSTA_UPDATE=always cargo test -p firsttouch-report
                                    take over changed screens; then read the diff
";

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test of the workspace, and list what was skipped
    Test(test::Test),
    /// Validate the lab on this machine: A/A, injected work, a C program, other tools; quiet and
    /// with a busy neighbour
    Prove(Prove),
    /// Measure the cost of trace, compared with strace: a loop of memory syscalls, page faults,
    /// programs without either, a burst
    BenchTrace(tracing::BenchTrace),
    /// Measure the cost of record, compared with heaptrack: a loop of malloc and free at several
    /// depths of the stack, python3, sqlite3
    BenchRecord(recording::BenchRecord),
    /// Measure the speed of report: generated recordings, and those of python3 and sqlite3 beside
    /// `heaptrack_print` on heaptrack's recordings of the same programs
    BenchReport(reports::BenchReport),
    /// Measure how long looks of layout keep the mmap calls of a running program waiting
    BenchLayout(looks::BenchLayout),
    /// Validate compare on this machine: the same program under several names, more of the same
    /// work, and hyperfine on the same commands
    ProveCompare(whole_programs::ProveCompare),
    #[command(name = whole_programs::VERB, hide = true)]
    Work { rounds: u64 },
    #[command(name = neighbour::VERB, hide = true)]
    Neighbour { parent: u32, seed: u64 },
}

#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(Debug, Args)]
struct Prove {
    /// Stages to run [default: all, in turn]; --list shows them
    #[arg(value_name = "STAGE")]
    stages: Vec<String>,
    /// An eighth of the runs, for a quick result
    #[arg(long)]
    quick: bool,
    /// The number of runs of each stage, earlier ones included
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Discard the earlier runs of the stages
    #[arg(long, conflicts_with = "report")]
    fresh: bool,
    /// Run nothing; print the results so far
    #[arg(long)]
    report: bool,
    /// Show the stages
    #[arg(long)]
    list: bool,
    /// The directory of the results
    #[arg(long, value_name = "DIR", default_value = "target/prove")]
    dir: PathBuf,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let outcome = match Cli::parse().task {
        None => {
            print!("{DAILY}");
            Ok(ExitCode::SUCCESS)
        }
        Some(Task::Neighbour { parent, seed }) => neighbour::be(parent, seed),
        Some(Task::Test(options)) => test::run(&options, &root),
        Some(Task::BenchRecord(options)) => {
            recording::run(&options, &root).map(|()| ExitCode::SUCCESS)
        }
        Some(Task::BenchReport(options)) => {
            reports::run(&options, &root).map(|()| ExitCode::SUCCESS)
        }
        Some(Task::BenchTrace(options)) => {
            tracing::run(&options, &root).map(|()| ExitCode::SUCCESS)
        }
        Some(Task::BenchLayout(options)) => looks::run(&options, &root).map(|()| ExitCode::SUCCESS),
        Some(Task::Prove(options)) => prove(&options),
        Some(Task::ProveCompare(options)) => {
            whole_programs::run(&options, &root).map(|()| ExitCode::SUCCESS)
        }
        Some(Task::Work { rounds }) => {
            whole_programs::work(rounds);
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn prove(options: &Prove) -> anyhow::Result<ExitCode> {
    if options.list {
        for stage in Stage::ALL {
            println!("{:15} {}", stage.name(), stage.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let named: Result<Vec<Stage>, String> =
        options.stages.iter().map(|name| Stage::named(name)).collect();
    let mut stages = match named {
        Ok(stages) => stages,
        Err(error) => {
            eprintln!("xtask: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    if stages.is_empty() {
        stages = Stage::ALL.to_vec();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = Program::build(&root, &options.dir)?;
    let store = Store::open(&options.dir, program.build.clone())?;
    let bench = Bench {
        root,
        directory: options.dir.clone(),
        program,
        store,
        interrupt: Interrupt::install()?,
    };
    let mut complete = true;
    for stage in stages {
        if options.fresh {
            bench.store.forget(&stage.name())?;
        }
        let runs = options.runs.unwrap_or_else(|| stage.runs(options.quick));
        complete = options.report || bench.run(stage, runs)?;
        if let (true, (_, other @ 1..)) = (options.report, bench.done(stage)?) {
            eprintln!("{}: {other} runs of another build are left out", stage.name());
        }
        println!("\n## {} ({})\n{}", stage.name(), stage.about(), bench.report(stage)?);
        if !complete {
            println!("interrupted; the same command continues from here");
            break;
        }
    }
    if let Some(signal) = bench.interrupt.received() {
        sys::interrupt::die_by(signal);
    }
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The state shared by all stages.
struct Bench {
    root: PathBuf,
    directory: PathBuf,
    program: Program,
    store: Store,
    interrupt: Interrupt,
}

impl Bench {
    /// Runs `stage` until it has `runs` runs; `false` after an interrupt.
    fn run(&self, stage: Stage, runs: usize) -> anyhow::Result<bool> {
        let (done, other) = self.done(stage)?;
        if other > 0 {
            eprintln!(
                "{}: {other} runs of another build do not count (--fresh discards them)",
                stage.name()
            );
        }
        let started = Instant::now();
        let prepared = self.prepare(stage)?;
        for run in done..runs {
            if !self.once(stage, &prepared, run as u64 + 1)? {
                return Ok(false);
            }
            let (now, left) = (run + 1 - done, runs - run - 1);
            let seconds = started.elapsed().as_secs_f64() / now as f64 * left as f64;
            if std::io::stderr().is_terminal() {
                eprint!(
                    "\r{}: {} of {runs}, {:.0} min left   ",
                    stage.name(),
                    run + 1,
                    seconds / 60.0
                );
                let _ = std::io::stderr().flush();
            }
        }
        if std::io::stderr().is_terminal() {
            eprintln!();
        }
        Ok(true)
    }

    /// Runs of a stage so far, and lines that do not count.
    fn done(&self, stage: Stage) -> anyhow::Result<(usize, usize)> {
        let name = stage.name();
        Ok(match stage.kind {
            Kind::Lab(_) => {
                self.store.read::<Found>(&name).map(|(runs, other)| (runs.len(), other))?
            }
            Kind::Phases => {
                self.store.read::<phases::Block>(&name).map(|(runs, other)| (runs.len(), other))?
            }
            Kind::Peers => {
                let (results, other) = self.store.read::<ToolResult>(&name)?;
                (results.iter().filter(|result| result.tool == Tool::Firsttouch).count(), other)
            }
        })
    }

    fn prepare(&self, stage: Stage) -> anyhow::Result<Prepared> {
        let c_program = match stage.kind {
            Kind::Lab(_) => return Ok(Prepared::Nothing),
            Kind::Phases | Kind::Peers => phases::compile(&self.root, &self.directory)?,
        };
        Ok(match stage.kind {
            Kind::Peers => Prepared::Peers(Peers::build(
                &self.root,
                &self.directory.canonicalize()?,
                &c_program,
            )?),
            _ => Prepared::Program(c_program),
        })
    }

    /// One run of a stage; `false` after an interrupt.
    fn once(&self, stage: Stage, prepared: &Prepared, seed: u64) -> anyhow::Result<bool> {
        let lab = |subject| {
            let Bench { program, store, directory, interrupt, .. } = self;
            lab_stages::run_once(stage, subject, program, store, directory, seed, *interrupt)
        };
        match (stage.kind, prepared) {
            (Kind::Lab(subject), _) => lab(subject),
            (Kind::Phases, Prepared::Program(c_program)) => {
                let Some(block) = phases::block(&self.program, c_program, seed, self.interrupt)?
                else {
                    return Ok(false);
                };
                self.store.add(&stage.name(), block)?;
                Ok(true)
            }
            (_, Prepared::Peers(peers)) => self.in_turn(stage, peers, seed),
            _ => anyhow::bail!("the stage is not prepared"),
        }
    }

    /// Runs each other tool once, and the lab.
    fn in_turn(&self, stage: Stage, peers: &Peers, seed: u64) -> anyhow::Result<bool> {
        let neighbour = if stage.busy { Some(neighbour::Neighbour::start(seed)?) } else { None };
        let experiment = lab_stages::write_experiment(&self.directory, Subject::OneCopy)?;
        let Some(results) = peers.ask(self.interrupt)? else { return Ok(false) };
        let Some(result) = self.program.bench(&experiment, seed, self.interrupt)? else {
            return Ok(false);
        };
        drop(neighbour);
        for result in results {
            self.store.add(&stage.name(), result)?;
        }
        let different = result.comparisons.iter().any(|c| c.verdict == results::Verdict::Different);
        self.store.add(
            &stage.name(),
            ToolResult { tool: Tool::Firsttouch, different, version: result.version },
        )?;
        Ok(true)
    }

    fn report(&self, stage: Stage) -> anyhow::Result<String> {
        let name = stage.name();
        Ok(match stage.kind {
            Kind::Lab(subject) => lab_stages::report(subject, &self.store.read(&name)?.0),
            Kind::Phases => phases::report(&self.store.read(&name)?.0),
            Kind::Peers => peers::report(&self.store.read(&name)?.0),
        })
    }
}

/// What a stage needs in addition to the program.
enum Prepared {
    Nothing,
    Program(PathBuf),
    Peers(Peers),
}
