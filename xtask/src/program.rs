//! Driving the program from outside, as a user's script would.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use results::{LabResult, Verdict};
use serde::{Deserialize, Serialize};
use sys::interrupt::Interrupt;
use sys::process::WaitStatus;

/// The program, and what tells it from another build.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Changes with it.
    pub(crate) build: String,
}

impl Program {
    /// Builds it, and takes a copy, so that later builds do not change what is measured with.
    ///
    /// # Errors
    /// If it cannot be built or copied.
    pub(crate) fn build(root: &Path, directory: &Path) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--quiet", "--package", "firsttouch"])
            .current_dir(root)
            .status()
            .context("cannot run cargo")?;
        if !status.success() {
            bail!("the program does not build");
        }
        let built = root.join("target/release/firsttouch");
        let bytes =
            std::fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
        let print = format!("{:016x}", fingerprint(&bytes));
        let path = directory.join(format!("firsttouch-{print}"));
        if !path.exists() {
            std::fs::create_dir_all(directory)?;
            std::fs::copy(&built, &path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Program { path, build: print })
    }

    /// Runs an experiment; `None` if the user asked for the end.
    ///
    /// # Errors
    /// What it said on standard error, if it failed.
    pub(crate) fn bench(
        &self,
        experiment: &Path,
        seed: u64,
        interrupt: Interrupt,
    ) -> anyhow::Result<Option<LabResult>> {
        let mut command = Command::new(&self.path);
        command.arg("bench").arg(experiment).args([
            "-q",
            "--json",
            "-",
            "--seed",
            &seed.to_string(),
        ]);
        let Some(finished) = sys::process::run(&mut command, interrupt, None)? else {
            return Ok(None);
        };
        if finished.ending != WaitStatus::Exited(0) {
            bail!(
                "firsttouch ended with {:?}: {}",
                finished.ending,
                String::from_utf8_lossy(&finished.stderr).trim()
            );
        }
        Ok(Some(results::read(&finished.stdout[..])?))
    }
}

/// FNV-1a: tells builds apart, and no more.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What one run found, without its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Where its random choices came from.
    pub(crate) seed: u64,
    /// How long it took.
    pub(crate) elapsed_ns: u64,
    /// Whether its time ran out.
    pub(crate) cut_short: bool,
    /// Blocks dropped for causes from outside.
    pub(crate) dropped: u64,
    /// Whether the placebo was trusted.
    pub(crate) trusted: Option<bool>,
    /// By comparison.
    pub(crate) comparisons: Vec<FoundRatio>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FoundRatio {
    /// Which arm.
    pub(crate) arm: String,
    /// The estimate.
    pub(crate) ratio: f64,
    /// Its bounds.
    pub(crate) low: Option<f64>,
    /// Its bounds.
    pub(crate) high: Option<f64>,
    /// Blocks behind it.
    pub(crate) blocks: u64,
    /// What the program said.
    pub(crate) verdict: Verdict,
}

impl From<&LabResult> for Found {
    fn from(result: &LabResult) -> Self {
        Found {
            seed: result.seed,
            elapsed_ns: result.elapsed_ns,
            cut_short: result.stopped.is_some(),
            dropped: result.dropped.len() as u64,
            trusted: result.placebo.as_ref().and_then(|placebo| placebo.trusted),
            comparisons: result
                .comparisons
                .iter()
                .map(|c| FoundRatio {
                    arm: c.arm.clone(),
                    ratio: c.ratio,
                    low: c.low,
                    high: c.high,
                    blocks: c.blocks,
                    verdict: c.verdict,
                })
                .collect(),
        }
    }
}

impl FoundRatio {
    /// Whether the interval holds `truth`; what has no interval claims nothing.
    #[must_use]
    pub(crate) fn holds(&self, truth: f64) -> bool {
        self.low.zip(self.high).is_none_or(|(low, high)| low <= truth && truth <= high)
    }
}
