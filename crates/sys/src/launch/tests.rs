//! Starts real children.
//!
//! Safety story: a child is waited for once, with a writable status.
#![allow(unsafe_code)]

use super::*;

fn command(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// How a started child ends: a status, or a signal as a negative number.
fn ending(mut child: Started) -> i32 {
    let mut status = 0;
    // SAFETY: the child is ours and not reaped.
    assert_eq!(unsafe { libc::waitpid(child.pid, &raw mut status, 0) }, child.pid);
    child.reaped();
    if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

fn run(words: &[&str], setup: Setup) -> i32 {
    ending(Program::find(&command(words)).unwrap().start(setup).unwrap().go().unwrap())
}

#[test]
fn a_program_runs_with_its_arguments_and_environment() {
    assert_eq!(run(&["sh", "-c", "exit $(($1 + ${#PATH} * 0))", "x", "7"], Setup::default()), 7);
    assert_eq!(run(&["sh", "-c", "kill -TERM $$"], Setup::default()), -libc::SIGTERM);
    // The Rust runtime ignores SIGPIPE; started programs do not.
    assert_eq!(run(&["sh", "-c", "kill -PIPE $$"], Setup::default()), -libc::SIGPIPE);
}

#[test]
fn a_32_bit_program_is_recognised_by_its_file() {
    let program = |path: &Path| Program::find(&[path.as_os_str().to_owned()]).unwrap();
    assert_eq!(
        program(&std::env::current_exe().unwrap()).is_compat32(),
        cfg!(target_pointer_width = "32")
    );
    let file = std::env::temp_dir().join(format!("firsttouch-narrow-{}", std::process::id()));
    for (bytes, compat32) in [
        (&b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0"[..], true),
        (b"\x7fELF\x01", false),
        (b"", false),
    ] {
        std::fs::write(&file, bytes).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        assert_eq!(program(&file).is_compat32(), compat32, "{bytes:?}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn the_child_waits_at_the_gate() {
    let folder = std::env::temp_dir().join(format!("firsttouch-gate-{}", std::process::id()));
    let program = Program::find(&command(&["mkdir", folder.to_str().unwrap()])).unwrap();
    let waiting = program.start(Setup::default()).unwrap();
    let link = std::fs::read_link(format!("/proc/{}/exe", waiting.pid())).unwrap();
    assert_eq!(link, std::env::current_exe().unwrap(), "the child is still a copy of this process");
    assert!(!folder.exists());
    assert_eq!(ending(waiting.go().unwrap()), 0);
    std::fs::remove_dir(&folder).expect("mkdir ran after the gate");
}

#[test]
fn dropped_children_are_gone() {
    let waiting = Program::find(&command(&["true"])).unwrap().start(Setup::default()).unwrap();
    let pid = waiting.pid();
    drop(waiting);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let started = Program::find(&command(&["sleep", "1000"]))
        .unwrap()
        .start(Setup::default())
        .unwrap()
        .go()
        .unwrap();
    let pid = started.pid();
    drop(started);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn setups_take_effect() {
    let silent = Setup { discard_output: true, ..Setup::default() };
    assert_eq!(run(&["sh", "-c", "[ /dev/null -ef /proc/$$/fd/1 ]"], silent), 0);
    let deaf = Setup { no_input: true, ..Setup::default() };
    assert_eq!(run(&["sh", "-c", "[ /dev/null -ef /proc/$$/fd/0 ] && ! read line"], deaf), 0);
    let fixed = Setup { addresses: Addresses::Fixed, ..Setup::default() };
    // ADDR_NO_RANDOMIZE is 0x40000.
    assert_eq!(run(&["sh", "-c", "grep -q '^0*4[0-9a-f]\\{4\\}$' /proc/$$/personality"], fixed), 0);
    let child = Setup { dies_with_parent: true, ..Setup::default() };
    let thread = std::thread::spawn(move || {
        let program = Program::find(&command(&["sleep", "1000"])).unwrap();
        program.start(child).unwrap().go().unwrap()
    });
    assert_eq!(ending(thread.join().unwrap()), -libc::SIGKILL, "its parent thread has ended");
    let random = Setup { addresses: Addresses::Random, ..Setup::default() };
    assert_eq!(run(&["sh", "-c", "grep -q '^0*$' /proc/$$/personality"], random), 0);
}

#[test]
fn captured_output_is_kept() {
    let capture = Capture::new().unwrap();
    let script = "! read line && head -c 100000 /dev/zero | tr '\\0' x && echo error >&2";
    let program = Program::find(&command(&["sh", "-c", script])).unwrap().captured(&capture);
    let setup = Setup { discard_output: true, output_to_errors: true, ..Setup::default() };
    assert_eq!(ending(program.start(setup).unwrap().go().unwrap()), 0);
    assert_eq!(capture.output().unwrap(), vec![b'x'; 100_000], "more than a pipe holds");
    assert_eq!(capture.errors().unwrap(), b"error\n");
}

#[test]
fn a_failed_exec_is_reported() {
    let file = std::env::temp_dir().join(format!("firsttouch-noexec-{}", std::process::id()));
    std::fs::write(&file, "neither ELF nor script").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = Program::find(&[file.clone().into_os_string()]).unwrap();
    let error = program.start(Setup::default()).unwrap().go().unwrap_err();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(error, Errno(libc::ENOEXEC));
}
