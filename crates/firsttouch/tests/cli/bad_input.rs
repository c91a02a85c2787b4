//! Wrong usage: a clear sentence, the right exit status, nothing measured and no file lost.

use crate::program::{Scratch, run, text};

/// Runs the program, which must fail with `status` and print each of `words` on standard error.
fn check(arguments: &[&str], status: i32, words: &[&str]) {
    let output = run(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: no {word:?} in {error}");
    }
    assert!(!error.contains("panicked"), "{error}");
    assert!(output.stdout.is_empty(), "{arguments:?} wrote to standard output");
}

#[test]
fn sizes() {
    check(&["bench", "--size", "0"], 2, &["smallest is 1"]);
    check(&["bench", "--size", "-5"], 2, &["-5", "100MiB"]);
    check(&["bench", "--size", "10 bananas"], 2, &["bananas", "MiB"]);
    check(&["bench", "--size", "999TiB"], 1, &["999 TiB", "machine", "--size"]);
    check(&["bench", "--size", ""], 2, &["size"]);
}

#[test]
fn names() {
    check(&["bench", "--arm", "mallocc"], 2, &["mallocc", "did you mean malloc?"]);
    check(&["bench", "--arm", "mmap+popul"], 2, &["mmap+populate"]);
    check(&["bench", "anonymos"], 2, &["anonymos", "did you mean anonymous?"]);
    check(&["bench", "--arm", "mmap"], 2, &["baseline"]);
    check(&["bench", "--arm", "malloc", "--arm", "malloc"], 2, &["twice"]);
    check(&["nonsense"], 2, &["nonsense"]);
    check(&["doctor", "nonsense"], 2, &["\"nonsense\"", "Known: thp"]);
}

#[test]
fn numbers() {
    check(&["bench", "--blocks", "0"], 2, &["blocks"]);
    check(&["bench", "--margin", "3"], 2, &["3%"]);
    check(&["bench", "--margin", "-1%"], 2, &["not a share"]);
    check(&["bench", "--max-time", "60"], 2, &["60s"]);
    check(&["bench", "--max-time", "0s"], 2, &["no time"]);
    check(&["bench", "--seed", "x"], 2, &["seed"]);
    check(&["bench", "--cpu", "9999"], 1, &["9999", "processor"]);
}

#[test]
fn an_arm_asked_for_by_name_that_cannot_be_had() {
    check(&["bench", "--arm", "mmap+hugepage", "--size", "4KiB"], 1, &["mmap+hugepage", "2 MiB"]);
    let both = run(&[
        "bench",
        "--arm",
        "mmap+hugepage",
        "--arm",
        "malloc",
        "--size",
        "4KiB",
        "--blocks",
        "1",
    ]);
    assert_eq!(both.status.code(), Some(1), "it was asked for by name");
    assert!(
        text(&both.stdout).contains("refused mmap+hugepage"),
        "but the rest ran: {}",
        text(&both.stdout)
    );
}

#[test]
fn files_to_write() {
    check(
        &["bench", "--size", "1MiB", "--json", "/nonexistent/x.json"],
        1,
        &["/nonexistent/x.json", "No such file"],
    );
    check(
        &["doctor", "--json", "/nonexistent/x.json"],
        1,
        &["/nonexistent/x.json", "No such file"],
    );
    check(&["doctor", "--json", "/"], 1, &["cannot write /"]);
    let scratch = Scratch::new();
    let (old, new) = (scratch.file("old.json"), scratch.file("new.json"));
    std::fs::write(&old, "precious").unwrap();
    for file in [&old, &new] {
        check(&["bench", "--size", "999TiB", "--json", file.to_str().unwrap()], 1, &["999 TiB"]);
    }
    assert_eq!(
        std::fs::read_to_string(&old).unwrap(),
        "precious",
        "kept until there is something to write"
    );
    assert!(!new.exists(), "no file is made beforehand");
}

