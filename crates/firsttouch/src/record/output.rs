//! The file of a recording, before there is a recording.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::sink;

/// The file of the recording, before there is a recording.
pub(super) struct Output {
    file: File,
    path: PathBuf,
    is_new: bool,
}

impl Output {
    /// Opens the file, which keeps its contents.
    pub(super) fn open(path: &Path) -> anyhow::Result<Output> {
        let is_new = std::fs::symlink_metadata(path).is_err();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| sink::unwritable(path))?;
        Ok(Output { file, path: path.to_owned(), is_new })
    }

    /// The recording begins: older contents are gone.
    pub(super) fn begin(self) -> io::Result<File> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        Ok(self.file)
    }

    /// There will be no recording.
    pub(super) fn forget(self) {
        if self.is_new {
            // It was made a moment ago, and is empty.
            let _ = std::fs::remove_file(self.path);
        }
    }
}
