//! The causes that `trace` infers, held against the processor's error codes of the same faults:
//! whether a page was present, and whether the access was a write. perf records them beside trace
//! (tracepoint `exceptions:page_fault_user`).

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{PROGRAM, Scratch, is_root, skip, text};

/// The page was present, but the access was not allowed (`X86_PF_PROT` of `<asm/trap_pf.h>`).
const PRESENT: u64 = 1;
/// The access was a write (`X86_PF_WRITE`).
const WRITE: u64 = 2;

/// The addresses and error codes of each thread, in order.
type Codes = HashMap<u64, Vec<(u64, u64)>>;

/// Runs a script with tracefs mounted in a mount namespace of its own.
fn with_tracefs(script: &str) -> Option<String> {
    let script = format!("mount -t tracefs none /sys/kernel/tracing && {script}");
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output();
    match output {
        Ok(output) if output.status.success() => Some(text(&output.stdout)),
        Ok(output) => {
            skip(&text(&output.stderr));
            None
        }
        Err(error) => {
            skip(&format!("no unshare: {error}"));
            None
        }
    }
}

fn hexadecimal(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Parses lines of perf script: `TID event: address=0x... ip=0x... error_code=0x...`.
fn codes(script: &str) -> Codes {
    let mut codes = Codes::new();
    for line in script.lines() {
        let value = |name: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)).map(hexadecimal)
        };
        let (Some(address), Some(code)) = (value("address="), value("error_code=")) else {
            continue;
        };
        let tid = line
            .split_whitespace()
            .next()
            .and_then(|tid| tid.parse().ok())
            .unwrap_or_else(|| panic!("{line}"));
        codes.entry(tid).or_default().push((address, code));
    }
    codes
}

/// The causes that trace infers and the error codes that perf records in one run of a shell
/// script, fault by fault.
fn both(command: &str, scratch: &Scratch) -> Option<Vec<(Value, u64)>> {
    let (data, json) = (scratch.file("perf.data"), scratch.file("trace.json"));
    let (data, json) = (data.display(), json.display());
    let record = format!("perf record -q -m 4096 -c 1 -e exceptions:page_fault_user -o {data}");
    let program = scratch.file("program");
    std::fs::write(&program, command).expect("a scratch directory");
    with_tracefs(&format!(
        "{record} -- {PROGRAM} trace -q -o /dev/null --json {json} -- sh {}",
        program.display()
    ))?;
    let script = with_tracefs(&format!("perf script -i {data} -F tid,event,trace"))?;
    Some(matched(Path::new(&json.to_string()), codes(&script)))
}

fn matched(json: &Path, mut codes: Codes) -> Vec<(Value, u64)> {
    let text = std::fs::read_to_string(json).expect("a trace");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let mut pairs = Vec::new();
    for fault in lines.filter(|line| line["kind"] == "fault" && line["in_kernel"] == false) {
        let address = hexadecimal(fault["address"].as_str().expect("an address"));
        let Some(codes) = codes.get_mut(&fault["tid"].as_u64().expect("a thread")) else {
            continue;
        };
        // perf also records faults of firsttouch itself, before the program begins.
        let Some(at) = codes.iter().position(|&(other, _)| other == address) else { continue };
        pairs.push((fault, codes[at].1));
        codes.drain(..=at);
    }
    pairs
}

/// Whether the error code of a fault rules a cause out.
fn contradicts(cause: &str, code: u64) -> bool {
    match cause {
        "first-touch" | "stack" | "file" => code & PRESENT != 0,
        "copy-on-write" => code & (PRESENT | WRITE) != PRESENT | WRITE,
        _ => false,
    }
}

#[test]
fn causes_agree_with_the_processor() {
    if !is_root() || !cfg!(target_arch = "x86_64") {
        return skip("error codes need root, and are x86's");
    }
    if Command::new("perf").arg("--version").output().is_err() {
        return skip("no perf");
    }
    let scratch = Scratch::new();
    let command = "for i in 1 2 3 4 5; do x=$(echo a; ls / | head -n 1 | sort | wc -l); \
                   (true; ls / > /dev/null); done";
    let Some(pairs) = both(command, &scratch) else { return };
    assert!(pairs.len() > 500, "{} faults were seen in both ways", pairs.len());
    let wrong: Vec<&(Value, u64)> = pairs
        .iter()
        .filter(|(fault, code)| contradicts(fault["cause"].as_str().expect("a word"), *code))
        .collect();
    // A window of a file that was read and then written elsewhere first is wrong, and cannot be
    // known.
    assert!(wrong.len() * 200 < pairs.len(), "{} of {}: {wrong:?}", wrong.len(), pairs.len());
    let copies = pairs.iter().filter(|(fault, _)| fault["cause"] == "copy-on-write").count();
    assert!(copies > 50, "{copies} copies");
}
