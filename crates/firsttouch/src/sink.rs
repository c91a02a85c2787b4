//! The output of a result: opened before anything is measured, changed only when there is something
//! to write.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::options::Color;
use crate::stream;

/// The output of a result.
pub(crate) enum Sink {
    /// Standard output.
    Stdout,
    /// A file.
    File(OutputFile),
}

impl Sink {
    /// Opens `path` for writing; `-` is standard output.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(if stream::is_stdout(path) { Sink::Stdout } else { Sink::File(OutputFile::open(path)?) })
    }
}

/// Prints `screen` and writes the document to `sink`. Standard output takes only one of the two.
pub(crate) fn deliver(
    sink: Option<Sink>,
    write: impl Fn(&mut dyn Write) -> io::Result<()>,
    screen: impl FnOnce() -> String,
    color: Color,
) -> anyhow::Result<()> {
    match sink {
        Some(Sink::Stdout) => Ok(stream::quietly(write(&mut io::stdout().lock()))?),
        Some(Sink::File(file)) => {
            let printed = stream::print(&screen(), color);
            file.replace(|writer| write(writer))?;
            Ok(printed?)
        }
        None => Ok(stream::print(&screen(), color)?),
    }
}

/// A file that keeps its old contents until there are new ones. If it is created and never written,
/// it is deleted.
pub(crate) struct OutputFile {
    file: File,
    path: PathBuf,
    delete_on_drop: bool,
}

impl OutputFile {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let is_new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(OutputFile { file, path: path.to_owned(), delete_on_drop: is_new })
    }

    /// Replaces the contents of the file.
    pub(crate) fn replace(
        mut self,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        // A new file that cannot be written to its end is deleted.
        let is_new = std::mem::take(&mut self.delete_on_drop);
        if self.file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            self.file
                .set_len(0)
                .with_context(|| format!("cannot write {}", self.path.display()))?;
        }
        let mut writer = BufWriter::new(&self.file);
        let written = write(&mut writer).and_then(|()| writer.flush());
        drop(writer);
        self.delete_on_drop = is_new && written.is_err();
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.delete_on_drop {
            let _ = remove_file(&self.path);
        }
    }
}
