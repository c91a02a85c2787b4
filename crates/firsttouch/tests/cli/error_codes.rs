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
fn both(script: &str, scratch: &Scratch) -> Option<Vec<(Value, u64)>> {
    let (data, json) = (scratch.file("perf.data"), scratch.file("trace.json"));
    let (data, json) = (data.display(), json.display());
    let record = format!("perf record -q -m 8192 -c 1 -e exceptions:page_fault_user -o {data}");
    let program = scratch.file("program");
    std::fs::write(&program, format!("cd $(dirname $0)\n{script}")).expect("a scratch directory");
    with_tracefs(&format!(
        "{record} -- {PROGRAM} trace -q -o /dev/null --json {json} -- sh {} > /dev/null",
        program.display()
    ))?;
    let codes_of = with_tracefs(&format!("perf script -i {data} -F tid,event,trace"))?;
    Some(matched(Path::new(&json.to_string()), codes(&codes_of)))
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
        "copy-on-write" | "reuse" => code & (PRESENT | WRITE) != PRESENT | WRITE,
        _ => false,
    }
}

/// Real programs: the name, the programs that its script needs, and the script.
const PROGRAMS: [(&str, &[&str], &str); 8] = [
    (
        "a shell",
        &["sort"],
        "for i in 1 2 3 4 5; do x=$(echo a; ls / | head -n 1 | sort | wc -l); (true; ls /); done",
    ),
    ("python3", &["python3"], "python3 -c 'import json, re'"),
    (
        "gcc by make -j4",
        &["make", "cc"],
        "for i in 1 2 3 4; do echo \"int f$i(int x) { return x + $i; }\" > f$i.c; done; \
         printf 'all: f1.o f2.o f3.o f4.o\\n.c.o:\\n\\tcc -O2 -c $<\\n' > Makefile; make -s -j4",
    ),
    (
        "git gc",
        &["git"],
        "git init -q g; cd g; for i in 1 2 3 4; do seq $i 3000 > f; git add f; \
         git -c user.name=a -c user.email=b commit -qm $i; done; git gc -q",
    ),
    (
        "redis with BGSAVE",
        &["redis-server", "redis-cli"],
        "redis-server --port 0 --unixsocket $PWD/s --save '' --dir $PWD > /dev/null & \
         cli() { redis-cli -s $PWD/s \"$@\" > /dev/null 2>&1; }; \
         until cli ping; do sleep 0.1; done; cli debug populate 20000; cli bgsave; \
         cli eval 'for i = 1, 5000 do redis.call(\"set\", \"k\" .. i, i) end' 0; sleep 0.5; \
         cli shutdown nosave; wait",
    ),
    ("node", &["node"], "node -e 'let a = []; for (let i = 0; i < 1e5; i++) a.push({ i })'"),
    ("java", &["java"], "java -version"),
    (
        "perl",
        &["perl"],
        "perl -e 'my @a = (1..20000); \
         for (1..3) { if (!fork()) { $_++ for @a; exit 0 } } wait for 1..3'",
    ),
];

fn can_run(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    found.is_ok_and(|output| output.status.success())
}

#[test]
fn causes_agree_with_the_processor() {
    if !is_root() || !cfg!(target_arch = "x86_64") {
        return skip("error codes need root, and are x86's");
    }
    if !can_run("perf") {
        return skip("no perf");
    }
    for (name, needs, script) in PROGRAMS {
        if let Some(missing) = needs.iter().find(|program| !can_run(program)) {
            skip(&format!("{name}: no {missing}"));
            continue;
        }
        let scratch = Scratch::new();
        let Some(pairs) = both(script, &scratch) else { return };
        assert!(pairs.len() > 500, "{name}: {} faults were seen in both ways", pairs.len());
        let wrong: Vec<&(Value, u64)> = pairs
            .iter()
            .filter(|(fault, code)| contradicts(fault["cause"].as_str().expect("a word"), *code))
            .collect();
        let number = |cause| pairs.iter().filter(|(fault, _)| fault["cause"] == cause).count();
        let unknown = number("unknown");
        println!("{name}: {} wrong and {unknown} unknown of {}", wrong.len(), pairs.len());
        // Where two threads fault on one page at once, the kernel's look at the page table may
        // come after the other's page, and perf makes that time longer.
        let few = pairs.len() / 1000;
        assert!(wrong.len() <= few, "{name}: {} of {}: {wrong:?}", wrong.len(), pairs.len());
        assert!(unknown <= pairs.len() / 50, "{name}: {unknown} unknown of {}", pairs.len());
        assert!(number("file") > 50 && number("copy-on-write") > 20, "{name}");
    }
}
