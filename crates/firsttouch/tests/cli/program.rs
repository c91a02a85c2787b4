//! Running the program under test, with scratch directories and compiled fixtures.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use results::LabResult;
pub(crate) use skips::skip;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_firsttouch");

/// Runs what follows as an ordinary user.
pub(crate) const AS_NOBODY: [&str; 4] =
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// A directory for one test, open to every user, removed when dropped.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("firsttouch-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a scratch directory");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777))
            .expect("a directory of ours");
        Scratch(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn firsttouch(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
    command
}

/// As [`firsttouch`], with no signal ignored: below nohup(1) SIGHUP is, and firsttouch and its
/// program would not end by it.
pub(crate) fn signalled_firsttouch(arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal", PROGRAM]).args(arguments);
    command.stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    firsttouch(arguments).output().expect("the program starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The result that the run behind `output` wrote to standard output.
pub(crate) fn result(output: &Output) -> LabResult {
    results::read(&output.stdout[..])
        .unwrap_or_else(|e| panic!("{e}: {}\n{}", text(&output.stderr), text(&output.stdout)))
}

pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// The command that runs `program` as an ordinary user; it takes root and setpriv(1).
pub(crate) fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(AS_NOBODY[0]);
    command.args(&AS_NOBODY[1..]).arg(program);
    command
}

/// Whether this is root, and test(1) holds for an ordinary user; a skip where it does not.
pub(crate) fn nobody_may(conditions: &[&str]) -> bool {
    let holds = || as_nobody(Path::new("test")).args(conditions).status();
    let may = is_root() && holds().is_ok_and(|status| status.success());
    if is_root() && !may {
        skip("no setpriv, or another user may not run the program under test");
    }
    may
}

/// The program under test, where every user may run it.
pub(crate) fn open_copy(scratch: &Scratch) -> PathBuf {
    copied(Path::new(PROGRAM), scratch.file("firsttouch"))
}

/// The program under test as an ordinary user runs it; `None` (and a skip) where none can.
pub(crate) fn firsttouch_of_nobody(scratch: &Scratch) -> Option<Command> {
    let program = open_copy(scratch);
    nobody_may(&["-x", &program.display().to_string()]).then(|| as_nobody(&program))
}

/// Sends a signal, such as `-INT`, to `child`.
pub(crate) fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
}

/// Copies a program that will be run. cp(1) writes it: this process has other threads, and a child
/// that one of them forks meanwhile would keep a file that this process writes open for writing,
/// so that execve(2) would fail with ETXTBSY.
pub(crate) fn copied(program: &Path, copy: PathBuf) -> PathBuf {
    let status = Command::new("cp").arg(program).arg(&copy).status();
    assert!(status.is_ok_and(|status| status.success()), "cp {}", program.display());
    copy
}

/// Calls `look` until it returns something, for a minute at most.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} does not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The letter of `State:` (proc(5)); `None` for a process that has ended.
pub(crate) fn state(pid: &str) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("State:"))?.trim().chars().next()
}

/// Runs `script` in bash beside a file system in memory with these options (mount(8)), which is the
/// current folder and visible to it alone; `$P` is the program. `None` (and a skip) where none can
/// be mounted.
pub(crate) fn on_own_disk(options: &str, script: &str) -> Option<Output> {
    if !is_root() {
        skip("mounting a file system needs root");
        return None;
    }
    let scratch = Scratch::new();
    let folder = scratch.0.display();
    let mount = format!("mount -t tmpfs -o {options} none {folder}");
    let script = format!("{mount} && echo mounted >&2 && cd {folder} && P={PROGRAM}\n{script}");
    let output = Command::new("unshare").args(["-m", "bash", "-c", &script]).output();
    let mounted = |output: &Output| text(&output.stderr).starts_with("mounted");
    let output = output.ok().filter(mounted);
    if output.is_none() {
        skip("no file system can be mounted here");
    }
    output
}

