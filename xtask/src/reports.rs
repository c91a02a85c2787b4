//! `cargo xtask bench-report`: how fast `firsttouch report` reads. Generated recordings, of one
//! thread of each kind and of all together; and real programs, beside `heaptrack_print` on
//! heaptrack's recording of the same program. Figures are medians over rounds with intervals.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use crate::recording::{JSON, SQL};
use crate::tracing::shown;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct BenchReport {
    /// Events of each generated recording: 100 million take some 400 MB in the folder for temporary
    /// files
    #[arg(long, default_value_t = 10_000_000, value_name = "N")]
    events: u64,
    /// Rounds of each part
    #[arg(long, default_value_t = 6, value_name = "N")]
    rounds: usize,
    /// Only these parts: generated, python, sqlite
    #[arg(value_name = "PART")]
    parts: Vec<String>,
}

const PARTS: [&str; 3] = ["generated", "python", "sqlite"];
/// Threads of a generated recording (`--example generate`), and what they are.
const GENERATED: [(&str, &str); 4] = [
    ("few", "one thread, 64 live blocks"),
    ("many", "one thread, 50,000 live blocks"),
    ("interpreter", "one thread, short lives and faults"),
    ("few,many,interpreter", "the three together"),
];

/// The programs, and where recordings are.
struct Bench {
    firsttouch: PathBuf,
    generate: PathBuf,
    folder: PathBuf,
    rounds: usize,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // It was made here; what is left of it is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn run(options: &BenchReport, root: &Path) -> anyhow::Result<()> {
    if let Some(unknown) = options.parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        bail!("no part {unknown}; known: {}", PARTS.join(", "));
    }
    let bench = Bench::build(root, options.rounds)?;
    let wanted =
        |part: &str| options.parts.is_empty() || options.parts.iter().any(|wanted| wanted == part);
    if wanted("generated") {
        for (threads, what) in GENERATED {
            bench.generated(threads, what, options.events)?;
        }
    }
    if wanted("python") {
        bench.program(
            "python: a JSON job, PYTHONMALLOC=malloc",
            &["/usr/bin/python3", "-c", JSON],
        )?;
    }
    if wanted("sqlite") {
        bench.program("sqlite3: load and group in memory", &["sqlite3", ":memory:", SQL])?;
    }
    Ok(())
}

impl Bench {
    fn build(root: &Path, rounds: usize) -> anyhow::Result<Bench> {
        for target in [
            &["--package", "firsttouch"][..],
            &["--package", "firsttouch-recording", "--example", "generate"],
        ] {
            let build = ["build", "--release", "--quiet"];
            let status =
                Command::new("cargo").args(build).args(target).current_dir(root).status()?;
            if !status.success() {
                bail!("{target:?} does not build");
            }
        }
        let release = root.join("target/release").canonicalize()?;
        let folder = std::env::temp_dir().join(format!("firsttouch-report-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let (firsttouch, generate) =
            (release.join("firsttouch"), release.join("examples/generate"));
        Ok(Bench { firsttouch, generate, folder, rounds })
    }

    fn generated(&self, threads: &str, what: &str, events: u64) -> anyhow::Result<()> {
        let file = self.folder.join("generated.ft");
        let mut generate = Command::new(&self.generate);
        generate.arg(&file).arg(events.to_string()).arg(threads);
        if !generate.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            bail!("cannot generate a recording");
        }
        let mut rates = Vec::new();
        for _ in 0..self.rounds {
            rates.push(events as f64 / self.report(&file)? * 1e3);
        }
        println!("generated, {what}: {} M events a second", shown(rates, 1));
        std::fs::remove_file(file).context("a recording that was read")
    }

    /// The nanoseconds that a report of `file` takes.
    fn report(&self, file: &Path) -> anyhow::Result<f64> {
        timed(Command::new(&self.firsttouch).arg("report").arg(file).args(["--json", "/dev/null"]))
            .context("firsttouch report")
    }

    fn program(&self, name: &str, words: &[&str]) -> anyhow::Result<()> {
        println!("\n{name}");
        let (own, other) = (self.folder.join("own.ft"), self.folder.join("heaptrack"));
        let job = |command: &mut Command| timed(command.args(words).env("PYTHONMALLOC", "malloc"));
        job(Command::new(&self.firsttouch).args(["record", "-q", "-o"]).arg(&own).arg("--"))?;
        if job(Command::new("heaptrack").arg("-o").arg(&other)).is_err() {
            println!("  heaptrack is not available here: left out");
            return Ok(());
        }
        let entries = std::fs::read_dir(&self.folder)?.flatten().map(|entry| entry.path());
        let named = |path: &PathBuf| path.to_string_lossy().contains("/heaptrack.");
        let other = entries.into_iter().find(named).context("no recording of heaptrack")?;
        let (mut own_ns, mut other_ns, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            own_ns.push(self.report(&own)?);
            other_ns.push(timed(Command::new("heaptrack_print").arg(&other))?);
        }
        ratios.extend(own_ns.iter().zip(&other_ns).map(|(own, other)| own / other));
        let ms = |times: &[f64]| shown(times.iter().map(|ns| ns / 1e6), 0);
        println!("  report           {} ms", ms(&own_ns));
        println!("  heaptrack_print  {} ms", ms(&other_ns));
        println!("  report takes {} of heaptrack_print's time", shown(ratios, 2));
        for file in [own, other] {
            std::fs::remove_file(file)?;
        }
        Ok(())
    }
}

/// The nanoseconds that a command takes, whose output goes nowhere.
fn timed(command: &mut Command) -> anyhow::Result<f64> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    let ns = began.elapsed().as_nanos() as f64;
    if !status.success() {
        bail!("it failed: {status}");
    }
    Ok(ns)
}
