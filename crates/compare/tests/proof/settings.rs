//! Settings of the C library, and transparent huge pages.

use compare::arm::PreparedArm;
use compare::proof::judge;
use compare::tunables::{list, loader_of};
use skips::skip;

use crate::fixture::{
    PLAIN, Scratch, arm, installed, interrupt, jemalloc, picture, proved, refused, tuned, with,
};

#[test]
fn the_loader_is_that_of_the_program_or_of_its_interpreter() {
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let loader = loader_of(&program).unwrap();
    assert_eq!(loader_of(&scratch.script("true")).unwrap(), loader, "sh(1) is linked alike");
    if let Some(program) = scratch.compiled("static", PLAIN, &["-static"]) {
        assert_eq!(loader_of(&program).unwrap(), loader, "the usual one");
    }
    let none = loader_of("/etc/passwd".as_ref()).unwrap_err();
    assert!(none.contains("neither an ELF program nor a script"), "{none}");
    assert!(loader_of("/nonexistent".as_ref()).unwrap_err().contains("cannot read /nonexistent"));
    let old = list(&installed("true").unwrap(), &[], interrupt()).unwrap_err();
    assert!(old.contains("does not list its tunables") && old.contains("glibc 2.33"), "{old}");
}

/// The variables of mallopt(3) are settings, too: what the loader prints has them.
#[test]
fn an_inherited_variable_shows_in_the_list() {
    let Ok(loader) = loader_of(&installed("true").unwrap()) else { return };
    let variable = [("MALLOC_ARENA_MAX".into(), "3".into())];
    let listing = match list(&loader, &variable, interrupt()) {
        Ok(listing) => listing,
        Err(why) => return skip(&why),
    };
    assert_eq!(listing.get("glibc.malloc.arena_max").unwrap().value, "0x3");
}

#[test]
fn the_values_in_force_are_those_that_the_loader_prints() {
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let command = [program.to_str().unwrap()];
    let settings = ["MALLOC_ARENA_MAX=2", "mmap_threshold=64MiB", "malloc.tcache_count=0"];
    let Some(arm) = tuned(&settings, &command) else { return };
    let proof = proved(&arm);
    let printed: Vec<(&str, &str)> =
        proof.tunables.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        printed,
        [
            ("glibc.malloc.arena_max", "0x2"),
            ("glibc.malloc.mmap_threshold", "0x4000000"),
            ("glibc.malloc.tcache_count", "0x0"),
        ]
    );
    assert!(proof.malloc.unwrap().contains("libc.so"));
}

/// A value that the C library does not take: here one below the smallest, past the check.
#[test]
fn a_value_that_is_ignored_is_refused() {
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let Some(mut arm) = tuned(&["malloc.check=1"], &[program.to_str().unwrap()]) else { return };
    arm.tunables[0].value = "9".to_owned();
    arm.variables[0].1 = Some("glibc.malloc.check=9".into());
    refused(&arm, &["glibc.malloc.check=9 was asked for", "has 0 in force"]);
}

#[test]
fn settings_of_malloc_have_no_effect_on_another_allocator() {
    let Some(jemalloc) = jemalloc() else { return };
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("plain", PLAIN, &[]) else { return };
    let command = [program.to_str().unwrap()];
    let (Some(tuned), other) = (tuned(&["arena_max=2"], &command), with(jemalloc, &command)) else {
        return;
    };
    let variables = [other.variables.clone(), tuned.variables.clone()].concat();
    let both = PreparedArm { variables, allocator: other.allocator, ..tuned };
    refused(&both, &["libjemalloc.so.2, not from glibc", "glibc.malloc.arena_max has no effect"]);
}

/// A static glibc reads the variable, but nothing prints what it makes of it.
#[test]
fn the_settings_of_a_static_program_are_unseen() {
    let scratch = Scratch::new();
    let Some(program) = scratch.compiled("static", PLAIN, &["-static"]) else { return };
    let Some(arm) = tuned(&["arena_max=2"], &[program.to_str().unwrap()]) else { return };
    let proof = judge(&picture(&arm), &arm).unwrap();
    assert!(proof.tunables.is_empty());
    assert!(proof.unseen.unwrap().contains("its own C library reads GLIBC_TUNABLES"));
}

#[test]
fn a_script_has_the_tunables_of_its_interpreter() {
    let Some(python) = installed("python3") else { return };
    let scratch = Scratch::new();
    let script = scratch.script(&format!("exec {} -c 1", python.display()));
    let Some(arm) = tuned(&["arena_max=2"], &[script.to_str().unwrap()]) else { return };
    assert_eq!(proved(&arm).tunables["glibc.malloc.arena_max"], "0x2");
}

#[test]
fn huge_pages_are_off_unless_the_program_turns_them_on() {
    let scratch = Scratch::new();
    let again = format!(
        "#include <sys/prctl.h>\n{}",
        PLAIN.replace("return 0", "return prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)")
    );
    let (Some(plain), Some(again)) =
        (scratch.compiled("plain", PLAIN, &[]), scratch.compiled("again", &again, &[]))
    else {
        return;
    };
    let off = |command: &[&str]| PreparedArm { huge_pages_off: true, ..arm(command) };
    let plain = off(&[plain.to_str().unwrap()]);
    if picture(&plain).huge_pages_off.is_none() {
        skip("the kernel does not show THP_enabled");
        return;
    }
    assert_eq!(proved(&plain).unseen, None);
    refused(&off(&[again.to_str().unwrap()]), &["turned on again"]);
}
