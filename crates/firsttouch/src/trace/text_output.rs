//! An output that takes whole lines until a write fails, and then ends with the last whole one.

use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use anyhow::Context;

use crate::options::Color;
use crate::sink::unwritable;

/// Output is written in pieces of this size.
const CHUNK_BYTES: usize = 64 << 10;

/// An output of text.
pub(super) struct TextOutput {
    file: File,
    name: String,
    /// Others may write to the file too: the program, a shell.
    shared: bool,
    /// The file, if it was created here and nothing was written yet.
    created: Created,
    /// Whole lines that wait to be written.
    text: String,
    pub(super) colored: bool,
    failure: Option<Failure>,
}

/// Why nothing more is written.
struct Failure {
    error: io::Error,
    /// Lines that were not written, those that came later included.
    lost_lines: usize,
}

impl TextOutput {
    /// Opens `path`, or standard output for `-`. A file keeps its contents until [`Self::begin`].
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return TextOutput::standard(io::stdout().as_fd().try_clone_to_owned(), "output");
        }
        let name = path.display().to_string();
        if let Some(inherited) = inherited(path) {
            let file = inherited.with_context(|| format!("cannot write {name}"))?;
            return Ok(TextOutput::new(file, name));
        }
        let opened = |options: &mut std::fs::OpenOptions| options.write(true).open(path);
        let (file, is_new) = match opened(File::options().create_new(true)) {
            Ok(file) => (Ok(file), true),
            // A link to a file that is not there yet counts as existing.
            Err(_) => (opened(File::options().create(true).truncate(false)), false),
        };
        let file = file.with_context(|| unwritable(path))?;
        let created = Created(is_new.then(|| path.to_owned()));
        Ok(TextOutput { created, shared: false, ..TextOutput::new(file, name) })
    }

    /// Standard error.
    pub(super) fn errors(color: Color) -> anyhow::Result<Self> {
        let colored = match color.choice() {
            ColorChoice::Auto => AutoStream::choice(&io::stderr()),
            chosen => chosen,
        } != ColorChoice::Never;
        let errors = TextOutput::standard(io::stderr().as_fd().try_clone_to_owned(), "error")?;
        Ok(TextOutput { colored, ..errors })
    }

    fn standard(file: io::Result<OwnedFd>, which: &str) -> anyhow::Result<Self> {
        let name = format!("standard {which}");
        let file = file.with_context(|| format!("cannot write to {name}"))?;
        Ok(TextOutput::new(File::from(file), name))
    }

    fn new(file: File, name: String) -> Self {
        let (text, created) = (String::new(), Created(None));
        TextOutput { file, name, shared: true, created, text, colored: false, failure: None }
    }

    /// Whether both are one file, whatever its names. A device can take two outputs.
    pub(super) fn is_same_file(&self, other: &TextOutput) -> bool {
        let node = |file: &File| {
            let metadata = file.metadata().ok().filter(Metadata::is_file)?;
            Some((metadata.dev(), metadata.ino()))
        };
        node(&self.file).is_some_and(|own| Some(own) == node(&other.file))
    }

    /// There will be something to write: the file loses its older contents.
    pub(super) fn begin(&mut self) {
        self.created.0 = None;
        if !self.shared && self.is_file() {
            self.failure = self.file.set_len(0).err().map(Failure::new);
        }
    }

    /// Takes the whole lines that `write` adds.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        if self.text.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.failure.is_none() {
            let (written, error) = write_all(&mut self.file, text.as_bytes());
            let whole =
                text[..text.floor_char_boundary(written)].rfind('\n').map_or(0, |at| at + 1);
            if let Some(error) = error {
                self.cut(written - whole);
                self.failure = Some(Failure::new(error));
                self.count_lost(&text[whole..]);
            }
        } else {
            self.count_lost(&text);
        }
        self.text = text;
        self.text.clear();
    }

    fn count_lost(&mut self, text: &str) {
        if let Some(failure) = &mut self.failure {
            failure.lost_lines += text.lines().count();
        }
    }

    /// Takes back the last `bytes`, the beginning of a line that has no end.
    fn cut(&mut self, bytes: usize) {
        let at = self.file.stream_position().ok().filter(|_| self.is_file());
        let Some(at) = at.filter(|at| bytes > 0 && *at >= bytes as u64) else { return };
        // What others have written behind it stays.
        let is_end = self.file.metadata().is_ok_and(|metadata| metadata.len() == at);
        let end = at - bytes as u64;
        if is_end && self.file.set_len(end).is_ok() {
            let _ = self.file.seek(SeekFrom::Start(end));
        }
    }

    fn is_file(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.is_file())
    }

    /// Whether nothing can be written any more.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Why the output ended early, if it did. A closed pipe is no failure.
    pub(super) fn take_error(&mut self) -> Option<anyhow::Error> {
        let Failure { error, lost_lines } = self.failure.take()?;
        if error.kind() == io::ErrorKind::BrokenPipe {
            return None;
        }
        let lines = if lost_lines == 1 { "line" } else { "lines" };
        Some(anyhow::anyhow!(
            "cannot write {}: {error}: it ends early, and lacks the last {lost_lines} {lines} of \
             the trace",
            self.name
        ))
    }
}

