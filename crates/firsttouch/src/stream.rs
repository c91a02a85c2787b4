//! Writing to standard output: styles only where wanted, and a closed pipe is no error.

use std::fs::{File, Metadata};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::options::Color;

/// Writes `screen`, without its styles where the stream or the user does not want them.
pub(crate) fn print(screen: &str, color: Color) -> io::Result<()> {
    let mut stdout = anstream::AutoStream::new(io::stdout().lock(), color.choice());
    quietly(stdout.write_all(screen.as_bytes()).and_then(|()| stdout.flush())).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
    })
}

/// Standard output for text that comes in parts, without its styles where the stream or the user
/// does not want them.
pub(crate) fn to_stdout(color: Color) -> impl Write {
    anstream::AutoStream::new(io::stdout().lock(), color.choice())
}

/// A closed pipe (`| head`) is no failure.
pub(crate) fn quietly(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a line to standard error. If that fails (a full disk, a closed pipe), the work goes on.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Reports a failure. What is not seen is escaped, and what is long is cut: a message may quote any
/// file.
pub(crate) fn complain(error: &str) {
    const BYTES_MAX: usize = 1500;
    let mut text = report::clean(error);
    if text.len() > BYTES_MAX {
        text.truncate(text.floor_char_boundary(BYTES_MAX));
        text.push_str(" [...]");
    }
    say(&format!("firsttouch: {text}"));
}

/// Whether two paths name one file, which cannot take two outputs. A device can.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let parent =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    };
    let node = |path: &Path| {
        std::fs::metadata(path).ok().map(|file| (file.is_file(), file.dev(), file.ino()))
    };
    match (node(one), node(other)) {
        (Some((is_file, ..)), Some(_)) if !is_file => false,
        (Some(one), Some(other)) => one == other,
        _ => place(one).is_some_and(|one| Some(one) == place(other)),
    }
}

/// Whether `path` is standard output: `-`, or the file that it was redirected to.
pub(crate) fn is_stdout(path: &Path) -> bool {
    let is_own_file = || {
        let (own, other) = (metadata_of_stdout().ok()?, std::fs::metadata(path).ok()?);
        let same = (own.dev(), own.ino()) == (other.dev(), other.ino());
        Some(same && own.is_file())
    };
    path == Path::new("-") || is_own_file().unwrap_or(false)
}

/// Metadata of the file behind standard output.
fn metadata_of_stdout() -> io::Result<Metadata> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)?.metadata()
}

/// The columns of standard output; `None` if it is no terminal.
pub(crate) fn width() -> Option<usize> {
    sys::machine::terminal_columns(io::stdout()).filter(|_| io::stdout().is_terminal())
}

/// The columns of standard error; `None` if it is no terminal.
pub(crate) fn width_of_errors() -> Option<usize> {
    sys::machine::terminal_columns(io::stderr()).filter(|_| io::stderr().is_terminal())
}
