//! The output of a result: checked before anything is measured, changed only when there is
//! something to write, and then whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use sys::whole_file::{Older, Unwritten, WholeFile};

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
    /// Finds out whether `path` can be written; `-` is standard output.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(if stream::is_stdout(path) { Sink::Stdout } else { Sink::File(OutputFile::open(path)?) })
    }
}

impl Sink {
    /// For what is written as it comes, and is not kept from being cut: the stream, and whether it
    /// is standard output.
    pub(crate) fn into_stream(self) -> anyhow::Result<(Box<dyn Write>, bool)> {
        match self {
            Sink::Stdout => Ok((Box::new(io::stdout().lock()), true)),
            Sink::File(file) => {
                let created = File::create(&file.path).with_context(|| unwritable(&file.path))?;
                Ok((Box::new(BufWriter::new(created)), false))
            }
        }
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
            file.replace(write)?;
            Ok(printed?)
        }
        None => Ok(stream::print(&screen(), color)?),
    }
}

/// What cannot be done, and that the directory is missing where that is why.
pub(crate) fn unwritable(path: &Path) -> String {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match directory.filter(|directory| !directory.exists()) {
        Some(directory) => {
            let directory = directory.display();
            format!("cannot write {}: make the directory {directory} first", path.display())
        }
        None => format!("cannot write {}", path.display()),
    }
}

/// A file that keeps its older contents until there are new ones, and if these cannot be written.
pub(crate) struct OutputFile {
    file: WholeFile,
    path: PathBuf,
}

impl OutputFile {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = WholeFile::open(path);
        let file = file.with_context(|| unwritable(path))?;
        Ok(OutputFile { file, path: path.to_owned() })
    }

    /// Replaces the contents of the file.
    pub(crate) fn replace(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut document = Vec::new();
        write(&mut document)?;
        let name = self.path.display();
        self.file.write(&document).map_err(|Unwritten { error, older }| {
            let error = anyhow::Error::from(error);
            match older {
                Older::None => error.context(format!("cannot write {name}")),
                Older::Kept => {
                    error.context(format!("cannot write {name}, which keeps its older contents"))
                }
                Older::Damaged => anyhow!(
                    "cannot write {name} ({error}), and its older contents could not be restored"
                ),
            }
        })
    }
}