impl Failure {
    fn new(error: io::Error) -> Self {
        Failure { error, lost_lines: 0 }
    }
}

/// A new file, which is removed when this is dropped.
struct Created(Option<PathBuf>);

impl Drop for Created {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The file of an open descriptor, if `path` is another name of one (`/dev/stdout`, `/dev/fd/9`):
/// others write to it too, so it is neither emptied nor written from its start.
fn inherited(path: &Path) -> Option<io::Result<File>> {
    let shared = |file: io::Result<OwnedFd>| Some(file.map(File::from));
    match sys::reopen::descriptor_named(path)? {
        1 => shared(io::stdout().as_fd().try_clone_to_owned()),
        2 => shared(io::stderr().as_fd().try_clone_to_owned()),
        _ => Some(File::options().append(true).open(path)),
    }
}

/// Writes `bytes`; how many of them arrived, and the error that stopped them.
fn write_all(file: &mut File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the test's own, removed at the end.
    struct Place(PathBuf);

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn place(name: &str) -> Place {
        Place(std::env::temp_dir().join(format!("firsttouch-{name}-{}", std::process::id())))
    }

    #[test]
    fn a_file_keeps_its_contents_until_the_trace_begins() {
        let (old, new) = (place("output-old"), place("output-new"));
        std::fs::write(&old.0, "precious\n").unwrap();
        let read = || std::fs::read_to_string(&old.0).unwrap();
        drop((TextOutput::open(&old.0).unwrap(), TextOutput::open(&new.0).unwrap()));
        assert_eq!((read().as_str(), new.0.exists()), ("precious\n", false));
        let mut output = TextOutput::open(&old.0).unwrap();
        output.begin();
        output.add(|text| text.push_str("new\n"));
        output.flush();
        assert_eq!(read(), "new\n");
    }

    #[test]
    fn an_open_descriptor_by_its_name_is_shared_with_others() {
        use std::os::fd::AsRawFd;
        let file = place("output-shared");
        std::fs::write(&file.0, "precious\n").unwrap();
        let open = File::options().append(true).open(&file.0).unwrap();
        let name = format!("/dev/fd/{}", open.as_raw_fd());
        let mut output = TextOutput::open(Path::new(&name)).unwrap();
        output.begin();
        output.add(|text| text.push_str("new\n"));
        output.flush();
        assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "precious\nnew\n");
    }

    #[test]
    fn a_line_without_an_end_is_taken_back() {
        let file = place("output-cut");
        let mut output = TextOutput::open(&file.0).unwrap();
        output.begin();
        output.add(|text| text.push_str("one\ntwo\nthr"));
        output.flush();
        output.cut(3);
        assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn lost_lines_are_counted() {
        let mut full = TextOutput::open(Path::new("/dev/full")).unwrap();
        full.begin();
        for _ in 0..2 {
            full.add(|text| text.push_str("a line\nanother\n"));
            full.flush();
        }
        assert!(full.has_failed());
        let error = full.take_error().unwrap().to_string();
        assert!(error.contains("/dev/full") && error.contains("the last 4 lines"), "{error}");
    }
}
