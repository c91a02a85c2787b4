//! Writes and reads result files.

use std::io::{Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::check::{Impossible, check, check_program};
use crate::claims::{self, Claims};
use crate::compare::{self, ProgramResult};
use crate::doctor::{self, Diagnosis};
use crate::layout::{self, Layout};
use crate::recording::{self, RecordingReport};
use crate::{LabResult, SCHEMA};

/// No more is read: the samples of a quarter of a million processes fit.
pub const BYTES_MAX: u64 = 256 << 20;
/// So much is read before it is known what it is.
const HEAD_BYTES: u64 = 4096;

/// Why reading a result failed.
#[derive(Debug, thiserror::Error)]
pub enum Reading {
    /// The source could not be read.
    #[error("cannot read it")]
    Io(#[from] std::io::Error),
    /// The text is not JSON, or JSON of another form.
    #[error("not a firsttouch result")]
    Form(#[from] serde_json::Error),
    /// There is no text.
    #[error("not a firsttouch result: the file is empty")]
    Empty,
    /// The text is an object without a schema.
    #[error(
        "not a firsttouch result: it has no \"schema\" (neither have the lines of trace --json)"
    )]
    NoSchema,
    /// The text does not begin as a JSON object does.
    #[error("not a firsttouch result: it does not begin with {{")]
    NoObject,
    /// There is no end within [`BYTES_MAX`].
    #[error("not a firsttouch result: it has more than {} MiB", BYTES_MAX >> 20)]
    TooLong,
    /// A value that no run can have.
    #[error("a result that no run can have: {0}")]
    Value(Impossible),
    /// The file has another schema.
    #[error("this is a {found} file, but a {wanted} file is needed")]
    Schema {
        /// The schema of the file.
        found: String,
        /// The expected schema.
        wanted: &'static str,
    },
}

/// Writes `document`, a result or a diagnosis, as indented JSON with a newline at the end.
///
/// # Errors
/// The error of `writer`.
pub fn write(document: &impl Serialize, mut writer: impl Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut writer, document)?;
    writer.write_all(b"\n")?;
    writer.flush()
}

/// A result of either kind: both have the same schema.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyResult {
    /// Of `bench`.
    Lab(Box<LabResult>),
    /// Of `compare`.
    Program(Box<ProgramResult>),
}

/// Reads a result of either kind, and checks that a run can have its values. Unknown keys are
/// ignored, so a later version may add keys.
///
/// # Errors
/// [`Reading`], one variant for each kind of failure.
pub fn read_any(reader: impl Read) -> Result<AnyResult, Reading> {
    let (_, text) = text_of(reader, &[SCHEMA])?;
    result_of(&text)
}

/// What two files of one kind can be compared by.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparable {
    /// A result of `bench` or `compare`.
    Result(AnyResult),
    /// A report of a recording.
    Report(Box<RecordingReport>),
}

/// Reads a result of either kind, or a report of a recording.
///
/// # Errors
/// As [`read_any`].
pub fn read_comparable(reader: impl Read) -> Result<Comparable, Reading> {
    let (schema, text) = text_of(reader, &[SCHEMA, recording::SCHEMA])?;
    if schema == recording::SCHEMA {
        return Ok(Comparable::Report(serde_json::from_slice(&text)?));
    }
    result_of(&text).map(Comparable::Result)
}

