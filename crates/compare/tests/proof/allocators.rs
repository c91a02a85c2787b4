//! Allocators: which file malloc comes from.

use compare::proof::{fails_alone, judge};
use lab::question::preload::Preloaded;
use skips::skip;

use crate::fixture::{
    PLAIN, Scratch, arm, by_path, copied, installed, jemalloc, library, mimalloc, picture, proved,
    refused, with,
};

fn system() -> Preloaded {
    Preloaded { library: None, origin: "/lib/libc.so.6".to_owned() }
}

#[test]
fn malloc_comes_from_the_preloaded_library() {
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let command = [program.to_str().unwrap()];
    let tcmalloc = || library(&["libtcmalloc_minimal.so.4", "libtcmalloc.so.4"]);
    for allocator in [jemalloc(), mimalloc(), tcmalloc()].into_iter().flatten() {
        let proof = proved(&with(allocator.clone(), &command));
        assert_eq!(proof.malloc.as_ref(), Some(&allocator.origin));
        assert_eq!(proof.notes, [""; 0]);
    }
    for plain in [arm(&command), with(system(), &command)] {
        let malloc = proved(&plain).malloc.unwrap();
        assert!(malloc.contains("libc.so") || malloc.contains("musl"), "{malloc}");
    }
}

#[test]
fn a_static_program_cannot_be_given_another() {
    let (scratch, allocator) = (Scratch::new(), jemalloc());
    for flag in ["-static", "-static-pie"] {
        let Some(program) = scratch.compiled(&flag[1..], PLAIN, &[flag]) else { continue };
        let Some(allocator) = allocator.clone() else { return };
        let command = [program.to_str().unwrap()];
        refused(&with(allocator, &command), &["is statically linked", "link it dynamically"]);
        assert_eq!(proved(&arm(&command)).malloc, None);
    }
}

#[test]
fn a_go_program_does_not_use_malloc() {
    let (Some(go), Some(allocator)) = (installed("go"), jemalloc()) else { return };
    let scratch = Scratch::new();
    std::fs::write(scratch.file("main.go"), "package main\nfunc main() {}\n").unwrap();
    let program = scratch.file("main");
    let built = std::process::Command::new(go)
        .args(["build", "-o"])
        .args([&program, &scratch.file("main.go")])
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", scratch.file("cache"))
        .output()
        .unwrap();
    if !built.status.success() {
        skip(&format!("go build: {}", String::from_utf8_lossy(&built.stderr)));
        return;
    }
    let command = [program.to_str().unwrap()];
    refused(&with(allocator, &command), &["statically linked (a Go program", "LD_PRELOAD"]);
    let Some(arm) = crate::fixture::tuned(&["malloc.arena_max=2"], &command) else { return };
    refused(&arm, &["a Go program", "nothing in it reads GLIBC_TUNABLES"]);
}

/// As when an allocator is linked into a program: the program comes first in the dynamic linker's
/// order.
#[test]
fn a_malloc_of_the_program_comes_first() {
    const EXPORTS: &str = "#include <stddef.h>\n\
        static char heap[1 << 20]; static size_t used;\n\
        VISIBILITY void *malloc(size_t n) { used += (n + 15) & ~15ul; return heap + used; }\n\
        VISIBILITY void free(void *p) {}\n\
        void *je_malloc(size_t n) { return malloc(n); }\n\
        int main(void) { return malloc(100) == NULL; }\n";
    let Some(allocator) = mimalloc() else { return };
    let scratch = Scratch::new();
    for (name, visibility) in [
        ("exports", "-DVISIBILITY="),
        ("hides", "-DVISIBILITY=__attribute__((visibility(\"hidden\")))"),
    ] {
        let Some(program) = scratch.compiled(name, EXPORTS, &[visibility]) else { return };
        let command = [program.to_str().unwrap()];
        for arm in [with(allocator.clone(), &command), with(system(), &command)] {
            refused(&arm, &["has a malloc of its own (jemalloc)", "build the program without it"]);
        }
        let tuned = crate::fixture::tuned(&["arena_max=2"], &command);
        if let Some(tuned) = tuned {
            refused(&tuned, &["arena_max has no effect"]);
        }
        let own = proved(&arm(&command)).malloc;
        assert_eq!(own.as_deref(), (name == "exports").then_some(command[0]));
    }
}

/// An allocator under other names is beside malloc, not in its place.
#[test]
fn an_allocator_beside_malloc_is_noted() {
    let Some(allocator) = mimalloc() else { return };
    let scratch = Scratch::new();
    let function = format!("{PLAIN}void *_rjem_malloc(unsigned long n) {{ return 0; }}\n");
    let message = format!("{PLAIN}const char *message = \"<jemalloc>: Error\\n\";\n");
    for (name, source, expect) in [
        ("function", &function, "also has jemalloc linked into it"),
        ("message", &message, "has messages of jemalloc, so that may be linked into it"),
    ] {
        let Some(program) = scratch.compiled(name, source, &[]) else { return };
        let proof = proved(&with(allocator.clone(), &[program.to_str().unwrap()]));
        assert_eq!(proof.malloc.as_ref(), Some(&allocator.origin));
        assert!(proof.notes.len() == 1 && proof.notes[0].contains(expect), "{:?}", proof.notes);
    }
}

