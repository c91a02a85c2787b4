//! `cargo xtask bench-trace`: the cost of `firsttouch trace`, compared with strace in the same run.
//! Each block runs the same program bare and with every way of tracing, in random order. The cost
//! of a way is its time less that of the bare run of the block; the figures are medians over blocks
//! with intervals.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use stats::{Verdict, compare, largest_rank, median, sign_interval, sorted};

use crate::program::with_fixture;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct BenchTrace {
    /// Blocks of each part
    #[arg(long, default_value_t = 12, value_name = "N")]
    blocks: usize,
    /// Only these parts: loop, faults, fields, short, idle, burst
    #[arg(value_name = "PART")]
    parts: Vec<String>,
}

const PARTS: [&str; 6] = ["loop", "faults", "fields", "short", "idle", "burst"];

/// A way of tracing, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Bare,
    Tracepoints,
    Ptrace,
    Faults,
    Strace,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Bare => "bare",
            Way::Tracepoints => "trace, by tracepoints",
            Way::Ptrace => "trace, by ptrace",
            Way::Faults => "trace, faults only",
            Way::Strace => "strace -f -e trace=memory",
        }
    }

    /// The tracer's part of the command.
    fn watcher(self, program: &str) -> Vec<String> {
        let ours = |options: &[&str]| -> Vec<String> {
            [&[program, "trace", "-o", "/dev/null"], options, &["--"]]
                .concat()
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        match self {
            Way::Bare => Vec::new(),
            Way::Tracepoints => ours(&["--syscalls", "tracepoints"]),
            Way::Ptrace => ours(&["--syscalls", "ptrace"]),
            Way::Faults => ours(&["--syscalls", "off"]),
            Way::Strace => {
                ["strace", "-f", "-e", "trace=memory", "-o", "/dev/null"].map(String::from).to_vec()
            }
        }
    }
}

/// One run: the time of the whole command, and of the loop inside the program.
#[derive(Debug, Clone, Copy)]
struct Taken {
    whole_ns: f64,
    act_ns: f64,
}

pub(crate) fn run(options: &BenchTrace, root: &Path) -> anyhow::Result<()> {
    let bench = Bench::build(root, options.blocks)?;
    let wanted =
        |part: &str| options.parts.is_empty() || options.parts.iter().any(|wanted| wanted == part);
    if let Some(unknown) = options.parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        bail!("no part {unknown}; known: {}", PARTS.join(", "));
    }
    if wanted("loop") {
        bench.syscalls()?;
    }
    if wanted("faults") {
        bench.faults()?;
    }
    if wanted("fields") {
        bench.fields(root)?;
    }
    if wanted("short") {
        bench.short()?;
    }
    if wanted("idle") {
        bench.idle()?;
    }
    if wanted("burst") {
        bench.burst()?;
    }
    Ok(())
}

struct Bench {
    firsttouch: String,
    acts: String,
    blocks: usize,
}

impl Bench {
    fn build(root: &Path, blocks: usize) -> anyhow::Result<Self> {
        let (firsttouch, acts) = with_fixture(root, "memory_acts", &["-O2", "-pthread"])?;
        let text = |path: PathBuf| anyhow::Ok(path.to_str().context("a path of UTF-8")?.to_owned());
        Ok(Bench { firsttouch: text(firsttouch)?, acts: text(acts)?, blocks })
    }

    /// Runs `act` under `way`. `None` if this way is not available here.
    fn once(&self, way: Way, act: &[&str]) -> anyhow::Result<Option<Taken>> {
        let mut words = way.watcher(&self.firsttouch);
        words.extend([self.acts.clone(), "time".to_owned()]);
        words.extend(act.iter().map(ToString::to_string));
        let began = Instant::now();
        let output = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let whole_ns = began.elapsed().as_nanos() as f64;
        let Ok(output) = output else { return Ok(None) };
        if !output.status.success() {
            return Ok(None);
        }
        let act_ns = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .context("the program did not print its time")?;
        Ok(Some(Taken { whole_ns, act_ns }))
    }

