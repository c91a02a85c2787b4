//! Compares decoding with strace. A program that makes every memory syscall, and real programs, run
//! once with raw arguments and once with decoded ones. Our text of the first run must equal
//! strace's of the second.

mod differences;
mod reading;
mod running;

use std::collections::BTreeMap;

use analysis::trace::decode::{arguments, line, outcome};
use events::{Call, Definitions, Interner, Name};

use differences::Difference;
use reading::{Decoded, Raw};
use running::Tracer;

/// The names that `fixtures/every_memory_call.c` passes to `memfd_create`, in order, as in events.
/// `None` if there is no readable string.
fn names_of_the_fixture() -> Vec<Option<String>> {
    let texts = [
        "plain",
        "two words",
        "a\"b\\c",
        "\t\n\u{b}\u{c}\r",
        "\u{1}x\u{1}7\u{1}8\u{7f}",
        "caf\u{e9} 1",
        "/%s",
    ];
    let mut names: Vec<Option<String>> =
        texts.iter().map(|text| Some((*text).to_owned())).collect();
    names.extend([None, Some("\u{fffd}".to_owned())]);
    names.extend((0..14).map(|_| Some("flags".to_owned())));
    names.extend([None, None, Some("n".repeat(249))]);
    names
}

/// Sets the `texts` of the `memfd_create` calls.
fn name(calls: &mut [Raw], texts: Vec<Option<String>>, names: &mut Interner) {
    let created = calls.iter_mut().filter(|raw| raw.syscall.call == Call::MemfdCreate);
    let mut texts = texts.into_iter();
    for raw in created {
        let text = texts.next().expect("one text for each memfd_create");
        raw.syscall.text = text.map_or(Name::NONE, |text| names.text(&text));
    }
    assert_eq!(texts.next(), None, "the program makes a memfd for each text");
}

/// Compares our text of `calls` with strace's. Returns how often each accepted difference occurred.
fn compare(
    calls: &[Raw],
    decoded: &[Decoded],
    names: &Definitions,
    followed: bool,
) -> BTreeMap<Difference, usize> {
    assert_eq!(calls.len(), decoded.len(), "both runs make the same calls");
    let mut met = BTreeMap::new();
    let mut wrong = Vec::new();
    for (raw, theirs) in calls.iter().zip(decoded) {
        let syscall = &raw.syscall;
        let ours = line(syscall, names).to_string();
        if ours == theirs.line {
            continue;
        }
        let shown: Vec<String> =
            arguments(syscall, names).map(|argument| argument.to_string()).collect();
        let outcome = outcome(syscall).to_string();
        match differences::between(raw, &shown, &outcome, theirs, followed) {
            Some(differences) => {
                for known in differences {
                    *met.entry(known).or_default() += 1;
                }
            }
            None => {
                wrong
                    .push(format!("raw:    {}\nstrace: {}\nours:   {ours}", raw.line, theirs.line));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} calls differ:\n{}",
        wrong.len(),
        calls.len(),
        wrong.join("\n\n")
    );
    met
}

fn print(program: &str, calls: usize, met: &BTreeMap<Difference, usize>) {
    let but = if met.is_empty() { "" } else { ", except" };
    println!("{program}: {calls} calls, the same as strace{but}");
    for (difference, count) in met {
        println!("    {count:4} x {}", difference.reason());
    }
}

#[test]
fn every_call_is_decoded_as_in_strace() {
    let Some(tracer) = Tracer::new() else { return };
    let Some(program) = running::fixture("every_memory_call") else { return };
    let (mut calls, decoded) = (tracer.raw(&[&program]), running::decoded(&[&program], false));
    let mut names = Interner::default();
    name(&mut calls, names_of_the_fixture(), &mut names);
    for call in Call::ALL {
        assert!(
            calls.iter().any(|raw| raw.syscall.call == call),
            "the program makes {}",
            call.name()
        );
    }
    print("every_memory_call", calls.len(), &compare(&calls, &decoded, names.table(), false));

    // The same with strace following pointers: every difference must be a pointer.
    let followed = compare(&calls, &running::decoded(&[&program], true), names.table(), true);
    assert!(
        followed.get(&Difference::Followed).is_some_and(|&count| count > 0),
        "strace follows pointers"
    );
    print("every_memory_call, pointers followed", calls.len(), &followed);
    std::fs::remove_file(program).expect("remove the compiled program");
}

#[test]
fn real_programs_are_decoded_as_in_strace() {
    let Some(tracer) = Tracer::new() else { return };
    let programs: [&[&str]; 4] = [
        &["ls", "/"],
        &["git", "--version"],
        &["python3", "-c", "x = bytearray(10**8)"],
        &["sort", "/dev/null"],
    ];
    for program in programs {
        if !running::is_there(program[0]) {
            skips::skip(&format!("{} is not installed", program[0]));
            continue;
        }
        let (calls, decoded) = (tracer.raw(program), running::decoded(program, true));
        assert!(calls.len() > 5, "{program:?} makes memory syscalls: {}", calls.len());
        print(
            &program.join(" "),
            calls.len(),
            &compare(&calls, &decoded, &Definitions::default(), true),
        );
    }
}
