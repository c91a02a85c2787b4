//! Writing and reading the file.

use std::io::{Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::claims::{self, Claims};
use crate::doctor::{self, Diagnosis};
use crate::layout::{self, Layout};
use crate::{LabResult, SCHEMA};

/// Why a text is no result.
#[derive(Debug, thiserror::Error)]
pub enum Reading {
    /// It could not be read.
    #[error("cannot read it")]
    Io(#[from] std::io::Error),
    /// It is no JSON, or JSON of something else.
    #[error("this is no firsttouch result")]
    Form(#[from] serde_json::Error),
    /// It is a result, of a schema that this version does not know.
    #[error("this is a {found} file, and a {wanted} file is needed")]
    Schema {
        /// What it calls itself.
        found: String,
        /// What can be read here.
        wanted: &'static str,
    },
}

/// Writes `document`, a result or a diagnosis, as indented JSON with a newline at the end.
///
/// # Errors
/// What `writer` says.
pub fn write(document: &impl Serialize, mut writer: impl Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut writer, document)?;
    writer.write_all(b"\n")?;
    writer.flush()
}

/// Reads a result. Unknown keys are ignored, so that a later version may add some.
///
/// # Errors
/// [`Reading`] says which of the three ways it failed.
pub fn read(reader: impl Read) -> Result<LabResult, Reading> {
    read_as(reader, SCHEMA)
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

fn read_as<T: DeserializeOwned>(mut reader: impl Read, wanted: &'static str) -> Result<T, Reading> {
    #[derive(Deserialize)]
    struct Header {
        schema: String,
    }
    let mut text = Vec::new();
    reader.read_to_end(&mut text)?;
    let Header { schema } = serde_json::from_slice(&text)?;
    if schema != wanted {
        return Err(Reading::Schema { found: schema, wanted });
    }
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_refused_by_what_they_are() {
        let claims = br#"{"schema":"firsttouch.claims/1","claims":[]}"#;
        assert!(
            matches!(read(&claims[..]), Err(Reading::Schema { found, .. }) if found == "firsttouch.claims/1")
        );
        assert!(matches!(read(&b"root:x:0:0"[..]), Err(Reading::Form(_))));
        assert!(matches!(read(&br#"{"schema":"firsttouch.result/1"}"#[..]), Err(Reading::Form(_))));
        assert!(matches!(read(&b""[..]), Err(Reading::Form(_))));
    }
}
