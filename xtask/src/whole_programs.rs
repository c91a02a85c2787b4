//! `cargo xtask prove-compare`: how often `compare` calls the same program different, and how often
//! it finds a program that does more of the same work; and hyperfine on the same commands.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;
use results::Verdict;
use results::compare::ProgramResult;
use serde::{Deserialize, Serialize};
use sys::interrupt::Interrupt;
use sys::process::WaitStatus;

use crate::program::Program;
use crate::rates::{Rate, welch};

/// The hidden verb that works.
pub(crate) const VERB: &str = "work";

/// How often, and how long.
#[derive(Debug, Args)]
pub(crate) struct ProveCompare {
    /// The number of runs, earlier ones included
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: usize,
    /// Rounds of work of the program: 1000 take about 10 ms
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rounds: u64,
    /// Leave hyperfine out
    #[arg(long)]
    no_hyperfine: bool,
    /// The directory of the results
    #[arg(long, value_name = "DIR", default_value = "target/prove-compare")]
    dir: PathBuf,
}

/// The program under test: so many rounds over 64 KiB.
pub(crate) fn work(rounds: u64) {
    let mut words = vec![1_u64; 8 << 10];
    for round in 0..rounds {
        for word in &mut words {
            *word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7) ^ round;
        }
        black_box(&mut words);
    }
}

/// The outcome of one run.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    build: String,
    rounds: u64,
    arms: Vec<FoundArm>,
    blocks: u64,
    elapsed_s: f64,
    trusted: Option<bool>,
    /// By true ratio: Welch's p of hyperfine's times.
    hyperfine: Vec<(f64, f64)>,
}

/// An arm of a run.
#[derive(Debug, Serialize, Deserialize)]
struct FoundArm {
    /// The true ratio of its work.
    truth: f64,
    verdict: Verdict,
    ratio: f64,
    interval: Option<(f64, f64)>,
}

/// The arms of a run, by the ratio of their work: copies, and a little more.
const RATIOS: [f64; 5] = [1.0, 1.0, 1.01, 1.02, 1.05];

pub(crate) fn run(options: &ProveCompare, root: &Path) -> anyhow::Result<()> {
    let program = Program::build(root, &options.dir)?;
    let interrupt = Interrupt::install()?;
    let path = options.dir.join("results.jsonl");
    let mut outcomes = read(&path, &program.build, options.rounds)?;
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    while outcomes.len() < options.runs {
        let Some(outcome) = once(&program, options, outcomes.len() as u64, interrupt)? else {
            break;
        };
        writeln!(file, "{}", serde_json::to_string(&outcome)?)?;
        outcomes.push(outcome);
        eprint!("\r{} of {}", outcomes.len(), options.runs);
    }
    eprintln!();
    report(&outcomes);
    Ok(())
}

