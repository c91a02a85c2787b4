//! Other tools on the same work under two names, in turn with the lab, so all run under the same
//! conditions.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sys::interrupt::Interrupt;
use sys::process::{Finished, WaitStatus};

use crate::rates::{Rate, welch};

/// A tool with its rule for calling two commands different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tool {
    /// This lab.
    Firsttouch,
    /// hyperfine, with Welch's t-test over its runs.
    Hyperfine,
    /// criterion, against its saved baseline.
    Criterion,
    /// tango, of two copies of a benchmark.
    Tango,
}

impl Tool {
    /// All.
    pub(crate) const ALL: [Tool; 4] =
        [Tool::Firsttouch, Tool::Hyperfine, Tool::Criterion, Tool::Tango];

    /// The rule.
    #[must_use]
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Tool::Firsttouch => "bench, one copy of mmap, margin 2 %: verdict \"different\"",
            Tool::Hyperfine => "-N --warmup 3 --runs 20 of two commands, Welch's t-test: p < 0.05",
            Tool::Criterion => {
                "warm-up 0.5 s, measurement 1 s, against its saved baseline: \"improved\" or \
                \"regressed\""
            }
            Tool::Tango => "compare -t 1 of two copies: marked as significant (*)",
        }
    }
}

/// The result of one tool for the same work under two names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolResult {
    /// The tool.
    pub(crate) tool: Tool,
    /// Whether it called them different.
    pub(crate) different: bool,
    /// Its version.
    pub(crate) version: String,
}

/// The available tools.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    directory: PathBuf,
    /// The C program, twice.
    commands: [PathBuf; 2],
    criterion: Option<PathBuf>,
    tango: Option<[PathBuf; 2]>,
    hyperfine: Option<String>,
}

impl Peers {
    /// Builds the available tools, and prints which are missing.
    ///
    /// # Errors
    /// If files cannot be copied.
    pub(crate) fn build(root: &Path, directory: &Path, c_program: &Path) -> anyhow::Result<Self> {
        let again = directory.join("phases-again");
        std::fs::copy(c_program, &again).context("cannot copy the C program")?;
        let peer =
            |name: &str| match build(&root.join("xtask/peers").join(name), &directory.join(name)) {
                Ok(program) => Some(program),
                Err(error) => {
                    eprintln!("SKIPPED {name}: {error:#}");
                    None
                }
            };
        let (criterion, tango) = (peer("criterion"), peer("tango"));
        let tango = match tango {
            Some(program) => {
                let copy = directory.join("tango-again");
                std::fs::copy(&program, &copy).context("cannot copy the benchmark")?;
                Some([program, copy])
            }
            None => None,
        };
        let version = Command::new("hyperfine").arg("--version").output();
        let hyperfine =
            version.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        if hyperfine.is_none() {
            eprintln!("SKIPPED hyperfine: it is not installed (apt-get install hyperfine)");
        }
        let commands = [c_program.to_owned(), again];
        Ok(Peers { directory: directory.to_owned(), commands, criterion, tango, hyperfine })
    }

    /// Runs every tool in turn and returns the results; `None` after an interrupt.
    ///
    /// # Errors
    /// If one of them fails.
    pub(crate) fn ask(&self, interrupt: Interrupt) -> anyhow::Result<Option<Vec<ToolResult>>> {
        let mut all = Vec::new();
        for answer in
            [self.hyperfine(interrupt)?, self.criterion(interrupt)?, self.tango(interrupt)?]
        {
            match answer {
                Answer::Done(result) => all.push(result),
                Answer::Absent => {}
                Answer::Interrupted => return Ok(None),
            }
        }
        Ok(Some(all))
    }

    fn hyperfine(&self, interrupt: Interrupt) -> anyhow::Result<Answer> {
        let Some(version) = &self.hyperfine else { return Ok(Answer::Absent) };
        let export = self.directory.join("hyperfine.json");
        let mut command = Command::new("hyperfine");
        command
            .args(["-N", "--warmup", "3", "--runs", "20", "--style", "none", "--export-json"])
            .arg(&export);
        command.args(
            self.commands.iter().map(|program| format!("{} mmap 1048576 32", program.display())),
        );
        let Some(_) = finish("hyperfine", &mut command, interrupt)? else {
            return Ok(Answer::Interrupted);
        };
        let times = hyperfine_times(&std::fs::read_to_string(&export)?)?;
        let p = welch(&times[0], &times[1]).context("hyperfine's times do not vary")?;
        Ok(Answer::Done(ToolResult {
            tool: Tool::Hyperfine,
            different: p < 0.05,
            version: version.clone(),
        }))
    }

    fn criterion(&self, interrupt: Interrupt) -> anyhow::Result<Answer> {
        let Some(program) = &self.criterion else { return Ok(Answer::Absent) };
        let mut text = String::new();
        for option in ["--save-baseline", "--baseline"] {
            let mut command = Command::new(program);
            command.args([
                "--bench",
                "--noplot",
                "--warm-up-time",
                "0.5",
                "--measurement-time",
                "1",
                option,
                "a",
                "work",
            ]);
            command.env("CRITERION_HOME", self.directory.join("criterion-home"));
            let Some(finished) = finish("criterion", &mut command, interrupt)? else {
                return Ok(Answer::Interrupted);
            };
            text = String::from_utf8_lossy(&finished.stdout).into_owned();
        }
        let different = criterion_verdict(&text)
            .with_context(|| format!("unknown output of criterion: {text}"))?;
        Ok(Answer::Done(ToolResult { tool: Tool::Criterion, different, version: "0.7".to_owned() }))
    }