#[test]
fn files_to_read() {
    check(&["report", "/nonexistent"], 1, &["/nonexistent", "No such file"]);
    check(&["report", "/etc/passwd"], 1, &["/etc/passwd", "not a firsttouch result"]);
    check(&["report", "/"], 1, &["/"]);
    check(&["report"], 2, &["FILE"]);
    let scratch = Scratch::new();
    let other = scratch.file("claims.json");
    std::fs::write(&other, r#"{"schema":"firsttouch.claims/1","claims":[]}"#).unwrap();
    check(&["report", other.to_str().unwrap()], 1, &["firsttouch.claims/1", "firsttouch.result/1"]);
}

#[test]
fn what_has_no_end_is_not_read_for_ever() {
    let scratch = Scratch::new();
    let (sparse, pipe) = (scratch.file("sparse.toml"), scratch.file("pipe.toml"));
    std::fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    for verb in ["report", "bench"] {
        check(&[verb, "/dev/zero"], 1, &["/dev/zero is a device: name a file or a pipe"]);
        check(&[verb, sparse.to_str().unwrap()], 1, &["has 1 TiB: more than", "are not read"]);
        check(&[verb, "/proc/self/"], 1, &["is a directory"]);
        // Text without an end, through a pipe.
        let endless = std::process::Command::new("sh")
            .args(["-c", &format!("yes '{{' >{}", pipe.display())])
            .spawn();
        check(&[verb, pipe.to_str().unwrap()], 1, &["more than", "MiB"]);
        let _ = endless.expect("a shell").wait();
    }
}

#[test]
fn long_foreign_text_does_not_flood_a_message() {
    let scratch = Scratch::new();
    let file = scratch.file("long.json");
    let long = "x".repeat(100_000);
    std::fs::write(&file, format!("{{\"schema\":\"{long}\"}}")).unwrap();
    let output = run(&["report", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.len() < 2000 && text(&output.stderr).contains("[...]"));
}

/// Names that turn a line around, or hide.
#[test]
fn unseen_characters_are_escaped_wherever_names_are_shown() {
    const EVIL: &str = "a\u{202e}b\u{2066}c\u{200f}d\u{1b}[2J";
    let unseen = |text: &str| text.chars().any(|c| "\u{202e}\u{2066}\u{200f}\u{1b}".contains(c));
    let scratch = Scratch::new();
    let (file, json) = (scratch.file("evil.toml"), scratch.file("evil.json"));
    let toml = EVIL.replace('\u{1b}', "\\u001b");
    std::fs::write(
        &file,
        format!(
            "name = \"evil\"\nquestion = \"{toml}?\"\nmetric = \"total_ns\"\nsize = \"64KiB\"\n\
             margin = 0.03\nfill = 1\nbaseline = \"mmap\"\narms = [\"malloc\"]\n"
        ),
    )
    .unwrap();
    let (file, json) = (file.to_str().unwrap(), json.to_str().unwrap());
    let done = run(&["bench", file, "--blocks", "8", "--json", json]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    // An experiment file may not have such names, but a result file is anybody's.
    let evil = serde_json::to_string(EVIL).unwrap();
    let result = std::fs::read_to_string(json).unwrap().replace("\"malloc\"", &evil);
    std::fs::write(json, result).unwrap();
    for arguments in [
        &["report", json][..],
        &["report", json, "-v"],
        &["report", json, "--markdown"],
        &["report", json, "--svg", "-"],
        &["bench", file, "--list"],
        &["bench", EVIL],
        &["report", EVIL],
        &["bench", "--size", EVIL],
        &["trace", "--", EVIL],
        &["layout", "--", EVIL],
    ] {
        let output = run(arguments);
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(!unseen(&shown), "{arguments:?}: {shown:?}");
        assert!(shown.contains("\\u{202e}"), "{arguments:?}: {shown}");
    }
    // For programs, names are data.
    assert!(text(&run(&["report", json, "--csv", "-"]).stdout).contains(EVIL));
    assert!(std::fs::read_to_string(json).unwrap().contains('\u{202e}'));
}

#[test]
fn a_result_that_no_run_can_have_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.file("made-up.json");
    let arguments = ["bench", "--size", "64KiB", "--blocks", "6", "--arm", "malloc", "--json", "-"];
    let whole: serde_json::Value = serde_json::from_slice(&run(&arguments).stdout).unwrap();
    for (place, value, words) in [
        ("/comparisons/0/ratio", "1e300", "comparisons[0].ratio: 1e300 is no ratio of times"),
        ("/comparisons/0/ratio", "-1", "comparisons[0].ratio"),
        ("/comparisons/0/low", "77", "comparisons[0].low: 77.0 is more than the ratio"),
        ("/comparisons/0/confidence", "1.5", "comparisons[0].confidence"),
        ("/comparisons/0/blocks", "7000", "comparisons[0].blocks: 7000, and the run has"),
        ("/arms/0/name", "\"\"", "arms[0].name: empty"),
        ("/arms/1/samples/2/total_ns", "1", "arms[1].samples[2].total_ns: 1, and"),
        ("/elapsed_ns", "18446744073709551615", "elapsed_ns"),
    ] {
        let mut made_up = whole.clone();
        *made_up.pointer_mut(place).expect(place) = serde_json::from_str(value).unwrap();
        std::fs::write(&file, made_up.to_string()).unwrap();
        let said = ["a result that no run can have", words];
        check(&["report", file.to_str().unwrap()], 1, &said);
    }
}

#[test]
fn a_damaged_result_is_refused_wherever_it_is_cut() {
    let scratch = Scratch::new();
    let file = scratch.file("cut.json");
    let whole =
        run(&["bench", "--size", "64KiB", "--blocks", "1", "--arm", "malloc", "--json", "-"])
            .stdout;
    for cut in (0..whole.len() - 2).step_by(whole.len() / 23) {
        std::fs::write(&file, &whole[..cut]).unwrap();
        check(&["report", file.to_str().unwrap()], 1, &["not a firsttouch result"]);
    }
}

#[test]
fn what_is_no_result_is_named() {
    let scratch = Scratch::new();
    let write = |name: &str, bytes: &[u8]| {
        let file = scratch.file(name);
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let recording = write("app.ft", b"\x89FTR\r\n\x1a\n");
    let claims = write("claims.json", br#"{"schema": "firsttouch.claims/1"}"#);
    let said = ["this is a firsttouch.claims/1 file", "--diff compares recordings"];
    check(&["report", "--diff", &claims, &recording], 1, &said);
    let newer = write("newer.json", br#"{"schema": "firsttouch.report/2"}"#);
    let said = ["newer.json", "this is a firsttouch.report/2 file", "--diff compares recordings"];
    check(&["report", "--diff", &newer, &recording], 1, &said);
    let report = write("report.json", br#"{"schema": "firsttouch.report/1"}"#);
    check(&["report", "--diff", &report, &recording], 1, &["report.json", "not a firsttouch"]);
    check(&["report", &claims, "--diff", "/nonexistent.ft"], 1, &["/nonexistent.ft"]);
    let said = ["this is a firsttouch.claims/1 file", "report shows recordings, and what bench"];
    check(&["report", &claims], 1, &said);
}

#[test]
fn an_option_of_another_verb_is_named_with_it() {
    check(&["bench", "--watch"], 2, &["bench has no option --watch", "firsttouch layout --watch"]);
    check(&["claims", "--threads", "2"], 2, &["claims has no option --threads", "bench has it"]);
    let both = ["trace has no option --size", "bench and report have it"];
    check(&["trace", "--size", "1MiB"], 2, &both);
    check(&["bench", "--jsn", "x"], 2, &["did you mean --json?"]);
    check(&["benhc"], 2, &["did you mean bench?"]);
    check(&["./app", "x"], 2, &["firsttouch trace -- ./app x"]);
}

#[test]
fn stacks_that_cannot_be_meant_are_refused() {
    let record = |stacks: &str, more: &[&str], words: &[&str]| {
        let start = ["record", "-o", "never.ft", "--stacks", stacks];
        let call: Vec<&str> = start.iter().chain(more).chain(&["--", "true"]).copied().collect();
        check(&call, 2, words);
    };
    record("sometimes", &[], &["which stacks", "sampled=SIZE"]);
    for size in ["0", "0B", "0KiB", "2GiB", "1TiB"] {
        record(&format!("sampled={size}"), &[], &["mean distance", "1B to 1GiB"]);
    }
    record("sampled=", &[], &["is not a size"]);
    record("sampled=many", &[], &["is not a size"]);
    record("sampled=0.3B", &[], &["whole number of bytes"]);
    record("none=64KiB", &[], &["none takes no size", "sampled=64KiB"]);
    record("sampled", &["--max-size", "10M"], &["--stacks sampled and --max-size", "use one"]);
    assert!(!std::path::Path::new("never.ft").exists());
}

#[test]
fn what_record_is_not_told() {
    let words = ["true is no option of record: put -- before a program"];
    check(&["record", "-o", "app.ft", "true"], 2, &words);
    check(&["record", "-o", "-", "--", "true"], 2, &["a recording cannot be a pipe"]);
    check(&["record", "-o", "/dev/full", "--", "true"], 125, &["cannot write /dev/full"]);
}

#[test]
fn the_hidden_verb_is_not_for_people() {
    check(&["__child"], 2, &["firsttouch itself"]);
    check(&["__child", "{}"], 2, &["firsttouch itself"]);
}

#[test]
fn examples_with_a_comment_fit_a_terminal() {
    let verbs =
        ["bench", "claims", "doctor", "layout", "record", "report", "trace", "man", "completions"];
    let calls = verbs.iter().map(|verb| vec![*verb, "--help"]).chain([vec!["--help"]]);
    for call in calls {
        let help = text(&run(&call).stdout);
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let examples: Vec<&str> = examples.take_while(|line| !line.is_empty()).collect();
        assert!(!examples.is_empty(), "{call:?}");
        for line in examples {
            assert!(!line.trim_start().contains("  ") || line.len() <= 80, "{call:?}: {line}");
        }
    }
}

#[test]
fn help_names_everything() {
    for (arguments, words) in [
        (&["--help"][..], &["bench", "claims", "report", "doctor", "layout", "Examples"][..]),
        (&["bench", "--help"], &["--size", "--arm", "--json", "--memory", "Examples"]),
        (&["report", "--help"], &["FILE"]),
        (&["claims", "--help"], &["--dir", "--json", "--seed", "Examples"]),
        (&["doctor", "--help"], &["--json", "privileges", "Examples"]),
        (&["layout", "--help"], &["--aslr", "--watch", "--svg", "/dev/null", "Examples"]),
        (&["--version"], &["firsttouch"]),
        (&["bench", "--list"], &["anonymous", "populate"]),
        (&["bench", "populate", "--list"], &["mmap+populate-write", "100 MiB"]),
    ] {
        let output = run(arguments);
        assert!(output.status.success());
        for word in words {
            assert!(text(&output.stdout).contains(word), "{arguments:?} lacks {word}");
        }
    }
}
