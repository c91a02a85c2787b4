//! Writing to standard output: styles only where wanted, and a closed pipe is no error.

use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::options::Color;

/// Writes `screen`, whose styles are stripped where the stream or the user does not want them.
pub(crate) fn print(screen: &str, color: Color) -> io::Result<()> {
    let mut stdout = anstream::AutoStream::new(io::stdout().lock(), color.choice());
    quietly(stdout.write_all(screen.as_bytes()).and_then(|()| stdout.flush())).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
    })
}

/// A reader that has seen enough (`| head`) ends the output, not the program's success.
pub(crate) fn quietly(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Tells the user something, on standard error. Where that cannot be written (a full disk, a reader
/// that is gone), the work goes on all the same.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Tells what failed. A message may quote a file, and a file may hold anything.
pub(crate) fn complain(error: &str) {
    say(&format!("firsttouch: {}", report::clean(error)));
}

/// Whether two paths name one file, so that what is written to one would spoil the other. Devices
/// take both.
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

/// The columns of standard output; `None` if it is no terminal.
pub(crate) fn width() -> Option<usize> {
    sys::machine::terminal_columns(io::stdout()).filter(|_| io::stdout().is_terminal())
}

/// The columns of standard error; `None` if it is no terminal.
pub(crate) fn width_of_errors() -> Option<usize> {
    sys::machine::terminal_columns(io::stderr()).filter(|_| io::stderr().is_terminal())
}
