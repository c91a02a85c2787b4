//! `cargo xtask bench-record`: what `firsttouch record` costs the program, compared with heaptrack
//! in the same run. Each block runs the same program bare and under both, in random order; the cost
//! of each is its time less that of the bare run of the block. Figures are medians over blocks with
//! intervals.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::program::with_fixture;
use crate::tracing::shown;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct BenchRecord {
    /// Blocks of each part
    #[arg(long, default_value_t = 12, value_name = "N")]
    blocks: usize,
    /// Only these parts: churn, python, sqlite
    #[arg(value_name = "PART")]
    parts: Vec<String>,
}

const PARTS: [&str; 3] = ["churn", "python", "sqlite"];
/// Pairs of malloc and free of each thread.
const PAIRS: u64 = 4_000_000;
pub(crate) const JSON: &str = "
import json
d = [{'id': i, 'name': 'n%d' % i, 'values': [i, i + 1, i * 2.5]} for i in range(60000)]
s = json.dumps(d)
for _ in range(4): e = json.loads(s)
print(len(s), sum(x['id'] for x in e))
";
pub(crate) const SQL: &str = "
CREATE TABLE t(a INTEGER, b TEXT);
WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 400000)
INSERT INTO t SELECT n, 'value ' || (n % 1000) FROM c;
SELECT count(*), sum(x) FROM (SELECT b, sum(a) AS x FROM t GROUP BY b);
";

/// Under what the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Under {
    Nothing,
    Record,
    Heaptrack,
}

const ALL: [Under; 3] = [Under::Nothing, Under::Record, Under::Heaptrack];

/// A run.
#[derive(Debug, Clone, Copy)]
struct Ran {
    under: Under,
    whole_ns: f64,
    /// What the program says that its loop took.
    loop_ns: Option<f64>,
    file_bytes: u64,
}

/// A program with its arguments and environment.
struct Job {
    words: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
}

pub(crate) fn run(options: &BenchRecord, root: &Path) -> anyhow::Result<()> {
    if let Some(unknown) = options.parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        bail!("no part {unknown}; known: {}", PARTS.join(", "));
    }
    let bench = Bench::build(root, options.blocks)?;
    let wanted =
        |part: &str| options.parts.is_empty() || options.parts.iter().any(|wanted| wanted == part);
    if wanted("churn") {
        for threads in [1, 2] {
            for depth in [2, 16, 32] {
                bench.churn(depth, threads)?;
            }
        }
    }
    if wanted("python") {
        let words = ["/usr/bin/python3", "-c", JSON].map(str::to_owned).to_vec();
        let job = Job { words, variables: vec![("PYTHONMALLOC", "malloc")] };
        bench.program("python: a JSON job, PYTHONMALLOC=malloc", &job)?;
    }
    if wanted("sqlite") {
        let words = ["sqlite3", ":memory:", SQL].map(str::to_owned).to_vec();
        bench
            .program("sqlite3: load and group in memory", &Job { words, variables: Vec::new() })?;
    }
    Ok(())
}

