//! What the environment loses on the way to the program, and who may look.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use compare::arm::PreparedArm;
use compare::proof::{at_exit, judge};
use skips::skip;
use sys::launch::{Program, Setup};
use sys::relay::Relay;

use crate::fixture::{
    PLAIN, Scratch, arm, copied, interrupt, is_root, jemalloc, picture, proved, refused, tuned,
    with,
};

#[test]
fn env_i_drops_the_settings() {
    let Some(allocator) = jemalloc() else { return };
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let program = program.to_str().unwrap();
    let cleared = ["/usr/bin/env", "-i", program];
    refused(
        &with(allocator.clone(), &cleared),
        &["LD_PRELOAD was not in the environment of", program, "env -i"],
    );
    let another = ["/usr/bin/env", "LD_PRELOAD=libc.so.6", program];
    refused(&with(allocator.clone(), &another), &["was libc.so.6, not libjemalloc"]);
    // The last image counts, not what starts it.
    let proof = proved(&with(allocator.clone(), &["/usr/bin/env", program]));
    assert_eq!(proof.malloc, Some(allocator.origin));
    if let Some(arm) = tuned(&["arena_max=2"], &cleared) {
        refused(&arm, &["GLIBC_TUNABLES was not in the environment", "env -i"]);
    }
    let other = ["/usr/bin/env", "GLIBC_TUNABLES=glibc.malloc.arena_max=3", program];
    if let Some(arm) = tuned(&["arena_max=2"], &other) {
        refused(&arm, &["had no glibc.malloc.arena_max=2"]);
    }
}

/// A wrapper may read a variable instead of the program: the arm runs, with a note.
#[test]
fn a_variable_that_does_not_reach_the_program_is_noted() {
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let program = program.to_str().unwrap();
    let variables = vec![("PROOF_A".into(), Some("1".into())), ("PROOF_B".into(), None)];
    let with_variables =
        |command: &[&str]| PreparedArm { variables: variables.clone(), ..arm(command) };
    assert_eq!(proved(&with_variables(&[program])).notes, [""; 0]);
    let notes = proved(&with_variables(&["/usr/bin/env", "-i", "PROOF_B=2", program])).notes;
    assert!(notes.len() == 2 && notes[0].starts_with("PROOF_A=1 had not reached"), "{notes:?}");
    assert!(notes[1].starts_with("the removal of PROOF_B had not reached"), "{notes:?}");
}

#[test]
fn the_shell_of_a_script_is_looked_at_and_its_programs_are_not() {
    let Some(allocator) = jemalloc() else { return };
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let program = program.display();
    let script = scratch.script(&format!("{program}; {program}; :"));
    let proof = proved(&with(allocator.clone(), &[script.to_str().unwrap()]));
    assert_eq!(proof.malloc.as_ref(), Some(&allocator.origin));
    assert!(proof.notes.iter().any(|note| note.contains("has run other programs")), "{proof:?}");
    let scratch = Scratch::new();
    let script = scratch.script(&format!("exec {program}"));
    let seen = picture(&with(allocator, &[script.to_str().unwrap()]));
    assert_eq!(seen.program.path.display().to_string(), program.to_string());
    assert_eq!(seen.had_children, Some(false));
}

/// The kernel sets `AT_SECURE` for it, and the dynamic linker drops its variables.
#[test]
fn a_set_user_id_program_is_refused() {
    let Some(allocator) = jemalloc() else { return };
    if !is_root() {
        skip("only root can give a file to another user");
        return;
    }
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let copy = scratch.file("copy");
    copied(&program, &copy);
    std::os::unix::fs::chown(&copy, Some(65_534), Some(65_534)).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o4755)).unwrap();
    if !sys::privilege::is_gained_by(&copy) {
        skip("set-user-ID bits have no effect in the temporary directory");
        return;
    }
    let command = [copy.to_str().unwrap()];
    let expect = ["runs with more privilege", "set-user-ID", "a copy of the file"];
    refused(&with(allocator, &command), &expect);
    if let Some(arm) = tuned(&["arena_max=2"], &command) {
        refused(&arm, &expect);
    }
    assert!(proved(&arm(&command)).malloc.is_some(), "the baseline is not concerned");
}

