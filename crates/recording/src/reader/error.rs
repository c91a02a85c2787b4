//! Why a recording cannot be opened.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a recording cannot be opened or read.
#[derive(Debug)]
pub enum ReadError {
    /// The file is empty.
    Empty,
    /// The file is no recording.
    NotARecording,
    /// The file is a recording of a newer version.
    Newer {
        /// The major version of its format.
        major: u16,
        /// The major version that can be read.
        known: u16,
    },
    /// The file starts as a recording, but its first chunk is cut or damaged.
    NothingReadable,
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Empty => f.write_str("the file is empty"),
            ReadError::NotARecording => f.write_str("not a recording, which record -o FILE makes"),
            ReadError::Newer { major, known } => write!(
                f,
                "the recording has format version {major}; this program reads versions up to \
                 {known}"
            ),
            ReadError::NothingReadable => {
                f.write_str("the start of the recording is cut off or damaged")
            }
            ReadError::Io(error) => write!(f, "cannot read the recording: {error}"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ReadError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}
