//! `firsttouch report --diff OLD NEW`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use compare::diff::{ResultFile, diff};

use crate::options::{ScreenOptions, Usage};
use crate::sink::{self, Sink};
use crate::stream::{is_same_file, is_stdout};

pub(super) fn run(
    files: &[PathBuf],
    json: Option<&Path>,
    screen: ScreenOptions,
) -> anyhow::Result<ExitCode> {
    let [old, new] = files else {
        return Err(Usage("--diff needs two files, OLD and NEW".to_owned()).into());
    };
    check(old, new, json)?;
    let (olds, news) = (super::read(old)?, super::read(new)?);
    let (old, new) = (old.display().to_string(), new.display().to_string());
    let (old, new) =
        (ResultFile { file: &old, result: &olds }, ResultFile { file: &new, result: &news });
    let found = diff(env!("CARGO_PKG_VERSION"), old, new)?;
    let sink = json.map(Sink::open).transpose()?;
    let text = || report::diff_screen(&found, screen.view());
    sink::deliver(sink, |writer| results::write(&found, writer), text, screen.color)?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a file against itself, which needs no measurement, and to write over either.
fn check(old: &Path, new: &Path, json: Option<&Path>) -> Result<(), Usage> {
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    if is_stdin(old) && is_stdin(new) {
        return Err(Usage(
            "standard input holds one result: name a file for OLD or for NEW".to_owned(),
        ));
    }
    if !is_stdin(old) && !is_stdin(new) && is_same_file(old, new) && old.is_file() {
        return Err(Usage(format!(
            "{} and {} are the same file: a diff needs two runs",
            old.display(),
            new.display()
        )));
    }
    let inputs = [old, new];
    if let Some(recording) = inputs.iter().find(|file| super::recording::is_recording(file)) {
        return Err(Usage(format!(
            "{} is a recording: --diff compares results of bench --json or compare --json; \
             report shows recordings one by one",
            recording.display()
        )));
    }
    let mut overwritten = inputs.into_iter().filter(|file| {
        json.is_some_and(|json| !is_stdout(json) && !is_stdin(file) && is_same_file(file, json))
    });
    match overwritten.next() {
        Some(file) => {
            Err(Usage(format!("--json would overwrite {}: name another file", file.display())))
        }
        None => Ok(()),
    }
}