    /// Blocks of all `ways` in random order, after one that does not count. Unavailable ways are
    /// reported and left out.
    fn blocks(&self, ways: &[Way], act: &[&str]) -> anyhow::Result<Vec<Vec<(Way, Taken)>>> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut usable = Vec::new();
        for &way in ways {
            match self.once(way, act)? {
                Some(_) => usable.push(way),
                None => println!("  {} is not available here: left out", way.name()),
            }
        }
        let mut blocks = Vec::new();
        for _ in 0..self.blocks {
            usable.sort_by_cached_key(|_| random.next_u64());
            let mut block = Vec::new();
            for &way in &usable {
                block.push((way, self.once(way, act)?.context("it worked before")?));
            }
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// A loop of mmap, touch and munmap: the cost of a way, as a share of strace's.
    fn syscalls(&self) -> anyhow::Result<()> {
        const ROUNDS: f64 = 30_000.0;
        println!("\nloop: 30,000 times mmap of 1 MiB, one touch, munmap");
        let ways = [Way::Bare, Way::Tracepoints, Way::Ptrace, Way::Strace];
        let blocks = self.blocks(&ways, &["loop", "30000"])?;
        for way in ways {
            let inner =
                blocks.iter().filter_map(|block| Some(find(block, way)?.act_ns / ROUNDS / 1000.0));
            let whole = blocks.iter().filter_map(|block| Some(find(block, way)?.whole_ns / 1e6));
            println!(
                "  {:27} {} us a round, {} ms in all",
                way.name(),
                shown(inner, 2),
                shown(whole, 0)
            );
        }
        for way in [Way::Tracepoints, Way::Ptrace] {
            let share = |time: fn(&Taken) -> f64| {
                blocks.iter().filter_map(move |block| {
                    let added = |way| Some(time(find(block, way)?) - time(find(block, Way::Bare)?));
                    Some(added(way)? / added(Way::Strace)?)
                })
            };
            println!(
                "  {} adds {} of what strace adds to the loop, {} to the whole command",
                way.name(),
                shown(share(|taken| taken.act_ns), 3),
                shown(share(|taken| taken.whole_ns), 3)
            );
        }
        Ok(())
    }

    /// First touches: the cost of recording each with its latency.
    fn faults(&self) -> anyhow::Result<()> {
        const PAGES: f64 = 200_000.0;
        println!("\nfaults: 200,000 first touches");
        let ways = [Way::Bare, Way::Faults, Way::Tracepoints];
        let blocks = self.blocks(&ways, &["touch", "200000"])?;
        for way in ways {
            let each = blocks.iter().filter_map(|block| Some(find(block, way)?.act_ns / PAGES));
            println!("  {:27} {} ns a fault", way.name(), shown(each, 0));
        }
        let added = blocks.iter().filter_map(|block| {
            Some(
                (find(block, Way::Faults)?.act_ns - find(block, Way::Bare)?.act_ns)
                    / PAGES
                    / 1000.0,
            )
        });
        println!("  recording a fault with its latency adds {} us", shown(added, 2));
        Ok(())
    }

    /// What each field of the records of a fault costs, with events opened by a program of its own.
    fn fields(&self, root: &Path) -> anyhow::Result<()> {
        println!(
            "\nfields: what recording adds to a first touch, by the fields of its two records"
        );
        let program = root.join("target/fault_fields");
        let source = root.join("fixtures/fault_fields.c");
        let compiled = Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).status()?;
        if !compiled.success() {
            bail!("cannot build the program that opens the events");
        }
        let mut names: Vec<String> = Vec::new();
        let mut runs: Vec<Vec<f64>> = Vec::new();
        for _ in 0..self.blocks {
            let output = Command::new(&program).output()?;
            if !output.status.success() {
                println!(
                    "  not available here: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                );
                return Ok(());
            }
            let text = String::from_utf8_lossy(&output.stdout);
            let sets: Vec<(&str, &str)> =
                text.lines().filter_map(|line| line.split_once('\t')).collect();
            names = sets.iter().map(|(name, _)| (*name).to_owned()).collect();
            runs.push(sets.iter().map(|(_, ns)| ns.parse()).collect::<Result<_, _>>()?);
        }
        for (at, name) in names.iter().enumerate() {
            let added = runs.iter().filter_map(|run| run.get(at).copied());
            let ratio = runs.iter().filter_map(|run| Some(run.get(at)? / run.first()?));
            println!("  {name:34} {} ns, {} of the first", shown(added, 0), shown(ratio, 2));
        }
        Ok(())
    }

    /// A program that ends at once: what the start and the end of a trace take.
    fn short(&self) -> anyhow::Result<()> {
        println!("\nshort: a program that does nothing");
        let ways = [Way::Bare, Way::Faults, Way::Ptrace, Way::Tracepoints, Way::Strace];
        let blocks = self.blocks(&ways, &["exit", "0"])?;
        for way in ways {
            let whole = blocks.iter().filter_map(|block| Some(find(block, way)?.whole_ns / 1e6));
            println!("  {:27} {} ms in all", way.name(), shown(whole, 1));
        }
        Ok(())
    }

    /// Programs whose loops have no memory syscalls: are they slower?
    fn idle(&self) -> anyhow::Result<()> {
        for (about, act) in [
            ("work without the kernel", ["spin", "300"]),
            ("syscalls other than memory syscalls", ["calls", "1000000"]),
        ] {
            println!("\nidle: {about}");
            let ways = [Way::Bare, Way::Tracepoints, Way::Ptrace, Way::Strace];
            let blocks = self.blocks(&ways, &act)?;
            for way in &ways[1..] {
                let logs: Vec<f64> = blocks
                    .iter()
                    .filter_map(|block| {
                        Some((find(block, *way)?.act_ns / find(block, Way::Bare)?.act_ns).ln())
                    })
                    .collect();
                let Some(estimate) = compare(&logs, rank(logs.len()), 0.02) else { continue };
                let verdict = match estimate.verdict {
                    Verdict::Equivalent => "the same at 2 %",
                    Verdict::Different => "different",
                    Verdict::Inconclusive => "unclear at 2 %",
                };
                let ratios = logs.iter().map(|log| log.exp());
                println!("  {:27} {}x of the bare loop: {verdict}", way.name(), shown(ratios, 3));
            }
        }
        Ok(())
    }

    /// A million faults at full speed: are any lost?
    fn burst(&self) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Summary {
            lost: u64,
            faults_seen: u64,
            faults_counted: Option<u64>,
        }
        println!("\nburst: 1,000,000 first touches, with one line of JSON each");
        let folder = std::env::temp_dir().join(format!("firsttouch-burst-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        // An ordinary user may not have access to the build folder.
        let copies = [("firsttouch", &self.firsttouch), ("acts", &self.acts)]
            .map(|(name, from)| (folder.join(name), from));
        for (to, from) in &copies {
            std::fs::copy(from, to)?;
        }
        let run = format!(
            "{} trace --faults all --json - -- {} touch 1000000 2>/dev/null | tail -n 1",
            copies[0].0.display(),
            copies[1].0.display()
        );
        let nobody = format!(
            "chmod -R a+rX {0} && cd / && setpriv --reuid=65534 --regid=65534 --clear-groups sh -c \
            '{run}'",
            folder.display()
        );
        for (user, script) in [("this user", run.clone()), ("nobody", nobody)] {
            let mut lost = Vec::new();
            for _ in 0..self.blocks.min(5) {
                let output =
                    Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output()?;
                let Ok(summary) = serde_json::from_slice::<Summary>(&output.stdout) else {
                    continue;
                };
                lost.push(format!(
                    "{} lost ({} seen of {} counted)",
                    summary.lost,
                    summary.faults_seen,
                    summary.faults_counted.map_or("?".into(), |count| count.to_string())
                ));
            }
            println!(
                "  {user}: {}",
                if lost.is_empty() { "not available here".into() } else { lost.join("; ") }
            );
        }
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    }
}

fn find(block: &[(Way, Taken)], way: Way) -> Option<&Taken> {
    block.iter().find(|(of, _)| *of == way).map(|(_, taken)| taken)
}

/// The rank of a 95 % interval of this many blocks.
fn rank(blocks: usize) -> usize {
    largest_rank(blocks, 0.05)
}

/// A median with its interval.
pub(crate) fn shown(values: impl IntoIterator<Item = f64>, digits: usize) -> String {
    let values: Vec<f64> = values.into_iter().collect();
    let Some(middle) = median(&values) else { return "-".into() };
    let bounds = sign_interval(&sorted(&values), rank(values.len()));
    let bounds = bounds.map_or(String::new(), |bounds| {
        format!(" [{:.digits$}, {:.digits$}]", bounds.low, bounds.high)
    });
    format!("{middle:.digits$}{bounds}")
}
