//! The output of a program, kept in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::Errno;
use crate::reopen::memory_file;

/// Two files in memory: a program's standard output and its standard error. The program never
/// blocks on them, as it would on a full pipe. Clones share the files.
#[derive(Debug, Clone)]
pub struct Capture {
    output: Arc<File>,
    errors: Arc<File>,
}

impl Capture {
    /// Two empty files.
    ///
    /// # Errors
    /// EMFILE: this process has reached its limit of open files. ENOMEM.
    pub fn new() -> Result<Self, Errno> {
        let file = || memory_file(0).map(File::from).map(Arc::new);
        Ok(Capture { output: file()?, errors: file()? })
    }

    /// What has been written to standard output so far.
    ///
    /// # Errors
    /// As read(2).
    pub fn output(&self) -> io::Result<Vec<u8>> {
        read(&self.output)
    }

    /// What has been written to standard error so far.
    ///
    /// # Errors
    /// As read(2).
    pub fn errors(&self) -> io::Result<Vec<u8>> {
        read(&self.errors)
    }

    /// The files of output and errors.
    pub(super) fn files(&self) -> (Arc<File>, Arc<File>) {
        (Arc::clone(&self.output), Arc::clone(&self.errors))
    }
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?];
    // By pread(2): the program writes at the file's offset.
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
