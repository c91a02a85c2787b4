//! `firsttouch report --diff OLD NEW`: two recordings or two results.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use compare::diff::{RecordingFile, RecordingOrigin, ResultFile, diff, recording_diff};
use results::recording::RecordingReport;
use results::{AnyResult, Comparable, Reading};

use super::options::ReportOptions;
use crate::input;
use crate::options::{ScreenOptions, Usage};
use crate::sink::{self, Sink};
use crate::stream::{is_same_file, is_stdout};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a file has that can be compared.
enum Side {
    Result(AnyResult),
    /// With what only a recording knows, a report alone does not.
    Recording(Box<RecordingReport>, Option<RecordingOrigin>),
}

pub(super) fn run(
    files: &[PathBuf],
    options: &ReportOptions,
    screen: ScreenOptions,
) -> anyhow::Result<ExitCode> {
    let json = options.json.as_deref();
    let (old, new) = pair(files, options.file.as_deref())?;
    check(old, new, json)?;
    let sink = || json.map(Sink::open).transpose();
    let (olds, news) = (read(old)?, read(new)?);
    let (old, new) = (old.display().to_string(), new.display().to_string());
    match (&olds, &news) {
        (Side::Result(olds), Side::Result(news)) => {
            let (old, new) =
                (ResultFile { file: &old, result: olds }, ResultFile { file: &new, result: news });
            let found = diff(VERSION, old, new)?;
            let text = || report::diff_screen(&found, screen.view());
            sink::deliver(sink()?, |writer| results::write(&found, writer), text, screen.color)?;
        }
        (Side::Recording(olds, was), Side::Recording(news, is)) => {
            let file = |file, report, taken| RecordingFile { file, report, taken };
            let old = file(&old, olds, was.as_ref());
            let new = file(&new, news, is.as_ref());
            let found = recording_diff(VERSION, old, new)?;
            let text = || report::recording_diff_screen(&found, screen.view());
            sink::deliver(sink()?, |writer| results::write(&found, writer), text, screen.color)?;
        }
        (Side::Recording(..), Side::Result(_)) => return Err(mixed(&old, &new).into()),
        (Side::Result(_), Side::Recording(..)) => return Err(mixed(&new, &old).into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The old file and the new one: both values of `--diff`, or its value and FILE.
fn pair<'a>(files: &'a [PathBuf], file: Option<&'a Path>) -> Result<(&'a Path, &'a Path), Usage> {
    match (files, file) {
        ([old, new], None) => Ok((old, new)),
        ([old], Some(new)) => Ok((old, new)),
        ([_], None) => Err(Usage("--diff needs two files, OLD and NEW".to_owned())),
        (_, file) => Err(Usage(format!(
            "--diff has two files, so a third cannot be used with it: {}",
            file.unwrap_or(Path::new("")).display()
        ))),
    }
}

fn mixed(recording: &str, result: &str) -> Usage {
    Usage(format!(
        "{recording} is a recording, {result} a result of bench or compare: --diff compares two of \
         one kind. Record the other program as well (firsttouch record), or run compare on both"
    ))
}

/// What is in `file`, which may be standard input unless it is a recording.
fn read(file: &Path) -> anyhow::Result<Side> {
    if super::recording::is_recording(file) {
        let (report, taken) = super::recording::whole(file)?;
        return Ok(Side::Recording(Box::new(report), Some(taken)));
    }
    let found = if file.as_os_str() == "-" {
        results::read_comparable(std::io::stdin().lock()).context("standard input")?
    } else {
        let opened = input::open(file, results::BYTES_MAX)?;
        let name = || file.display().to_string();
        results::read_comparable(opened).map_err(hinted).with_context(name)?
    };
    Ok(match found {
        Comparable::Result(result) => Side::Result(result),
        Comparable::Report(report) => Side::Recording(report, None),
    })
}

/// Says what can be compared.
fn hinted(error: Reading) -> anyhow::Error {
    match &error {
        Reading::Schema { .. } => {
            let hint = "--diff compares recordings, reports of them (report --json), and what \
                        bench --json and compare --json write";
            anyhow::anyhow!("{error}: {hint}")
        }
        _ => error.into(),
    }
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
            "{} and {} are the same file, so everything is the same: a diff needs two runs",
            old.display(),
            new.display()
        )));
    }
    let mut overwritten = [old, new].into_iter().filter(|file| {
        json.is_some_and(|json| !is_stdout(json) && !is_stdin(file) && is_same_file(file, json))
    });
    match overwritten.next() {
        Some(file) => {
            Err(Usage(format!("--json would overwrite {}: name another file", file.display())))
        }
        None => Ok(()),
    }
}