struct Bench {
    firsttouch: PathBuf,
    churn: PathBuf,
    folder: PathBuf,
    blocks: usize,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // It was made here; what is left of it is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Bench {
    fn build(root: &Path, blocks: usize) -> anyhow::Result<Self> {
        let options = ["-O1", "-g", "-fno-optimize-sibling-calls", "-pthread"];
        let (firsttouch, churn) = with_fixture(root, "allocation_churn", &options)?;
        let folder = std::env::temp_dir().join(format!("firsttouch-record-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        Ok(Bench { firsttouch, churn, folder, blocks })
    }

    fn once(&self, under: Under, job: &Job) -> anyhow::Result<Option<Ran>> {
        let file = self.folder.join("recording");
        let mut command = match under {
            Under::Nothing => Command::new(&job.words[0]),
            Under::Record => {
                let mut command = Command::new(&self.firsttouch);
                command.args(["record", "-q", "-o"]).arg(&file).arg("--").arg(&job.words[0]);
                command
            }
            Under::Heaptrack => {
                let mut command = Command::new("heaptrack");
                command.arg("-o").arg(&file).arg(&job.words[0]);
                command
            }
        };
        command.args(&job.words[1..]).envs(job.variables.iter().copied());
        let began = Instant::now();
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
        let whole_ns = began.elapsed().as_nanos() as f64;
        let Ok(output) = output else { return Ok(None) };
        if !output.status.success() {
            bail!("{under:?}: {} failed", job.words[0]);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let loop_ns = text.lines().find_map(|line| line.strip_prefix("took_ns ")?.parse().ok());
        let mut file_bytes = 0;
        for entry in std::fs::read_dir(&self.folder)?.flatten() {
            file_bytes += entry.metadata()?.len();
            std::fs::remove_file(entry.path())?;
        }
        Ok(Some(Ran { under, whole_ns, loop_ns, file_bytes }))
    }

    /// Blocks in random order, after one that does not count; `None` without heaptrack.
    fn blocks(&self, job: &Job) -> anyhow::Result<Option<Vec<[Ran; 3]>>> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        for under in ALL {
            if self.once(under, job)?.is_none() {
                println!("  {under:?} or {} is not available here: left out", job.words[0]);
                return Ok(None);
            }
        }
        let mut blocks = Vec::new();
        for _ in 0..self.blocks {
            let mut order = ALL;
            order.sort_by_cached_key(|_| random.next_u64());
            let mut block = [None; 3];
            for under in order {
                block[under as usize] = self.once(under, job)?;
            }
            blocks.push(block.map(|ran| ran.expect("it worked before")));
        }
        Ok(Some(blocks))
    }

    fn churn(&self, depth: u32, threads: u32) -> anyhow::Result<()> {
        println!("\nchurn: {PAIRS} pairs in each of {threads} threads, {depth} frames deep");
        let program = self.churn.to_string_lossy().into_owned();
        let words = vec![program, depth.to_string(), threads.to_string(), PAIRS.to_string()];
        let Some(blocks) = self.blocks(&Job { words, variables: Vec::new() })? else {
            return Ok(());
        };
        for under in ALL {
            let pair = blocks.iter().filter_map(|block| {
                let ran = block.iter().find(|ran| ran.under == under)?;
                Some(ran.loop_ns? / PAIRS as f64)
            });
            println!("  {:12} {} ns a pair", format!("{under:?}"), shown(pair, 1));
        }
        println!("  in the loop {}", share(&blocks, |ran| ran.loop_ns));
        println!("  in all {}", share(&blocks, |ran| Some(ran.whole_ns)));
        let calls = (2 * PAIRS * u64::from(threads)) as f64;
        println!("  {}", sizes(&blocks, Some(calls)));
        Ok(())
    }

    fn program(&self, name: &str, job: &Job) -> anyhow::Result<()> {
        println!("\n{name}");
        let Some(blocks) = self.blocks(job)? else { return Ok(()) };
        for under in ALL {
            let whole = blocks.iter().filter_map(|block| {
                Some(block.iter().find(|ran| ran.under == under)?.whole_ns / 1e6)
            });
            println!("  {:12} {} ms", format!("{under:?}"), shown(whole, 0));
        }
        println!("  {}", share(&blocks, |ran| Some(ran.whole_ns)));
        println!("  {}", sizes(&blocks, None));
        Ok(())
    }
}

/// What record adds, as a share of what heaptrack adds.
fn share(blocks: &[[Ran; 3]], time: impl Fn(&Ran) -> Option<f64>) -> String {
    let shares = blocks.iter().filter_map(|[bare, record, heaptrack]| {
        let bare_ns = time(bare)?;
        Some((time(record)? - bare_ns) / (time(heaptrack)? - bare_ns))
    });
    format!("record adds {} of what heaptrack adds", shown(shares, 3))
}

/// The sizes of both files, for each of `calls` if their number is known.
fn sizes(blocks: &[[Ran; 3]], calls: Option<f64>) -> String {
    let of = |at: usize| {
        let bytes = blocks.iter().map(|block| block[at].file_bytes as f64);
        match calls {
            Some(calls) => format!("{} bytes a call", shown(bytes.map(|bytes| bytes / calls), 2)),
            None => format!("{} MB", shown(bytes.map(|bytes| bytes / 1e6), 1)),
        }
    };
    format!("file: {}; heaptrack's {}", of(1), of(2))
}
