//! Writing to standard output: styles only where wanted, and a closed pipe is no error.

use std::io::{self, IsTerminal, Write};

use crate::options::Color;

/// Writes `screen`, whose styles are stripped where the stream or the user does not want them.
pub(crate) fn print(screen: &str, color: Color) -> io::Result<()> {
    let mut stdout = anstream::AutoStream::new(io::stdout().lock(), color.choice());
    quietly(stdout.write_all(screen.as_bytes()).and_then(|()| stdout.flush()))
        .map_err(|error| io::Error::new(error.kind(), format!("cannot write to standard output: {error}")))
}

/// A reader that has seen enough (`| head`) ends the output, not the program's success.
pub(crate) fn quietly(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Tells the user something, on standard error. Where that cannot be written (a full disk, a reader that is gone), the work goes on all the same.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Tells what failed. A message may quote a file, and a file may hold anything.
pub(crate) fn complain(error: &str) {
    say(&format!("firsttouch: {}", report::clean(error)));
}

/// The columns of standard output; `None` if it is no terminal.
pub(crate) fn width() -> Option<usize> {
    sys::machine::terminal_columns(io::stdout()).filter(|_| io::stdout().is_terminal())
}

/// The columns of standard error; `None` if it is no terminal.
pub(crate) fn width_of_errors() -> Option<usize> {
    sys::machine::terminal_columns(io::stderr()).filter(|_| io::stderr().is_terminal())
}