/// Runs a test of this program in another way, as a command that begins with `words`.
fn run_again(scratch: &Scratch, words: &[&str], test: &str) {
    let copy = scratch.file("tests");
    copied(&std::env::current_exe().unwrap(), &copy);
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(&copy)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("TMPDIR", scratch.file("."))
        .env("PROOF_PROGRAM", scratch.file("program"))
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn an_ordinary_user_proves_and_is_refused_alike() {
    let scratch = Scratch::new();
    let Some(plain) = scratch.compiled("program", PLAIN, &[]) else { return };
    let suid = scratch.file("suid");
    copied(&plain, &suid);
    std::fs::set_permissions(&suid, PermissionsExt::from_mode(0o4755)).unwrap();
    let setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let may = Command::new(setpriv[0]).args(&setpriv[1..]).arg("true").status();
    if !is_root() || !may.is_ok_and(|status| status.success()) {
        skip("no root, or no setpriv");
        return;
    }
    run_again(&scratch, &setpriv, "environment::as_an_ordinary_user");
}

#[test]
#[ignore = "run by another test as an ordinary user"]
fn as_an_ordinary_user() {
    let program = std::env::var("PROOF_PROGRAM").unwrap();
    let Some(allocator) = jemalloc() else { return };
    let proof = proved(&with(allocator.clone(), &[&program]));
    assert_eq!(proof.malloc.as_ref(), Some(&allocator.origin));
    if let Some(arm) = tuned(&["arena_max=2"], &[&program]) {
        assert_eq!(proved(&arm).tunables["glibc.malloc.arena_max"], "0x2");
    }
    // Its tracer has no privilege to give: it runs without, and would not in the measured runs.
    // Newer kernels set AT_SECURE all the same.
    let suid = program.replace("program", "suid");
    if sys::privilege::is_gained_by(suid.as_ref()) {
        refused(&with(allocator, &[&suid]), &["more privilege than its caller", "set-user-ID"]);
    } else {
        skip("set-user-ID bits have no effect in the temporary directory");
    }
}

/// As in a container whose seccomp filter forbids ptrace(2).
#[test]
fn without_ptrace_nothing_is_seen_and_nothing_refused() {
    const DENY: &str = "#include <errno.h>\n#include <linux/filter.h>\n\
        #include <linux/seccomp.h>\n#include <stddef.h>\n#include <sys/prctl.h>\n\
        #include <sys/syscall.h>\n#include <unistd.h>\n\
        int main(int argc, char **argv) {\n\
        struct sock_filter deny[] = {\n\
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),\n\
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),\n\
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),\n\
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};\n\
        struct sock_fprog filter = {4, deny};\n\
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||\n\
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 125;\n\
        execv(argv[1], argv + 1); return 127; }\n";
    let scratch = Scratch::new();
    let (Some(deny), Some(_)) =
        (scratch.compiled("deny", DENY, &[]), scratch.compiled("program", PLAIN, &[]))
    else {
        return;
    };
    run_again(&scratch, &[deny.to_str().unwrap()], "environment::where_ptrace_is_refused");
}

#[test]
#[ignore = "run by another test under a filter"]
fn where_ptrace_is_refused() {
    let program = std::env::var("PROOF_PROGRAM").unwrap();
    let Some(allocator) = jemalloc() else { return };
    let arm = with(allocator, &[&program]);
    let proof = judge(&picture(&arm), &arm).unwrap();
    assert_eq!(proof.malloc, None);
    assert!(proof.unseen.unwrap().contains("cannot be traced here (ptrace: "));
}

#[test]
fn a_program_that_does_not_end_is_looked_at_and_killed() {
    let arm = arm(&["sleep", "1000"]);
    let program = Program::find(&arm.command).unwrap();
    let limit = Some(std::time::Duration::from_millis(200));
    let mut relay = Relay::new().unwrap();
    let seen = at_exit(&program, Setup::default(), limit, interrupt(), &mut relay).unwrap();
    assert!(seen.out_of_time && seen.page_tables_bytes > Some(0), "{seen:?}");
    assert!(judge(&seen, &arm).unwrap().malloc.is_some());
    let usual = picture(&crate::fixture::arm(&["true"]));
    let reason = compare::proof::fails_alone(&seen, &arm, &usual).unwrap();
    assert!(reason.contains("did not end in time"), "{reason}");
}
