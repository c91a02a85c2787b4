//! Limits of memory: a size beyond them is refused before a child starts, and a child that hits one
//! names it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::program::{PROGRAM, is_root, skip, text};

fn shell(script: &str) -> Output {
    Command::new("sh").args(["-c", script]).output().expect("a shell")
}

#[test]
fn address_space_and_data_limits_are_named() {
    for (option, word) in [("-v", "ulimit -v"), ("-d", "ulimit -d")] {
        let output = shell(&format!("ulimit {option} 262144; exec {PROGRAM} bench --size 300MiB"));
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(word) && error.contains("--size"), "{error}");
    }
}

#[test]
fn a_control_group_is_named() {
    let Some(group) = Group::new(64 << 20) else { return };
    let output = shell(&format!(
        "echo $$ > {}; exec {PROGRAM} bench --size 100MiB",
        group.procs().display()
    ));
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("control group") && error.contains("firsttouch-test"), "{error}");
}

/// A neighbour in the same control group takes its memory: the kernel kills a child, and the run
/// names the killer and keeps the other samples.
#[test]
fn the_out_of_memory_killer_is_named_and_nothing_is_lost() {
    let Some(group) = Group::new(220 << 20) else { return };
    let procs = group.procs();
    let inside = |command: &str| {
        let script = format!("echo $$ > {} && exec {command}", procs.display());
        Command::new("sh")
            .args(["-c", &script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell")
    };
    let run = inside(&format!("{PROGRAM} bench --size 64MiB --arm malloc --blocks 60 --json -"));
    let pid = run.id();
    let running = || {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
    };
    let reader = std::thread::spawn(move || run.wait_with_output().expect("its output"));
    std::thread::sleep(Duration::from_millis(500));
    while running() {
        // Reads one endless line into memory, until the kernel kills it.
        let _ = inside("tail /dev/zero").wait();
    }
    let output = reader.join().expect("the reader");
    if output.status.success() {
        return skip("the kernel killed only the neighbour");
    }
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let error = text(&output.stderr);
    let named = |text: &str| text.contains("out-of-memory killer (SIGKILL)");
    match results::read(&output.stdout[..]) {
        Ok(result) => assert!(
            result.refused.iter().any(|r| r.failed && named(&r.reason)),
            "{:?}",
            result.refused
        ),
        // The baseline's first run was killed: there was no result yet.
        Err(_) => assert!(named(&error), "{error}"),
    }
}

/// The child fails where the parent cannot foresee it: the message has the errno.
#[test]
fn a_failing_call_reports_its_errno() {
    for source in ["malloc", "calloc", "mmap", "mmap+populate"] {
        let job = format!(
            r#"{{"Measure":{{"parent":{},"source":"{source}","size_bytes":{},{}}}}}"#,
            std::process::id(),
            1 << 30,
            r#""operations":1,"fill":1,"observe":false"#
        );
        let output = shell(&format!("ulimit -v 262144; exec {PROGRAM} __child '{job}'"));
        let answer = text(&output.stdout);
        assert!(answer.contains(&format!("{source}: ENOMEM")), "{answer} {}", text(&output.stderr));
    }
}

/// A limit of file sizes ends in a message (the kernel's default is to kill by SIGXFSZ), and no
/// half-written file stays.
#[test]
fn a_limit_of_file_sizes_is_named() {
    let output =
        shell(&format!("ulimit -f 100; exec {PROGRAM} bench file-scan --size 4MiB --blocks 1"));
    let error = text(&output.stderr);
    assert!(error.contains("ulimit -f"), "{error}");
    assert_eq!(output.status.code(), Some(1), "{error}");
    let file = std::env::temp_dir().join(format!("firsttouch-cut-{}.json", std::process::id()));
    let path = file.display();
    let output =
        shell(&format!("ulimit -f 1; exec {PROGRAM} bench --size 64KiB --blocks 2 --json {path}"));
    let error = text(&output.stderr);
    assert!(error.contains("cannot write") && output.status.code() == Some(1), "{error}");
    assert!(!file.exists(), "half a file was left");
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A memory control group of our own, removed at the end.
pub(crate) struct Group(PathBuf);

impl Group {
    pub(crate) fn new(limit_bytes: u64) -> Option<Self> {
        if !is_root() {
            skip("a control group needs root");
            return None;
        }
        let name = format!(
            "firsttouch-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        for (root, file) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let folder = PathBuf::from(root).join(&name);
            if std::fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Group(folder);
            if std::fs::write(group.0.join(file), limit_bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        skip("no control group with a memory limit can be made here");
        None
    }

    /// A process that writes its pid to this file joins the group.
    pub(crate) fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}
