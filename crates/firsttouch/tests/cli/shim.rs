//! The library that is loaded into recorded programs uses few functions of others: none that
//! allocates or takes a lock while the program runs, and none that is a system call.

use std::collections::BTreeSet;
use std::process::Command;

use crate::program::{Scratch, firsttouch, skip, text};

/// What it calls, and when. Everything else is an error of this test.
const ALLOWED: [&str; 20] = [
    // Any time: they take nothing but their arguments.
    "__errno_location",
    "memcpy",
    "memmove",
    "memset",
    "bcmp",
    "memcmp",
    "strlen",
    // At the start of a process, or of a thread.
    "__cxa_finalize",
    "dlerror",
    "dlopen",
    "dlsym",
    "environ",
    "pthread_key_create",
    "pthread_setspecific",
    "getauxval",
    // Where the C library has no _dl_find_object: it takes the loader's lock.
    "dl_iterate_phdr",
    // Never, unless the shim is wrong.
    "abort",
    // Weak, of the compiler's start files.
    "__gmon_start__",
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
];

#[test]
fn the_library_in_programs_calls_only_what_is_allowed() {
    if !cfg!(target_arch = "x86_64") {
        skip("no library for this processor");
        return;
    }
    let scratch = Scratch::new();
    let file = scratch.file("a.ft");
    let recorded = firsttouch(&["record", "--syscalls", "off", "-o", file.to_str().unwrap()])
        .args(["--", "true"])
        .env("XDG_CACHE_HOME", &scratch.0)
        .output()
        .unwrap();
    assert!(recorded.status.success(), "{}", text(&recorded.stderr));
    let libraries = std::fs::read_dir(scratch.file("firsttouch")).unwrap();
    let libraries: Vec<_> = libraries.flatten().map(|entry| entry.path()).collect();
    assert_eq!(libraries.len(), 1, "{libraries:?}");
    let Ok(names) = Command::new("nm").args(["-D", "-u"]).arg(&libraries[0]).output() else {
        skip("no nm");
        return;
    };
    let names = text(&names.stdout);
    let used: BTreeSet<&str> = names
        .lines()
        .filter_map(|line| line.split_whitespace().last()?.split('@').next())
        .collect();
    assert!(used.contains("dlsym"), "{names}");
    let others: Vec<_> = used.iter().filter(|name| !ALLOWED.contains(name)).collect();
    assert!(others.is_empty(), "{others:?}");
}