/// Runs the program with `arguments` and an empty `/proc`; `None` (and a skip) where `/proc` cannot
/// be hidden.
pub(crate) fn without_proc(arguments: &str) -> Option<Output> {
    without("/proc", arguments)
}

/// Runs the program with `arguments` and an empty `folder`; `None` (and a skip) where that cannot
/// be hidden.
pub(crate) fn without(folder: &str, arguments: &str) -> Option<Output> {
    if !is_root() {
        skip(&format!("hiding {folder} needs root"));
        return None;
    }
    let script = format!("mount -t tmpfs none {folder} && exec {PROGRAM} {arguments}");
    let Ok(output) = Command::new("unshare").args(["-m", "sh", "-c", &script]).output() else {
        skip("no unshare");
        return None;
    };
    if output.stdout.is_empty() && text(&output.stderr).contains("denied") {
        skip(&text(&output.stderr));
        return None;
    }
    Some(output)
}

/// Compiles a program of `fixtures/` into `scratch`; `None` (and a skip) without a C compiler.
pub(crate) fn fixture(name: &str, scratch: &Scratch) -> Option<PathBuf> {
    compiled(name, &[], scratch.file(name))
}

/// Compiles a program of C++; `None` (and a skip) without a compiler.
pub(crate) fn cxx_fixture(name: &str, scratch: &Scratch) -> Option<PathBuf> {
    compiled_by("c++", &format!("{name}.cc"), &[], scratch.file(name))
}

/// Compiles a library to preload.
pub(crate) fn library_fixture(name: &str, scratch: &Scratch) -> Option<PathBuf> {
    compiled(name, &["-shared", "-fPIC"], scratch.file(&format!("{name}.so")))
}

/// Compiles with flags that not every compiler or C library has; `None` (and a skip) where one is
/// missing.
pub(crate) fn fixture_with(name: &str, flags: &[&str], program: PathBuf) -> Option<PathBuf> {
    let probe = program.with_extension("c");
    std::fs::write(&probe, "int main(void) { return 0; }\n").expect("a scratch directory");
    let output = Command::new("cc").args(flags).arg("-o").arg(&program).arg(&probe).output();
    if !output.is_ok_and(|output| output.status.success()) {
        skip(&format!("the C compiler cannot do {}", flags.join(" ")));
        return None;
    }
    compiled(name, flags, program)
}

/// The same for musl; `None` (and a skip) without its compiler.
pub(crate) fn musl_fixture(name: &str, flags: &[&str], program: PathBuf) -> Option<PathBuf> {
    // Distributions that are built on musl have these by default.
    let flags = [&["-fno-builtin", "-Wl,--eh-frame-hdr", "-Wl,--build-id"], flags].concat();
    compiled_by("musl-gcc", &format!("{name}.c"), &flags, program)
}

fn compiled(name: &str, flags: &[&str], program: PathBuf) -> Option<PathBuf> {
    compiled_by("cc", &format!("{name}.c"), flags, program)
}

fn compiled_by(compiler: &str, source: &str, flags: &[&str], program: PathBuf) -> Option<PathBuf> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(source);
    match Command::new(compiler)
        .args(["-O1", "-pthread"])
        .args(flags)
        .arg("-o")
        .arg(&program)
        .arg(source)
        .output()
    {
        Ok(output) => {
            assert!(output.status.success(), "{}", text(&output.stderr));
            Some(program)
        }
        Err(e) => {
            skip(&format!("no {compiler}: {e}"));
            None
        }
    }
}

/// Whether one of `programs` runs that has `word` among its arguments.
pub(crate) fn runs(programs: &[&str], word: &str) -> bool {
    let has = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let name = words.next().unwrap_or_default();
        programs.iter().any(|program| program.as_bytes() == name)
            && words.any(|argument| argument == word.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().any(has)
}

/// A number of seconds that no other process sleeps.
pub(crate) fn unique_seconds(test: u32) -> String {
    format!("{}.{test}", 100_000 + std::process::id())
}
