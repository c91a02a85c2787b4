//! Compares the lab's child with a minimal C program of the same phases, in randomised blocks on
//! one processor each.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use lab::Source;
use lab::design::work::operations_for;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use sample::measurement::Phases;
use sample::protocol::{Answer, CHILD_VERB, Job, Task};
use serde::{Deserialize, Serialize};
use stats::{Look, Spending, compare};
use sys::interrupt::Interrupt;
use sys::process::WaitStatus;

use crate::program::Program;

/// The subjects: source and size.
const SUBJECTS: [(Source, u64); 4] = [
    (Source::Mmap, 1 << 20),
    (Source::Malloc, 1 << 20),
    (Source::Mmap, 100 << 20),
    (Source::Malloc, 100 << 20),
];
/// The phases of each.
const PHASES: [&str; 5] = ["obtain", "first touch", "second touch", "release", "total"];
/// A difference smaller than this does not matter.
const MARGIN: f64 = 0.02;

/// One block: by subject the phases of the lab's child and of the C program, in ns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Block {
    /// By subject.
    pub(crate) pairs: Vec<[[u64; 4]; 2]>,
}

/// Compiles the C program into `directory`, bound at its start as Rust programs are, so no call has
/// to resolve its function.
///
/// # Errors
/// If there is no compiler, or it fails.
pub(crate) fn compile(root: &Path, directory: &Path) -> anyhow::Result<PathBuf> {
    let program = directory.join("phases");
    let source = root.join("fixtures/phases.c");
    let status = Command::new("cc")
        .args(["-O2", "-Wall", "-Wl,-z,now", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    if !status.context("cannot run cc: install a C compiler")?.success() {
        bail!("{} does not compile", source.display());
    }
    Ok(program)
}

/// Runs one block; `None` after an interrupt.
///
/// # Errors
/// If a child fails.
pub(crate) fn block(
    program: &Program,
    c_program: &Path,
    seed: u64,
    interrupt: Interrupt,
) -> anyhow::Result<Option<Block>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let cpus = sys::process::allowed_cpus();
    let mut pairs = Vec::new();
    for (source, size_bytes) in SUBJECTS {
        let operations = operations_for(size_bytes, sys::limits::page_bytes());
        let cpu = cpus[usize::try_from(random.next_u64() % cpus.len().max(1) as u64)?];
        sys::process::pin_to(cpu).with_context(|| format!("cannot run on processor {cpu}"))?;
        let mut pair = [[0; 4]; 2];
        let first = usize::try_from(random.next_u64() % 2)?;
        for which in [first, 1 - first] {
            let warm = Task::Warm {
                parent: std::process::id(),
                bytes: size_bytes * operations / 5 * 6 + (32 << 20),
            };
            child(program, &warm, interrupt)?;
            let measured = match which {
                0 => ours(program, source, size_bytes, operations, interrupt)?,
                _ => theirs(c_program, source, size_bytes, operations, interrupt)?,
            };
            let Some(phases) = measured else {
                sys::process::allow_cpus(&cpus).context("cannot leave the processor")?;
                return Ok(None);
            };
            pair[which] = phases;
        }
        pairs.push(pair);
    }
    sys::process::allow_cpus(&cpus).context("cannot leave the processor")?;
    Ok(Some(Block { pairs }))
}

fn child(program: &Program, task: &Task, interrupt: Interrupt) -> anyhow::Result<Option<Answer>> {
    let mut command = Command::new(&program.path);
    command.arg(CHILD_VERB).arg(serde_json::to_string(task)?);
    let Some(finished) = sys::process::run(&mut command, interrupt, None)? else { return Ok(None) };
    if finished.ending != WaitStatus::Exited(0) {
        bail!("a child ended with {:?}", finished.ending);
    }
    Ok(Some(serde_json::from_slice(&finished.stdout)?))
}

fn ours(
    program: &Program,
    source: Source,
    size_bytes: u64,
    operations: u64,
    interrupt: Interrupt,
) -> anyhow::Result<Option<[u64; 4]>> {
    let job = Job::plain(source, size_bytes, operations);
    match child(program, &Task::Measure(job), interrupt)? {
        None => Ok(None),
        Some(Answer::Measured(measurement)) => {
            let Phases { obtain, first_touch, second_touch, release, .. } = measurement.phases;
            Ok(Some([obtain, first_touch, second_touch, release].map(|phase| phase.time_ns)))
        }
        Some(other) => bail!("the child answered {other:?}"),
    }
}

fn theirs(
    c_program: &Path,
    source: Source,
    size_bytes: u64,
    operations: u64,
    interrupt: Interrupt,
) -> anyhow::Result<Option<[u64; 4]>> {
    let mut command = Command::new(c_program);
    command.args([source.name(), &size_bytes.to_string(), &operations.to_string()]);
    let Some(finished) = sys::process::run(&mut command, interrupt, None)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&finished.stdout);
    let times: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    times.try_into().map(Some).map_err(|_| anyhow::anyhow!("the C program answered {text:?}"))
}

