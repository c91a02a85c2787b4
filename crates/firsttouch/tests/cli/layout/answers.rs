//! `layout` with names of any bytes, and with requests that it refuses.

use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use results::layout::RegionKind;

use super::{bytes, layout, regions};
use crate::program::{Scratch, firsttouch, fixture, run, skip, text};

/// A newline, a quote, a letter of markup, an escape sequence, what XML cannot have, and a byte
/// that is no UTF-8.
const HOSTILE: &[u8] = b"a\n\"<&\x1b[2J\xef\xbf\xbf\xff.so";

#[test]
fn names_of_any_bytes_come_out_whole() {
    let scratch = Scratch::new();
    let Some(program) = fixture("spaces", &scratch) else { return };
    let hostile = |begin: &str| {
        let name = [begin.as_bytes(), HOSTILE].concat();
        scratch.0.join(std::ffi::OsStr::from_bytes(&name))
    };
    let (own, mapped, svg) = (hostile("program"), hostile("mapped"), scratch.file("l.svg"));
    std::fs::copy(&program, &own).unwrap();
    std::fs::write(&mapped, "what is mapped").unwrap();
    let with = |first: &[&str]| {
        let mut command = firsttouch(first);
        command.arg("--svg").arg(&svg).arg("--").arg(&own).arg("file").arg(&mapped);
        command.output().unwrap()
    };
    let layout = layout(&with(&["layout", "--json", "-"]));
    let path = &layout.program.path;
    assert!(
        path.contains("programa\n\"<&\u{1b}[2J\u{ffff}\u{fffd}.so"),
        "as the link in /proc has it: {path:?}"
    );
    assert!(
        bytes(&layout.runs[0], RegionKind::Text) > 0 && bytes(&layout.runs[0], RegionKind::Bss) > 0,
        "its headers were read"
    );
    let names: Vec<&str> = regions(&layout.runs[0], RegionKind::File)
        .iter()
        .filter_map(|r| r.path.as_deref())
        .collect();
    let found =
        names.iter().any(|name| name.contains("mappeda\\012\"<&\u{1b}[2J\u{ffff}\u{fffd}.so"));
    assert!(found, "the kernel itself escapes newlines in smaps: {names:?}");
    let screen = text(&with(&["layout"]).stdout);
    assert!(
        !screen.contains('\u{1b}') && screen.contains("mappeda\\012\"<&\\u{1b}[2J"),
        "{screen}"
    );
    let parsed = Command::new("python3")
        .args([
            "-c",
            "import sys, xml.dom.minidom as d; \
            print(len(d.parse(sys.argv[1]).getElementsByTagName('text')))",
        ])
        .arg(&svg)
        .output();
    let Ok(parsed) = parsed else { return skip("no python3 to read the drawing with") };
    assert!(
        text(&parsed.stdout).trim().parse::<u32>().is_ok_and(|texts| texts > 20),
        "{}",
        text(&parsed.stderr)
    );
}

#[test]
fn refusals_name_their_reason() {
    let scratch = Scratch::new();
    let folder = scratch.0.to_str().unwrap();
    let data = scratch.file("data");
    std::fs::write(&data, "no program").unwrap();
    let data = data.to_str().unwrap();
    let executable = |name: &str, content: &str| {
        let path = scratch.file(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (words, lost) =
        (executable("words", "exit 3\n"), executable("lost", "#!/no/interpreter\n"));
    for (arguments, status, words) in [
        (&["layout", "--", &words][..], 126, &["#!", "ENOEXEC"][..]),
        (&["layout", "--", &lost], 127, &["interpreter", "is not there"]),
        (&["layout", "--", ""], 2, &["empty"]),
        (&["layout", "-p", "0"], 2, &["ps -e"]),
        (&["layout", "-p", "-5"], 2, &["ps -e"]),
        (&["layout", "--at", "0s", "--", "true"], 2, &["write exec, exit, or a time"]),
        (&["layout", "--svg", "x.out", "--json", "x.out", "--", "true"], 2, &["same file"]),
        (&["layout", "--svg", "/no/folder/x.svg", "--", "true"], 1, &["/no/folder/x.svg"]),
        (&["layout", "--", "/no/such"], 127, &["/no/such"]),
        (&["layout", "--", "no-such-program"], 127, &["no-such-program", "PATH"]),
        (&["layout", "--", data], 126, &["not executable"]),
        (&["layout", "--", folder], 126, &["directory"]),
        (&["layout"], 2, &["-p PID", "--"]),
        (&["layout", "-p", "1", "--", "true"], 2, &["--pid"]),
        (&["layout", "-p", "1", "--aslr", "on"], 2, &["-p", "--aslr"]),
        (&["layout", "-p", "1", "--at", "exec"], 2, &["--at"]),
        (&["layout", "-p", "999999999"], 1, &["999999999", "no process"]),
        (&["layout", "-p", "x"], 2, &["x"]),
        (&["layout", "--runs", "0", "--", "true"], 2, &["runs"]),
        (&["layout", "--runs", "99999999", "--", "true"], 2, &["runs"]),
        (&["layout", "--at", "soon", "--", "true"], 2, &["soon", "exit"]),
        (&["layout", "--aslr", "maybe", "--", "true"], 2, &["maybe"]),
        (&["layout", "--watch", "--", "true"], 2, &["terminal"]),
        (&["layout", "--svg", folder, "--", "true"], 1, &["cannot write"]),
        (&["layout", "--svg", "-", "--", "true"], 2, &["--svg"]),
        (&["layout", "--json", "/nonexistent/x", "--", "true"], 1, &["/nonexistent/x"]),
    ] {
        let output = run(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty() && !error.contains("panicked"), "{arguments:?}: {error}");
    }
    let full = run(&["layout", "--svg", "/dev/full", "--", "true"]);
    assert!(full.status.code() == Some(1) && text(&full.stderr).contains("/dev/full"), "{full:?}");
    assert!(text(&full.stdout).contains("stack"), "a full disk does not cost the screen");
}
