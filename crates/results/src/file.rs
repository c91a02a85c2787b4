//! Writes and reads result files.

use std::io::{Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::claims::{self, Claims};
use crate::doctor::{self, Diagnosis};
use crate::layout::{self, Layout};
use crate::{LabResult, SCHEMA};

/// Why reading a result failed.
#[derive(Debug, thiserror::Error)]
pub enum Reading {
    /// The source could not be read.
    #[error("cannot read it")]
    Io(#[from] std::io::Error),
    /// The text is not JSON, or JSON of another form.
    #[error("not a firsttouch result")]
    Form(#[from] serde_json::Error),
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

/// Reads a result. Unknown keys are ignored, so a later version may add keys.
///
/// # Errors
/// [`Reading`], one variant for each kind of failure.
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
    fn files_of_another_schema_are_refused() {
        let claims = br#"{"schema":"firsttouch.claims/1","claims":[]}"#;
        assert!(matches!(
            read(&claims[..]),
            Err(Reading::Schema { found, .. }) if found == "firsttouch.claims/1"
        ));
        assert!(matches!(read(&b"root:x:0:0"[..]), Err(Reading::Form(_))));
        assert!(matches!(read(&br#"{"schema":"firsttouch.result/1"}"#[..]), Err(Reading::Form(_))));
        assert!(matches!(read(&b""[..]), Err(Reading::Form(_))));
    }
}
