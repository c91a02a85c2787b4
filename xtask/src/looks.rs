//! `cargo xtask bench-layout`: what looks at a running program cost it. `fixtures/stalls.c` maps,
//! touches and unmaps memory while it is looked at, and prints its longest round. Each block runs
//! it once under every way of looking, in random order.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use stats::median;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct BenchLayout {
    /// Blocks
    #[arg(long, default_value_t = 11, value_name = "N")]
    blocks: usize,
    /// Resident memory of the program, in small pages of one mapping
    #[arg(long, default_value_t = 3072, value_name = "MIB")]
    resident: u32,
    /// Further mappings of the program
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    mappings: u32,
    /// How long the program runs in a block, after its memory is there
    #[arg(long, default_value_t = 3, value_name = "S")]
    seconds: u32,
    /// The build of firsttouch to measure [default: a release build, made now]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Another build of firsttouch, to compare with
    #[arg(long, value_name = "FILE")]
    other: Option<PathBuf>,
}

/// Looks begin this often, or one after the other if they take longer.
const EVERY: Duration = Duration::from_millis(100);

/// A way of looking.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Bare,
    /// `layout -p` of the program, again and again.
    Looks(String, &'static str),
    /// `layout --watch -p`, on a terminal made by script(1).
    Watch(String, &'static str),
    /// `layout -p --accounted`, once.
    Accounted(String),
}

impl Way {
    fn name(&self) -> String {
        match self {
            Way::Bare => "bare".to_owned(),
            Way::Looks(_, build) => format!("layout -p, ten times a second{build}"),
            Way::Watch(_, build) => format!("layout --watch -p{build}"),
            Way::Accounted(_) => "layout -p --accounted, once".to_owned(),
        }
    }

    /// The command that looks at `pid`, and whether it is repeated.
    fn looker(&self, pid: u32) -> Option<(Command, bool)> {
        let pid = pid.to_string();
        let command = |words: &[&str]| {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            command
        };
        Some(match self {
            Way::Bare => return None,
            Way::Looks(program, _) => {
                (command(&[program, "layout", "--json", "-", "-p", &pid]), true)
            }
            Way::Watch(program, _) => {
                let line = format!("stty cols 120 rows 50; exec {program} layout --watch -p {pid}");
                (command(&["script", "-q", "-e", "-c", &line, "/dev/null"]), false)
            }
            Way::Accounted(program) => {
                (command(&[program, "layout", "--accounted", "--json", "-", "-p", &pid]), false)
            }
        })
    }
}

/// What the program printed, and how often it was looked at.
#[derive(Debug, Clone, Copy)]
struct Taken {
    rounds: f64,
    longest_ms: f64,
    slow: f64,
    looks: f64,
}

pub(crate) fn run(options: &BenchLayout, root: &Path) -> anyhow::Result<()> {
    let stalls = root.join("target/stalls");
    let source = root.join("fixtures/stalls.c");
    if !Command::new("cc").args(["-O2", "-o"]).arg(&stalls).arg(source).status()?.success() {
        bail!("cannot build the program to look at");
    }
    let text = |path: &Path| {
        anyhow::Ok(path.canonicalize()?.to_str().context("a path of UTF-8")?.to_owned())
    };
    let own = match &options.program {
        Some(program) => text(program)?,
        None => text(&release(root)?)?,
    };
    let mut ways = vec![
        Way::Bare,
        Way::Looks(own.clone(), ""),
        Way::Watch(own.clone(), ""),
        Way::Accounted(own),
    ];
    if let Some(other) = &options.other {
        let other = text(other)?;
        ways.push(Way::Looks(other.clone(), ", the other build"));
        ways.push(Way::Watch(other, ", the other build"));
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut all: Vec<(Way, Vec<Taken>)> = ways.into_iter().map(|way| (way, Vec::new())).collect();
    for _ in 0..options.blocks {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_cached_key(|_| random.next_u64());
        for place in order {
            let (way, taken) = &mut all[place];
            taken.push(once(way, options, &stalls)?);
        }
    }
    print(options, &all);
    Ok(())
}

/// The release build of firsttouch.
fn release(root: &Path) -> anyhow::Result<PathBuf> {
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "firsttouch"])
        .current_dir(root)
        .status()?;
    if !built.success() {
        bail!("cannot build firsttouch");
    }
    Ok(root.join("target/release/firsttouch"))
}

/// Runs the program once, and looks at it from when its memory is there until it ends.
fn once(way: &Way, options: &BenchLayout, stalls: &Path) -> anyhow::Result<Taken> {
    let wishes = [options.resident, options.mappings, 1000 * options.seconds];
    let mut program = Command::new(stalls)
        .args(wishes.map(|wish| wish.to_string()))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(program.stdout.take().context("its output is a pipe")?);
    let mut line = String::new();
    output.read_line(&mut line)?;
    let mut looks = 0_u32;
    if let Some((mut command, repeated)) = way.looker(program.id()) {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut looker = command.spawn().with_context(|| way.name())?;
        looks = 1;
        while repeated && program.try_wait()?.is_none() {
            let began = Instant::now();
            let status = looker.wait()?;
            // Later ones fail too once the program's memory is being freed.
            if looks == 1 && !status.success() {
                bail!("{}: {status}", way.name());
            }
            std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
            looker = command.spawn()?;
            looks += 1;
        }
        program.wait()?;
        end(looker)?;
    }
    line.clear();
    output.read_line(&mut line)?;
    program.wait()?;
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [rounds, longest_ns, slow] = numbers[..] else {
        bail!("the program printed {line:?}");
    };
    Ok(Taken { rounds, longest_ms: longest_ns / 1e6, slow, looks: f64::from(looks) })
}

/// Ends a looker whose program has ended.
fn end(mut looker: Child) -> anyhow::Result<()> {
    let began = Instant::now();
    while looker.try_wait()?.is_none() {
        if began.elapsed() > Duration::from_secs(2) {
            looker.kill()?;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn print(options: &BenchLayout, all: &[(Way, Vec<Taken>)]) {
    println!(
        "{} MiB resident, {} mappings, {} s in each of {} blocks",
        options.resident, options.mappings, options.seconds, options.blocks
    );
    println!(
        "the longest round of mmap, touch, munmap in ms: its median and its maximum over blocks"
    );
    for (way, taken) in all {
        let of = |figure: fn(&Taken) -> f64| taken.iter().map(figure).collect::<Vec<f64>>();
        let middle = |figure| median(&of(figure)).unwrap_or(f64::NAN);
        let most = of(|taken| taken.longest_ms).into_iter().fold(0.0, f64::max);
        println!(
            "  {:48} {:7.2} {:7.2}   {:5.0} rounds over 1 ms, {:.0} rounds, {:.0} looks",
            way.name(),
            middle(|taken| taken.longest_ms),
            most,
            middle(|taken| taken.slow),
            middle(|taken| taken.rounds),
            middle(|taken| taken.looks),
        );
    }
}