fn result_of(text: &[u8]) -> Result<AnyResult, Reading> {
    #[derive(Deserialize)]
    struct Kind {
        experiment: Named,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let kind: Kind = serde_json::from_slice(text)?;
    if kind.experiment.name == compare::EXPERIMENT {
        let result = serde_json::from_slice(text)?;
        check_program(&result).map_err(Reading::Value)?;
        return Ok(AnyResult::Program(Box::new(result)));
    }
    let result = serde_json::from_slice(text)?;
    check(&result).map_err(Reading::Value)?;
    Ok(AnyResult::Lab(Box::new(result)))
}

/// Reads a result of `bench`, and checks that a run can have its values. Unknown keys are ignored,
/// so a later version may add keys.
///
/// # Errors
/// [`Reading`], one variant for each kind of failure.
pub fn read(reader: impl Read) -> Result<LabResult, Reading> {
    let result = read_as(reader, SCHEMA)?;
    check(&result).map_err(Reading::Value)?;
    Ok(result)
}

/// Reads what `firsttouch doctor --json` wrote.
///
/// # Errors
/// As [`read`].
pub fn read_diagnosis(reader: impl Read) -> Result<Diagnosis, Reading> {
    read_as(reader, doctor::SCHEMA)
}

/// Reads what `firsttouch claims --json` wrote.
///
/// # Errors
/// As [`read`].
pub fn read_claims(reader: impl Read) -> Result<Claims, Reading> {
    read_as(reader, claims::SCHEMA)
}

/// Reads what `firsttouch layout --json` wrote.
///
/// # Errors
/// As [`read`].
pub fn read_layout(reader: impl Read) -> Result<Layout, Reading> {
    read_as(reader, layout::SCHEMA)
}

fn read_as<T: DeserializeOwned>(reader: impl Read, wanted: &'static str) -> Result<T, Reading> {
    Ok(serde_json::from_slice(&text_of(reader, &[wanted])?.1)?)
}

/// The schema of a file, one of those `wanted`, and its text.
fn text_of(
    mut reader: impl Read,
    wanted: &[&'static str],
) -> Result<(&'static str, Vec<u8>), Reading> {
    #[derive(Deserialize)]
    struct Header {
        schema: Option<String>,
    }
    let mut text = Vec::new();
    reader.by_ref().take(HEAD_BYTES).read_to_end(&mut text)?;
    if text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|first| *first != b'{') {
        return Err(Reading::NoObject);
    }
    reader.take(BYTES_MAX - HEAD_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Reading::TooLong);
    }
    if text.is_empty() {
        return Err(Reading::Empty);
    }
    // The first object only: others may follow it, a line each.
    let first = serde_json::Deserializer::from_slice(&text).into_iter::<Header>().next();
    let Some(schema) = first.transpose()?.and_then(|header| header.schema) else {
        return Err(Reading::NoSchema);
    };
    match wanted.iter().find(|one| **one == schema) {
        Some(one) => Ok((one, text)),
        None => Err(Reading::Schema { found: schema, wanted: wanted.first().unwrap_or(&SCHEMA) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_schema_are_refused() {
        let claims = br#"{"schema":"firsttouch.claims/1","claims":[]}"#;
        assert!(matches!(
            read(&claims[..]),
            Err(Reading::Schema { found, .. }) if found == "firsttouch.claims/1"
        ));
        assert!(matches!(read(&b"root:x:0:0"[..]), Err(Reading::NoObject)));
        assert!(matches!(read(&br#"{"schema":"firsttouch.result/1"}"#[..]), Err(Reading::Form(_))));
        assert!(matches!(read(&b""[..]), Err(Reading::Empty)));
        let trace = br#"{"time_ns":0,"kind":"fault"}
{"time_ns":1,"kind":"summary"}"#;
        assert!(matches!(read(&trace[..]), Err(Reading::NoSchema)));
    }

    #[test]
    fn the_name_of_the_experiment_tells_the_kinds_apart() {
        let text = |document: &dyn Fn(&mut Vec<u8>)| {
            let mut text = Vec::new();
            document(&mut text);
            text
        };
        let mut program = ProgramResult::empty("1");
        program.started = "2026-01-01T00:00:00Z".to_owned();
        program.experiment.name = compare::EXPERIMENT.to_owned();
        program.experiment.metric = "wall_ns".to_owned();
        program.experiment.command = vec!["./app".to_owned()];
        let written = text(&|to| write(&program, to).unwrap());
        assert_eq!(read_any(&written[..]).unwrap(), AnyResult::Program(Box::new(program.clone())));
        assert!(matches!(read(&written[..]), Err(Reading::Form(_))));
        program.experiment.margin = 7.0;
        let impossible = text(&|to| write(&program, to).unwrap());
        assert!(matches!(read_any(&impossible[..]), Err(Reading::Value(_))));

        let mut lab = LabResult {
            schema: SCHEMA.to_owned(),
            version: "1".to_owned(),
            started: "2026-01-01T00:00:00Z".to_owned(),
            ..LabResult::default()
        };
        lab.experiment.name = "anonymous".to_owned();
        lab.experiment.metric = "total_ns".to_owned();
        let written = text(&|to| write(&lab, to).unwrap());
        assert_eq!(read_any(&written[..]).unwrap(), AnyResult::Lab(Box::new(lab)));

        let other = br#"{"schema":"firsttouch.diff/1","experiment":{"name":"compare"}}"#;
        assert!(matches!(read_any(&other[..]), Err(Reading::Schema { .. })));
        let bare = br#"{"schema":"firsttouch.result/1"}"#;
        assert!(matches!(read_any(&bare[..]), Err(Reading::Form(_))));
    }

    #[test]
    fn what_has_no_end_is_not_read_for_ever() {
        assert!(matches!(read(std::io::repeat(0)), Err(Reading::NoObject)));
        assert!(matches!(read(std::io::repeat(b' ')), Err(Reading::TooLong)));
    }
}
