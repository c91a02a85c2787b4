//! The line that says what a program paid before its main.

use results::start::{ProgramStart, StartCause, StartCauseRow, StartUntil};

use crate::number::{Nanoseconds, several, whole};
use crate::text::{clean, hanging};
use crate::view::View;

/// What `start` is about; `command` is the program as it was called. `is_timed`: the time from exec
/// is the program's own, without the start of a recorder.
#[must_use]
pub(crate) fn start_line(
    start: &ProgramStart,
    command: Option<&str>,
    is_timed: bool,
    view: View,
) -> String {
    let program = start.program.as_deref().map_or("", base);
    let of = match command.map(base) {
        _ if program.is_empty() => String::new(),
        Some(command) if command == program => String::new(),
        _ => format!(" of {}", clean(program)),
    };
    let has_file = start.by_cause.iter().position(names_file);
    let row = |(at, row)| cause(row, view.verbose || has_file == Some(at));
    let causes: Vec<String> = start.by_cause.iter().enumerate().map(row).collect();
    let causes = if causes.is_empty() { String::new() } else { format!(": {}", causes.join(", ")) };
    let text = format!(
        "{}{}{}{causes}.{}{}",
        several(start.faults, "fault", "faults"),
        took(start, is_timed),
        until(start.until),
        unsure(start),
        images(start)
    );
    hanging(&format!("Start{of}: "), &text, view.width)
}

/// The time of the faults, and of all.
fn took(start: &ProgramStart, is_timed: bool) -> String {
    let all = Nanoseconds(start.elapsed_ns);
    let took = if start.faults == 0 || start.untimed_faults < start.faults {
        Nanoseconds(start.fault_ns).to_string()
    } else {
        "of unknown time".to_owned()
    };
    match is_timed {
        true if start.faults == 0 => format!(" in the {all} "),
        true => format!(", {took} of the {all} "),
        false if start.faults == 0 => " ".to_owned(),
        false => format!(", {took}, "),
    }
}

fn until(until: StartUntil) -> &'static str {
    match until {
        StartUntil::Main => "before main",
        StartUntil::Constructor => "until the last constructor that was seen",
        StartUntil::Entry => "before its entry (_start)",
        StartUntil::Relro => "until its relocations were done",
    }
}

fn cause(row: &StartCauseRow, with_file: bool) -> String {
    let name = match row.cause {
        StartCause::Exec => "exec itself",
        StartCause::Relocations => "relocations",
        StartCause::ColdPages => "cold pages",
        StartCause::Constructors => "constructors",
        StartCause::Memory => "the linker's memory",
        StartCause::Unknown => "unknown",
    };
    let major = match row.major_faults {
        0 => String::new(),
        major => format!(", {} major", whole(major)),
    };
    let path = row.path.as_deref().filter(|_| with_file && names_file(row));
    let file = path.map_or(String::new(), |path| format!("; most: {}", clean(base(path))));
    format!("{name} {} ({}{major}{file})", Nanoseconds(row.fault_ns), whole(row.faults))
}

/// Whether it is of use to know the file: something can be done about it.
fn names_file(row: &StartCauseRow) -> bool {
    let of_files = [StartCause::Relocations, StartCause::ColdPages, StartCause::Constructors];
    of_files.contains(&row.cause) && row.faults > 1 && row.path.is_some()
}

/// The faults that may be part of it.
fn unsure(start: &ProgramStart) -> String {
    start.doubt().map_or(String::new(), |(faults, ns)| {
        format!(" {} more ({}) came before main or in it.", whole(faults), Nanoseconds(ns))
    })
}

/// All programs, if there are several.
fn images(start: &ProgramStart) -> String {
    let images = &start.images;
    if images.images < 2 {
        return String::new();
    }
    format!(
        " All {} programs until their entries: {}, {}.",
        whole(images.images),
        several(images.faults, "fault", "faults"),
        Nanoseconds(images.fault_ns)
    )
}

/// A path without its folders.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
