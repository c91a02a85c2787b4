//! A disk that is full: older files survive, streams end with a whole line, programs run on.

use std::process::Output;

use crate::program::{on_own_disk, skip, text};

/// Runs `script` in bash beside a file system of 64 KiB. `None` (and a skip) where none can be
/// mounted.
fn on_small_disk(script: &str) -> Option<Output> {
    on_own_disk("size=64k", script)
}

#[test]
fn a_document_that_does_not_fit_leaves_the_older_one() {
    for (name, prepare) in [
        ("replaced", "true"),
        ("another name", "ln r.json other"),
        ("behind a link", "mv r.json real; ln -s real r.json"),
    ] {
        let script = format!(
            "echo older >r.json; {prepare}; head -c 100000 /dev/zero >pad 2>/dev/null\n\
             $P doctor --json r.json >/dev/null; echo $?\n\
             $P layout --svg r.json -- true >/dev/null; echo $?\n\
             $P doctor --json new.json >/dev/null; echo $?\n\
             cat r.json; ls -A"
        );
        let Some(output) = on_small_disk(&script) else { return };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(out.starts_with("1\n1\n1\nolder\n"), "{name}: {out}{err}");
        assert!(!out.contains("new.json") && !out.contains("tmp"), "{name}: {out}");
        assert_eq!(err.matches("r.json, which keeps its older contents").count(), 2, "{err}");
    }
}

#[test]
fn a_trace_that_does_not_fit_ends_with_a_whole_line() {
    for place in ["--json t.json", "--json - >t.json"] {
        // The errors must not compete for the space.
        let script = format!(
            "E=/dev/shm/firsttouch-errors-$$\n\
             $P trace -q --faults all {place} -- sh -c 'ls -R /usr/share /usr/lib >/dev/null; \
             for i in $(seq 200); do /bin/true; done; exit 3' 2>$E\n\
             echo $?; tail -n 1 $E >&2; rm $E; cat t.json"
        );
        let Some(output) = on_small_disk(&script) else { return };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let (status, lines) = out.split_once('\n').expect("a status and lines");
        assert_eq!(status, "125", "{place}: {err}");
        assert!(err.contains("lacks the last ") && err.contains(" of the trace"), "{place}: {err}");
        assert!(lines.len() > 32 << 10 && lines.ends_with("}\n"), "{place}: {} bytes", lines.len());
        for line in lines.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{place}: {line}");
        }
    }
}

#[test]
fn a_recording_that_does_not_fit_can_be_read_and_the_program_goes_on() {
    // The errors must not compete for the space.
    let script = "E=/dev/shm/firsttouch-record-$$\n\
                  $P record -o r.ft -- sh -c 'ls -lR /usr/share /usr/lib >/dev/null; echo done; \
                  exit 3' 2>$E; echo $?; cat $E >&2; rm $E; $P report r.ft | head -n 1";
    let Some(output) = on_small_disk(script) else { return };
    let (out, err) = (text(&output.stdout), text(&output.stderr).replace("\n      ", " "));
    if err.contains("refused") {
        skip(&err);
        return;
    }
    assert!(out.starts_with("done\n125\n"), "{out}{err}");
    assert!(err.contains(". has only "), "a warning before it: {err}");
    assert!(err.contains("cannot write r.ft: the recording ends there"), "{err}");
    assert!(out.contains("sh -c 'ls -lR"), "what fitted is shown: {out}");
}
