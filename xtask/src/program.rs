//! Runs the program as a user's script does.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use results::{LabResult, Verdict};
use serde::{Deserialize, Serialize};
use sys::interrupt::Interrupt;
use sys::process::WaitStatus;

/// The program and the fingerprint of its build.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Its file.
    pub(crate) path: PathBuf,
    /// A text that changes with the build.
    pub(crate) build: String,
}

/// Builds the program, and a program of `fixtures/` to observe, with these options of cc. Returns
/// both files.
///
/// # Errors
/// If one of them cannot be built.
pub(crate) fn with_fixture(
    root: &Path,
    fixture: &str,
    options: &[&str],
) -> anyhow::Result<(PathBuf, PathBuf)> {
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "firsttouch"])
        .current_dir(root)
        .status()?;
    let program = root.join("target").join(fixture);
    let source = root.join("fixtures").join(fixture).with_extension("c");
    let compiled = Command::new("cc").args(options).arg("-o").arg(&program).arg(source).status()?;
    if !built.success() || !compiled.success() {
        bail!("cannot build the program, or the program to observe");
    }
    let firsttouch = root.join("target/release/firsttouch").canonicalize()?;
    Ok((firsttouch, program.canonicalize()?))
}

impl Program {
    /// Builds the program and copies it, so later builds do not change the measured program.
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

    /// Runs an experiment; `None` after an interrupt.
    ///
    /// # Errors
    /// Its standard error, if it failed.
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

/// FNV-1a, only to distinguish builds.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The results of one run, without its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The seed.
    pub(crate) seed: u64,
    /// The duration.
    pub(crate) elapsed_ns: u64,
    /// Whether the time cap ended it.
    pub(crate) cut_short: bool,
    /// Blocks dropped for external causes.
    pub(crate) dropped: u64,
    /// Whether the placebo was trusted.
    pub(crate) trusted: Option<bool>,
    /// The comparisons.
    pub(crate) comparisons: Vec<FoundRatio>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FoundRatio {
    /// The arm.
    pub(crate) arm: String,
    /// The estimate.
    pub(crate) ratio: f64,
    /// Its bounds.
    pub(crate) low: Option<f64>,
    /// Its bounds.
    pub(crate) high: Option<f64>,
    /// Number of blocks.
    pub(crate) blocks: u64,
    /// The verdict.
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
    /// Whether the interval contains `truth`; true without an interval.
    #[must_use]
    pub(crate) fn holds(&self, truth: f64) -> bool {
        self.low.zip(self.high).is_none_or(|(low, high)| low <= truth && truth <= high)
    }
}