/// Debian's redis is linked with the library of jemalloc.
#[test]
fn a_program_linked_with_another_allocator() {
    let Some(redis) = installed("redis-server") else { return };
    let command = [redis.to_str().unwrap(), "--version"];
    let usual = proved(&arm(&command)).malloc.unwrap();
    if !usual.contains("jemalloc") {
        skip("redis-server is not linked with libjemalloc");
        return;
    }
    refused(&with(system(), &command), &[&usual, "is linked with it, so removing"]);
    let Some(mimalloc) = mimalloc() else { return };
    let proof = proved(&with(mimalloc.clone(), &command));
    assert_eq!(proof.malloc, Some(mimalloc.origin));
    assert!(proof.notes.iter().any(|note| note.contains(&usual)), "{:?}", proof.notes);
    if let Some(jemalloc) = jemalloc() {
        assert_eq!(proved(&with(jemalloc, &command)).notes, [""; 0], "it is the same file");
    }
}

#[test]
fn a_library_without_malloc_is_told_from_one_that_comes_later() {
    let scratch = Scratch::new();
    let shared = ["-shared", "-fPIC"];
    let (Some(program), Some(empty), Some(first), Some(jemalloc)) = (
        scratch.compiled("plain", PLAIN, &[]),
        scratch.compiled("empty.so", "int nothing;\n", &shared),
        scratch.compiled(
            "first.so",
            "#include <stddef.h>\nvoid *__libc_malloc(size_t);\n\
             void *malloc(size_t n) { return __libc_malloc(n); }\n",
            &shared,
        ),
        jemalloc(),
    ) else {
        return;
    };
    let command = [program.to_str().unwrap()];
    refused(&with(by_path(&empty), &command), &["empty.so was preloaded", "malloc comes from"]);
    let mut arm = with(jemalloc, &command);
    let both = format!("{} libjemalloc.so.2", first.display());
    arm.variables = vec![("LD_PRELOAD".into(), Some(both.into()))];
    refused(&arm, &["first.so", "before it"]);
}

/// A library whose header says another width: ld.so ignores it and says so.
#[test]
fn a_library_of_another_architecture_is_refused() {
    let Some(jemalloc) = jemalloc() else { return };
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let mut bytes = std::fs::read(&jemalloc.origin).unwrap();
    bytes[4] = 3 - bytes[4]; // EI_CLASS of elf(5): 1 or 2
    let library = scratch.file("other.so");
    std::fs::write(&library, bytes).unwrap();
    refused(
        &with(by_path(&library), &[program.to_str().unwrap()]),
        &["other.so cannot be loaded into", "wrong ELF class", "architecture"],
    );
}

/// As jemalloc ends a program on a machine with larger pages than it was built for.
#[test]
fn an_allocator_that_dies_is_quoted() {
    const DIES: &str = "#include <stdlib.h>\n#include <stdio.h>\n\
        void *__libc_malloc(size_t);\n\
        void *malloc(size_t n) { return __libc_malloc(n); }\n\
        __attribute__((constructor)) static void check(void) {\n\
        fputs(\"<jemalloc>: Unsupported system page size\\n\", stderr); abort(); }\n";
    let scratch = Scratch::new();
    let (Some(program), Some(library)) = (
        scratch.compiled("plain", PLAIN, &[]),
        scratch.compiled("dies.so", DIES, &["-shared", "-fPIC"]),
    ) else {
        return;
    };
    let command = [program.to_str().unwrap()];
    let (dying, usual) = (with(by_path(&library), &command), arm(&command));
    let (picture, baseline) = (picture(&dying), picture(&usual));
    let reason = fails_alone(&picture, &dying, &baseline).unwrap();
    assert!(reason.contains("killed by SIGABRT"), "{reason}");
    assert!(reason.contains("as the baseline it exited with status 0"), "{reason}");
    assert!(reason.ends_with(": <jemalloc>: Unsupported system page size"), "{reason}");
    assert_eq!(judge(&picture, &dying).unwrap().malloc.as_deref(), library.to_str());
    assert_eq!(fails_alone(&baseline, &usual, &baseline), None);
    assert_eq!(fails_alone(&picture, &dying, &picture), None, "it fails in any case");
}

/// A program of its own dynamic linker's command line has no list where programs have it.
#[test]
fn a_program_run_by_its_loader_is_unseen() {
    let Some(allocator) = jemalloc() else { return };
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let loader = compare::tunables::loader_of(&program).unwrap();
    let (copy, arm) = (scratch.file("copy"), |program: &str, more: &str| {
        let command = [program, more];
        with(allocator.clone(), if more.is_empty() { &command[..1] } else { &command })
    });
    copied(&program, &copy);
    let by_loader = arm(loader.to_str().unwrap(), program.to_str().unwrap());
    let proof = judge(&picture(&by_loader), &by_loader).unwrap();
    assert!(proof.unseen.unwrap().contains("give the program itself as the command"));
    assert!(proved(&arm(copy.to_str().unwrap(), "")).malloc.is_some());
}