/// The earlier runs of the same build.
fn read(path: &Path, build: &str, rounds: u64) -> anyhow::Result<Vec<Outcome>> {
    let Ok(file) = std::fs::File::open(path) else { return Ok(Vec::new()) };
    let mut outcomes = Vec::new();
    for line in BufReader::new(file).lines() {
        let outcome: Outcome = serde_json::from_str(&line?)
            .with_context(|| format!("{} is damaged: remove it", path.display()))?;
        if outcome.build == build && outcome.rounds == rounds {
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

fn once(
    program: &Program,
    options: &ProveCompare,
    seed: u64,
    interrupt: Interrupt,
) -> anyhow::Result<Option<Outcome>> {
    let Some(result) = compared(program, options.rounds, seed, interrupt)? else {
        return Ok(None);
    };
    let arms = RATIOS.iter().enumerate().filter_map(|(index, truth)| {
        let name = name(index, *truth);
        let found = result.comparisons.iter().find(|c| c.arm == name && c.metric == "wall_ns")?;
        Some(FoundArm {
            truth: *truth,
            verdict: found.verdict,
            ratio: found.ratio,
            interval: found.low.zip(found.high),
        })
    });
    let mut hyperfine = Vec::new();
    if !options.no_hyperfine {
        for truth in [1.0, 1.02] {
            let Some(p) = welch_of_hyperfine(options.rounds, truth, interrupt)? else {
                return Ok(None);
            };
            hyperfine.push((truth, p));
        }
    }
    Ok(Some(Outcome {
        build: program.build.clone(),
        rounds: options.rounds,
        arms: arms.collect(),
        blocks: result.looks.last().copied().unwrap_or(0),
        elapsed_s: result.elapsed_ns as f64 / 1e9,
        trusted: result.placebo.as_ref().and_then(|placebo| placebo.trusted),
        hyperfine,
    }))
}

fn name(index: usize, truth: f64) -> String {
    format!("{index} x{truth}")
}

/// The rounds of an arm that does `truth` times the work.
fn scaled(rounds: u64, truth: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of rounds"
    )]
    let scaled = (rounds as f64 * truth).round() as u64;
    scaled
}

fn worker(rounds: u64) -> anyhow::Result<String> {
    let own = std::env::current_exe()?;
    Ok(format!("{} {VERB} {rounds}", own.display()))
}

fn compared(
    program: &Program,
    rounds: u64,
    seed: u64,
    interrupt: Interrupt,
) -> anyhow::Result<Option<ProgramResult>> {
    let mut command = Command::new(&program.path);
    command.args(["compare", "-q", "--json", "-", "--seed", &seed.to_string()]);
    command.args(["--arm", &format!("baseline: -- {}", worker(rounds)?)]);
    for (index, truth) in RATIOS.into_iter().enumerate() {
        let line = worker(scaled(rounds, truth))?;
        command.args(["--arm", &format!("{}: -- {line}", name(index, truth))]);
    }
    let Some(finished) = sys::process::run(&mut command, interrupt, None)? else {
        return Ok(None);
    };
    if finished.ending != WaitStatus::Exited(0) {
        bail!("compare: {}", String::from_utf8_lossy(&finished.stderr).trim());
    }
    Ok(Some(serde_json::from_slice(&finished.stdout)?))
}

/// What hyperfine and its script for Welch's t-test would say: one command after the other, as it
/// runs them.
fn welch_of_hyperfine(
    rounds: u64,
    truth: f64,
    interrupt: Interrupt,
) -> anyhow::Result<Option<f64>> {
    let file = std::env::temp_dir().join(format!("hyperfine-{}.json", std::process::id()));
    let mut command = Command::new("hyperfine");
    command.args(["-N", "--warmup", "3", "--export-json"]).arg(&file);
    command.args([worker(rounds)?, worker(scaled(rounds, truth))?]);
    let finished = sys::process::run(&mut command, interrupt, None)
        .context("hyperfine: install it, or give --no-hyperfine")?;
    let Some(finished) = finished else { return Ok(None) };
    if finished.ending != WaitStatus::Exited(0) {
        bail!("hyperfine: {}", String::from_utf8_lossy(&finished.stderr).trim());
    }
    let text = std::fs::read(&file)?;
    let _ = std::fs::remove_file(&file);
    let parsed: serde_json::Value = serde_json::from_slice(&text)?;
    let times = |index: usize| -> Vec<f64> {
        let times = parsed["results"][index]["times"].as_array();
        times.into_iter().flatten().filter_map(serde_json::Value::as_f64).collect()
    };
    Ok(Some(welch(&times(0), &times(1)).context("hyperfine wrote no times")?))
}

fn report(outcomes: &[Outcome]) {
    let of = |truth: f64| {
        outcomes.iter().flat_map(|o| &o.arms).filter(move |arm| same(arm.truth, truth))
    };
    let different = |truth| Rate::of(of(truth).map(|arm| arm.verdict == Verdict::Different));
    let holds = |truth| {
        let held = |(low, high): (f64, f64)| low <= truth && truth <= high;
        Rate::of(of(truth).filter_map(|arm| arm.interval).map(held))
    };
    println!("compare, margin 2 %, {} runs", outcomes.len());
    println!("  same program called different   {}", different(1.0));
    for (truth, text) in [(1.01, "+1 %"), (1.02, "+2 %"), (1.05, "+5 %")] {
        println!("  {text} of the work found           {}", different(truth));
    }
    for (truth, text) in [(1.0, "same"), (1.02, "+2 %"), (1.05, "+5 %")] {
        println!("  interval holds the work, {text}    {}", holds(truth));
    }
    let mean = |value: fn(&Outcome) -> f64| {
        outcomes.iter().map(value).sum::<f64>() / outcomes.len().max(1) as f64
    };
    println!("  blocks {:.0}, {:.1} s a run", mean(|o| o.blocks as f64), mean(|o| o.elapsed_s));
    println!("  placebo untrusted               {}", untrusted(outcomes));
    let welch = |truth: f64| {
        let p = outcomes.iter().flat_map(|o| &o.hyperfine).filter(move |one| same(one.0, truth));
        Rate::of(p.map(|one| one.1 < 0.05))
    };
    println!("hyperfine, Welch p < 0.05");
    println!("  same program called different   {}", welch(1.0));
    println!("  +2 % of the work found           {}", welch(1.02));
}

fn untrusted(outcomes: &[Outcome]) -> Rate {
    Rate::of(outcomes.iter().map(|outcome| outcome.trusted == Some(false)))
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}