    fn tango(&self, interrupt: Interrupt) -> anyhow::Result<Answer> {
        let Some([program, copy]) = &self.tango else { return Ok(Answer::Absent) };
        let mut command = Command::new(program);
        command.arg("compare").arg(copy).args(["-t", "1"]);
        let Some(finished) = finish("tango", &mut command, interrupt)? else {
            return Ok(Answer::Interrupted);
        };
        let text = String::from_utf8_lossy(&finished.stdout).into_owned();
        let different =
            tango_verdict(&text).with_context(|| format!("unknown output of tango: {text}"))?;
        Ok(Answer::Done(ToolResult { tool: Tool::Tango, different, version: "0.6".to_owned() }))
    }
}

enum Answer {
    Done(ToolResult),
    Absent,
    Interrupted,
}

fn finish(
    name: &str,
    command: &mut Command,
    interrupt: Interrupt,
) -> anyhow::Result<Option<Finished>> {
    let Some(finished) = sys::process::run(command, interrupt, None)
        .with_context(|| format!("cannot run {name}"))?
    else {
        return Ok(None);
    };
    if finished.ending != WaitStatus::Exited(0) {
        bail!(
            "{name} ended with {:?}: {}",
            finished.ending,
            String::from_utf8_lossy(&finished.stderr).trim()
        );
    }
    Ok(Some(finished))
}

/// Builds the benchmark of the project in `source` and returns its program.
fn build(source: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--benches", "--message-format=json", "--quiet"])
        .current_dir(source)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "the build failed: {}",
            String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("?")
        );
    }
    let programs = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "work")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect::<Vec<PathBuf>>();
    programs.into_iter().next().context("cargo printed no program")
}

/// The times of both commands in hyperfine's export.
fn hyperfine_times(json: &str) -> anyhow::Result<[Vec<f64>; 2]> {
    #[derive(Deserialize)]
    struct Export {
        results: Vec<Command>,
    }
    #[derive(Deserialize)]
    struct Command {
        times: Vec<f64>,
    }
    let export: Export =
        serde_json::from_str(json).context("unknown form of hyperfine's export")?;
    let times: Vec<Vec<f64>> = export.results.into_iter().map(|command| command.times).collect();
    times.try_into().map_err(|_| anyhow::anyhow!("hyperfine did not export two commands"))
}

/// Whether criterion reports a change; `None` if its output has no verdict.
fn criterion_verdict(text: &str) -> Option<bool> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["Performance has improved", "Performance has regressed"]) {
        Some(true)
    } else if has(&["No change in performance", "Change within noise threshold"]) {
        Some(false)
    } else {
        None
    }
}

/// Whether tango marks the difference as significant; `None` if its output has none.
fn tango_verdict(text: &str) -> Option<bool> {
    let line = text.lines().find(|line| line.starts_with("work"))?;
    line.contains('%').then(|| line.trim_end().ends_with('*'))
}

/// How often each tool called the same work different.
#[must_use]
pub(crate) fn report(results: &[ToolResult]) -> String {
    let line = |tool: Tool| {
        let own: Vec<&ToolResult> = results.iter().filter(|result| result.tool == tool).collect();
        let version = own.first()?.version.clone();
        let rate = Rate::of(own.iter().map(|result| result.different));
        Some(format!("| {tool:?} {version} | {} | {rate} |\n", tool.rule()))
    };
    Tool::ALL.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_the_tools_is_parsed() {
        let times = hyperfine_times(
            r#"{"results":[{"command":"a","times":[1.0,2.0]},{"command":"b","times":[3.0]}]}"#,
        );
        assert_eq!(times.unwrap(), [vec![1.0, 2.0], vec![3.0]]);
        assert!(hyperfine_times(r#"{"results":[]}"#).is_err());
        assert_eq!(criterion_verdict("change: +3 %\nPerformance has regressed.\n"), Some(true));
        assert_eq!(criterion_verdict("No change in performance detected."), Some(false));
        assert_eq!(criterion_verdict("Change within noise threshold."), Some(false));
        assert_eq!(criterion_verdict("time: [1 2 3]"), None);
        assert_eq!(tango_verdict("work   [ 10.5 ms ...  10.6 ms ]      +0.53%*\n"), Some(true));
        assert_eq!(tango_verdict("work   [ 10.5 ms ...  10.6 ms ]      +0.26%\n"), Some(false));
        assert_eq!(tango_verdict(""), None);
    }

    #[test]
    fn rates_are_by_tool() {
        let result = |tool, different| ToolResult { tool, different, version: "1".to_owned() };
        let text = report(&[
            result(Tool::Criterion, true),
            result(Tool::Criterion, false),
            result(Tool::Firsttouch, false),
        ]);
        assert!(
            text.contains("Criterion 1") && text.contains("1 of 2") && text.contains("0 of 1"),
            "{text}"
        );
        assert!(!text.contains("Tango"), "{text}");
    }
}
