use super::*;

/// Lines of glibc 2.36.
const SAMPLE: &str = "\
glibc.rtld.nns: 0x4 (min: 0x1, max: 0x10)
glibc.malloc.trim_threshold: 0x0 (min: 0x0, max: 0xffffffffffffffff)
glibc.malloc.perturb: 0 (min: 0, max: 255)
glibc.cpu.x86_shstk:
glibc.cpu.hwcaps:
glibc.elision.tries: 3 (min: 0, max: 2147483647)
glibc.malloc.arena_max: 0x0 (min: 0x1, max: 0xffffffffffffffff)
glibc.malloc.mmap_threshold: 0x0 (min: 0x0, max: 0xffffffffffffffff)
glibc.malloc.tcache_count: 0x0 (min: 0x0, max: 0xffffffffffffffff)
glibc.malloc.check: 0 (min: 0, max: 3)
glibc.imaginary.check: -1 (min: -5, max: 3)
";

fn listing() -> Listing {
    Listing::parse(SAMPLE).unwrap()
}

fn tunable(name: &str, value: &str) -> Tunable {
    Tunable { name: name.to_owned(), value: value.to_owned() }
}

#[test]
fn a_listing_is_parsed() {
    let listing = listing();
    assert_eq!(listing.0.len(), 11);
    let perturb = listing.get("glibc.malloc.perturb").unwrap();
    assert_eq!((&*perturb.value, perturb.bounds), ("0", Some((0, 255))));
    let hwcaps = listing.get("glibc.cpu.hwcaps").unwrap();
    assert_eq!((&*hwcaps.value, hwcaps.bounds), ("", None));
    let negative = listing.get("glibc.imaginary.check").unwrap();
    assert_eq!(negative.bounds, Some((-5, 3)));
    let wide = listing.get("glibc.malloc.arena_max").unwrap();
    assert_eq!(wide.bounds, Some((1, i128::from(u64::MAX))));
    for wrong in ["", "\n", "--list-tunables: error while loading shared libraries", "a: 1"] {
        assert_eq!(Listing::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn settings_are_understood_as_typed() {
    for (typed, name, value) in [
        ("glibc.malloc.mmap_threshold=64MiB", "glibc.malloc.mmap_threshold", "67108864"),
        ("malloc.mmap_threshold=0x1000", "glibc.malloc.mmap_threshold", "4096"),
        ("mmap_threshold=128k", "glibc.malloc.mmap_threshold", "131072"),
        ("arena_max=2", "glibc.malloc.arena_max", "2"),
        ("malloc.check=3", "glibc.malloc.check", "3"),
        ("MALLOC_ARENA_MAX=2", "glibc.malloc.arena_max", "2"),
        ("MALLOC_MMAP_THRESHOLD_=010", "glibc.malloc.mmap_threshold", "8"),
        ("trim_threshold=0", "glibc.malloc.trim_threshold", "0"),
        ("imaginary.check=-5", "glibc.imaginary.check", "-5"),
        (" arena_max = 18446744073709551615", "glibc.malloc.arena_max", "18446744073709551615"),
        ("hwcaps=-AVX2,-AVX512F", "glibc.cpu.hwcaps", "-AVX2,-AVX512F"),
    ] {
        assert_eq!(listing().check(typed), Ok(tunable(name, value)), "{typed}");
    }
}

#[test]
fn errors_say_what_would_be_right() {
    for (typed, expect) in [
        ("MALLOC_CONF=narenas:1", "write --arm 'name: @jemalloc MALLOC_CONF=VALUE'"),
        ("glibc.malloc.mmap_treshold=1MiB", "did you mean glibc.malloc.mmap_threshold?"),
        ("mmap_treshold=1MiB", "did you mean mmap_threshold?"),
        ("MALLOC_ARENAS_MAX=1", "did you mean MALLOC_ARENA_MAX?"),
        ("MALLOC_TCACHE_COUNT=1", "did you mean glibc.malloc.tcache_count?"),
        ("qqq=1", "no tunable \"qqq\" (ld.so"),
        ("=1", "no tunable \"\""),
        ("check=1", "glibc.malloc.check or glibc.imaginary.check"),
        ("arena_max", "NAME=VALUE"),
        ("arena_max=", "arena_max=VALUE"),
        ("arena_max=0", "from 1 to 18446744073709551615"),
        ("malloc.check=4", "from 0 to 3"),
        ("imaginary.check=-6", "from -5 to 3"),
        ("arena_max=many", "from 1 to 18446744073709551615"),
        ("mmap_threshold=10 bananas", "bananas"),
        ("mmap_threshold=0x", "from 0 to"),
        ("hwcaps=a:b", "colon"),
    ] {
        let error = listing().check(typed).unwrap_err();
        assert!(error.contains(expect), "{typed}: {error}");
    }
}

#[test]
fn an_inherited_value_is_kept_where_the_arm_sets_nothing() {
    let arm = [tunable("glibc.malloc.arena_max", "2"), tunable("glibc.malloc.check", "1")];
    let merge = |inherited: &str| merged(Some(OsStr::new(inherited)), &arm);
    let own = "glibc.malloc.arena_max=2:glibc.malloc.check=1";
    assert_eq!(merged(None, &arm), own);
    assert_eq!(merge(""), own);
    assert_eq!(merge("glibc.malloc.arena_max=9"), own);
    assert_eq!(
        merge("glibc.malloc.arena_max_x=9::glibc.malloc.check=3:glibc.rtld.nns=5"),
        format!("glibc.malloc.arena_max_x=9:glibc.rtld.nns=5:{own}").as_str()
    );
    let twice = [tunable("a.b", "1"), tunable("a.b", "2")];
    assert_eq!(merged(None, &twice), "a.b=2");
    assert_eq!(merged(Some(OsStr::new("a.b=1")), &[]), "a.b=1");
}

#[test]
fn what_is_in_force_must_be_what_was_asked_for() {
    let printed = Listing::parse(
        "glibc.malloc.arena_max: 0x2 (min: 0x1, max: 0xff)\n\
         glibc.malloc.check: 0 (min: 0, max: 3)\nglibc.cpu.hwcaps: -AVX2\n",
    )
    .unwrap();
    let found = printed.in_force(&[tunable("glibc.malloc.arena_max", "2")]).unwrap();
    assert_eq!(found["glibc.malloc.arena_max"], "0x2");
    assert!(printed.in_force(&[tunable("glibc.cpu.hwcaps", "-AVX2")]).is_ok());
    assert!(printed.in_force(&[tunable("glibc.cpu.hwcaps", "-AVX512F")]).is_err());
    let error = printed.in_force(&[tunable("glibc.malloc.check", "3")]).unwrap_err();
    assert!(error.contains("glibc.malloc.check=3") && error.contains("has 0 in force"), "{error}");
    let error = printed.in_force(&[tunable("glibc.malloc.tcache_max", "3")]).unwrap_err();
    assert!(error.contains("no tunable glibc.malloc.tcache_max"), "{error}");
}

#[test]
fn the_variables_of_settings_are_found_in_an_environment() {
    let variable = |name: &str| (OsString::from(name), OsString::from("1"));
    let environment = ["PATH", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"].map(variable);
    assert_eq!(variables_of(&environment), ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"].map(variable));
}
