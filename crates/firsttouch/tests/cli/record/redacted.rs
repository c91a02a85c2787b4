//! `record --redact`: the file has nothing that names somebody's things, however it is read.

use std::fs::{File, create_dir, read, write};
use std::io::BufReader;

use events::{Batch, Definition};
use recording::Reader;
use serde_json::Value;

use super::plain_fixture;
use crate::program::{Scratch, copied, firsttouch, fixture_with, skip, text};

/// Parts of secrets. None of them is in a path of this test's own or of the system's.
const SECRETS: [&str; 7] =
    ["zqfolder", "zqdata", "zqword", "zqoption", "zqmemory", "zqenv", "zqself"];

/// Reads a varint.
fn varint(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The columns of all chunks, unpacked as docs/recording-format.md says, and everything else.
fn unpacked(file: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8], at: usize| {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
    };
    let (mut at, mut all) = (16, Vec::new());
    while at < file.len() {
        assert_eq!(&file[at..at + 4], b"\xf1chk", "at {at}");
        let payload = &file[at + 48..at + 48 + number(file, at + 12)];
        at += 48 + payload.len();
        let mut place = 0;
        let count = if payload.is_empty() { 0 } else { varint(payload, &mut place) };
        let directory: Vec<[usize; 3]> =
            (0..count).map(|_| [(); 3].map(|()| varint(payload, &mut place))).collect();
        for [codec, stored, len] in directory {
            let column = &payload[place..place + stored];
            place += stored;
            match codec {
                0 => all.extend_from_slice(column),
                _ => all.extend(lz4_flex::block::decompress(column, len).expect("an LZ4 block")),
            }
        }
    }
    all
}

fn has(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret.as_bytes()))
}

/// Records the fixture as a program in a secret folder with secret arguments. Returns the file.
fn recorded(redact: bool, scratch: &Scratch) -> Option<Vec<u8>> {
    let program = plain_fixture("recorded_secrets", scratch)?;
    let folder = scratch.file("zqfolder");
    if !folder.exists() {
        create_dir(&folder).expect("a folder");
    }
    let program = copied(&program, folder.join("tool"));
    write(folder.join("zqdata.so.txt"), vec![7; 4096]).expect("a file");
    let recording = scratch.file("recording.ft");
    let mut command = firsttouch(&["record", "-o"]);
    command.arg(&recording).args(redact.then_some("--redact")).arg("--");
    // A shell stands between, so that the program is an argument as well.
    let script = format!("{} zqdata.so.txt zqmemory --zqoption && true", program.display());
    command.args(["sh", "-c", &script, "zqself", "zqword"]);
    command.env("XDG_CACHE_HOME", scratch.file("cache")).env("FIRSTTOUCH_TEST_SECRET", "zqenv");
    let output = command.current_dir(&folder).output().expect("it starts");
    let said = text(&output.stderr);
    if output.status.code() == Some(125) && said.contains("refused") {
        skip(&said);
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(read(recording).expect("the recording"))
}

#[test]
fn a_redacted_recording_has_no_secret_in_any_byte() {
    let scratch = Scratch::new();
    let Some(open) = recorded(false, &scratch) else { return };
    let all = unpacked(&open);
    for secret in ["zqfolder", "zqdata", "zqword", "zqoption", "zqself"] {
        assert!(has(&all, secret), "this test can find {secret}");
    }
    assert!(!has(&open, "zqenv") && !has(&all, "zqenv"), "no recording has the environment");

    let Some(redacted) = recorded(true, &scratch) else { return };
    let all = unpacked(&redacted);
    let scratch_name = scratch.0.file_name().and_then(|name| name.to_str()).expect("a name");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| host.len() >= 6);
    for secret in SECRETS.into_iter().chain([scratch_name]).chain(host) {
        assert!(!has(&redacted, secret) && !has(&all, secret), "{secret}");
    }
    for kept in ["libc.so.6", "shim-", "firsttouch-recorder"] {
        assert!(has(&all, kept), "{kept} is needed");
    }
}

#[test]
fn a_redacted_recording_says_so_and_keeps_its_figures() {
    let scratch = Scratch::new();
    if recorded(true, &scratch).is_none() {
        return;
    }
    let file = scratch.file("recording.ft");
    let mut reader = Reader::open(BufReader::new(File::open(&file).unwrap())).unwrap();
    assert!(reader.about().is_redacted);
    let command = ["sh", "redacted", "redacted", "redacted", "redacted"].map(str::to_owned);
    assert_eq!(reader.about().command, Some(command.to_vec()));
    assert_eq!((&reader.about().host, &reader.about().directory), (&None, &None));
    let (mut batch, mut builds) = (Batch::default(), 0);
    while reader.next_batch(&mut batch).unwrap() {
        let is_build = |definition: &&Definition| matches!(definition, Definition::BuildId(..));
        builds += batch.definitions.iter().filter(is_build).count();
    }
    assert!(builds > 0, "names are found by build ids");
    let screen = firsttouch(&["report"]).arg(&file).output().expect("it starts");
    let screen = text(&screen.stdout);
    assert!(screen.contains("The recording is redacted"), "{screen}");
    let json = firsttouch(&["report"]).arg(&file).args(["--json", "-"]).output().unwrap();
    let report: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(report["redacted"], true);
    assert!(report["totals"]["calls"].as_u64() > Some(2), "{}", report["totals"]);
    assert_eq!(report["totals"]["damaged"], 0);
}

#[test]
fn names_of_a_redacted_recording_come_from_the_directory_of_the_report() {
    let scratch = Scratch::new();
    let build = |folder: &str, flags: &[&str]| {
        let folder = scratch.file(folder);
        create_dir(&folder).expect("a folder");
        let flags = [&["-g", "-fno-builtin", "-Wl,--build-id"], flags].concat();
        let program = fixture_with("recorded_secrets", &flags, folder.join("tool"));
        program.map(|program| (folder, program))
    };
    let Some((own, program)) = build("own", &[]) else { return };
    let Some((other, _)) = build("other", &["-O2"]) else { return };
    let (empty, file) = (scratch.file("empty"), scratch.file("recording.ft"));
    create_dir(&empty).expect("a folder");
    write(own.join("data"), vec![7; 4096]).expect("a file");
    let mut command = firsttouch(&["record", "--redact", "-o"]);
    command.arg(&file).arg("--").arg(&program).args(["data", "name"]);
    command.env("XDG_CACHE_HOME", scratch.file("cache")).env("FIRSTTOUCH_TEST_SECRET", "x");
    let output = command.current_dir(&own).output().expect("it starts");
    let said = text(&output.stderr);
    if output.status.code() == Some(125) && said.contains("refused") {
        return skip(&said);
    }
    assert!(output.status.success(), "{said}");
    let report = |folder| {
        let mut command = firsttouch(&["report", "--json", "-"]);
        let output = command.arg(&file).current_dir(folder).output().expect("it starts");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let has_main = |report: &Value| report["sites"].to_string().contains("\"main (");
    let of_tool = |report: &Value| {
        let files = report["unnamed"].as_array().expect("files");
        let tool = files.iter().find(|file| file["path"] == "tool");
        tool.map_or(String::new(), |tool| tool["why"].to_string())
    };
    let [own, other, empty] = [own, other, empty].map(report);
    assert!(has_main(&own) && of_tool(&own).is_empty(), "{own}");
    assert!(!has_main(&other) && of_tool(&other).contains("changed"), "{other}");
    assert!(!has_main(&empty) && of_tool(&empty).contains("missing"), "{empty}");
}
