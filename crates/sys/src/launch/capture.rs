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

    /// How much has been written to standard output so far.
    ///
    /// # Errors
    /// As fstat(2).
    pub fn output_bytes(&self) -> io::Result<u64> {
        Ok(self.output.metadata()?.len())
    }

    /// Reads standard output from its start.
    #[must_use]
    pub fn output_from_start(&self) -> FromStart {
        FromStart { file: Arc::clone(&self.output), offset: 0 }
    }

    /// The last bytes of what has been written to standard error so far, at most `bytes`.
    ///
    /// # Errors
    /// As read(2).
    pub fn end_of_errors(&self, bytes: u64) -> io::Result<Vec<u8>> {
        let len = self.errors.metadata()?.len();
        let start = len.saturating_sub(bytes);
        let wanted = usize::try_from(len - start).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut end = vec![0; wanted];
        self.errors.read_exact_at(&mut end, start)?;
        Ok(end)
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

/// A file of a [`Capture`], from its start, whatever the offset at which the program writes.
#[derive(Debug)]
pub struct FromStart {
    file: Arc<File>,
    offset: u64,
}

impl io::Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?];
    // By pread(2): the program writes at the file's offset.
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