/// The table: by subject and phase the ratio of the lab's child to the C program.
#[must_use]
pub(crate) fn report(blocks: &[Block]) -> String {
    let mut spending = Spending::new(SUBJECTS.len() * PHASES.len());
    let rank = spending.pay(Look { blocks: blocks.len(), alpha: 0.05 });
    let head = format!(
        "ours / C, {} blocks, 95 % for all {} together\n| source | size | {} |\n|---|---|{}\n",
        blocks.len(),
        SUBJECTS.len() * PHASES.len(),
        PHASES.join(" | "),
        "---|".repeat(PHASES.len())
    );
    let (mut rows, mut apart) = (Vec::new(), Vec::new());
    for (subject, (source, size)) in SUBJECTS.iter().enumerate() {
        let cells = (0..PHASES.len()).map(|phase| {
            let ratios: Vec<f64> =
                blocks.iter().map(|block| log_ratio(&block.pairs[subject], phase)).collect();
            let Some(estimate) = compare(&ratios, rank, MARGIN) else { return "-".to_owned() };
            let Some(interval) = estimate.interval else { return format!("{:.3}", estimate.ratio) };
            if estimate.verdict == stats::Verdict::Different {
                apart.push(format!("{} {} MiB {}", source.name(), size >> 20, PHASES[phase]));
            }
            format!("{:.3} [{:.3}, {:.3}]", estimate.ratio, interval.low, interval.high)
        });
        let cells = cells.collect::<Vec<String>>().join(" | ");
        rows.push(format!("| {} | {} MiB | {cells} |\n", source.name(), size >> 20));
    }
    let verdict = if apart.is_empty() { "none".to_owned() } else { apart.join(", ") };
    format!(
        "{head}{}different (interval excludes 1 and leaves {} %): {verdict}\n",
        rows.concat(),
        100.0 * MARGIN
    )
}

fn log_ratio(pair: &[[u64; 4]; 2], phase: usize) -> f64 {
    let value = |times: &[u64; 4]| match phase {
        4 => times[0] + times[1],
        _ => times[phase],
    };
    (value(&pair[0]).max(1) as f64 / value(&pair[1]).max(1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_lab_over_c() {
        let pair = [[10, 200, 30, 40], [10, 100, 30, 20]];
        let blocks = vec![Block { pairs: vec![pair; SUBJECTS.len()] }; 24];
        let text = report(&blocks);
        assert!(text.contains("2.000 [2.000, 2.000]") && text.contains("1.909"), "{text}");
        assert!(
            text.contains("mmap 1 MiB first touch") && text.contains("malloc 100 MiB release"),
            "{text}"
        );
    }

    /// One real run of the C program: it prints all phases, and it wrote the batch.
    #[test]
    fn the_c_program_prints_its_phases() {
        let directory =
            std::env::temp_dir().join(format!("firsttouch-phases-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let program = compile(&root, &directory).unwrap();
        let interrupt = Interrupt::install().unwrap();
        for source in [Source::Mmap, Source::Malloc] {
            let phases = theirs(&program, source, 1 << 20, 8, interrupt).unwrap().unwrap();
            assert!(phases[1] > phases[2], "the first touch faults: {phases:?}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
