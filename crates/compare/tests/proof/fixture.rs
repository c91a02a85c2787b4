//! Programs of a few lines, arms, and looks at them.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use compare::arm::PreparedArm;
use compare::proof::{Picture, at_exit, judge};
use compare::tunables::{self, VARIABLE};
use lab::question::preload::Preloaded;
use results::compare::Proof;
use skips::skip;
use sys::interrupt::Interrupt;
use sys::launch::{Program, Setup};
use sys::relay::Relay;

/// A program that uses malloc.
pub(crate) const PLAIN: &str = "#include <stdlib.h>\n\
    int main(void) { void *volatile p = malloc(100); free(p); return 0; }\n";

/// A directory for one test, open to every user, removed when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("firsttouch-proof-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        Scratch(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Compiles `source`; `None` (and a skip) where the compiler cannot.
    pub(crate) fn compiled(&self, name: &str, source: &str, flags: &[&str]) -> Option<PathBuf> {
        let (input, output) = (self.file(&format!("{name}.c")), self.file(name));
        std::fs::write(&input, source).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-O0", "-w", "-fno-builtin"]).arg(&input).arg("-o").arg(&output).args(flags);
        match compiler.output() {
            Ok(done) if done.status.success() => Some(output),
            Ok(done) => {
                let why = String::from_utf8_lossy(&done.stderr).into_owned();
                assert!(!flags.is_empty(), "{why}");
                skip(&format!("the C compiler cannot do {}: {why}", flags.join(" ")));
                None
            }
            Err(_) => {
                skip("there is no C compiler");
                None
            }
        }
    }

    /// Writes a script that sh(1) runs. cp(1) makes the file that is executed: this process has
    /// other threads, whose children might hold it open for writing.
    pub(crate) fn script(&self, lines: &str) -> PathBuf {
        let (text, script) = (self.file("text"), self.file("script"));
        std::fs::write(&text, format!("#!/bin/sh\n{lines}\n")).unwrap();
        copied(&text, &script);
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        script
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn copied(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(status.is_ok_and(|status| status.success()), "cp {}", from.display());
}

/// The installed program `name`; `None` (and a skip) without.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let found = ["/usr/bin", "/bin", "/usr/sbin"]
        .map(|folder| Path::new(folder).join(name))
        .into_iter()
        .find(|path| path.exists());
    if found.is_none() {
        skip(&format!("no {name}"));
    }
    found
}

/// The installed library whose name is one of `names`.
pub(crate) fn library(names: &[&str]) -> Option<Preloaded> {
    let folders = [
        format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH),
        "/usr/lib64".to_owned(),
        "/usr/lib".to_owned(),
    ];
    let paths = names.iter().flat_map(|name| folders.iter().map(move |f| (f, name)));
    for (folder, name) in paths {
        let path = Path::new(folder).join(name);
        if let Ok(origin) = path.canonicalize() {
            let origin = origin.to_str().unwrap().to_owned();
            return Some(Preloaded { library: Some((*name).to_owned()), origin });
        }
    }
    skip(&format!("no {}", names[0]));
    None
}

pub(crate) fn jemalloc() -> Option<Preloaded> {
    library(&["libjemalloc.so.2", "libjemalloc.so.1"])
}

pub(crate) fn mimalloc() -> Option<Preloaded> {
    library(&["libmimalloc.so.2", "libmimalloc.so.3"])
}

/// A library to preload by its path.
pub(crate) fn by_path(path: &Path) -> Preloaded {
    let path = path.to_str().unwrap().to_owned();
    Preloaded { library: Some(path.clone()), origin: path }
}

/// An arm without any setting.
pub(crate) fn arm(command: &[&str]) -> PreparedArm {
    PreparedArm {
        name: "arm".to_owned(),
        command: command.iter().map(OsString::from).collect(),
        variables: Vec::new(),
        allocator: None,
        tunables: Vec::new(),
        huge_pages_off: false,
    }
}

/// An arm with an allocator.
pub(crate) fn with(allocator: Preloaded, command: &[&str]) -> PreparedArm {
    let library = allocator.library.clone().map(OsString::from);
    PreparedArm {
        variables: vec![("LD_PRELOAD".into(), library)],
        allocator: Some(allocator),
        ..arm(command)
    }
}

/// An arm with settings of the C library; `None` (and a skip) where they are not known here.
pub(crate) fn tuned(settings: &[&str], command: &[&str]) -> Option<PreparedArm> {
    let program = Program::find(&arm(command).command).unwrap();
    let listing = tunables::loader_of(program.path())
        .and_then(|loader| tunables::list(&loader, &[], interrupt()));
    let listing = match listing {
        Ok(listing) => listing,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    let tunables: Vec<_> = settings.iter().map(|setting| listing.check(setting).unwrap()).collect();
    let value = tunables::merged(None, &tunables);
    Some(PreparedArm { variables: vec![(VARIABLE.into(), Some(value))], tunables, ..arm(command) })
}

pub(crate) fn interrupt() -> Interrupt {
    Interrupt::install().unwrap()
}

/// Runs the arm and looks at it.
pub(crate) fn picture(arm: &PreparedArm) -> Picture {
    let program = Program::find(&arm.command).unwrap().with_variables(arm.variables.clone());
    let setup = Setup { no_huge_pages: arm.huge_pages_off, ..Setup::default() };
    let limit = Some(Duration::from_mins(1));
    let mut relay = Relay::new().unwrap();
    at_exit(&program, setup, limit, interrupt(), &mut relay).unwrap()
}

/// The proof of the arm, all of which must have been seen.
pub(crate) fn proved(arm: &PreparedArm) -> Proof {
    let picture = picture(arm);
    let proof = judge(&picture, arm).unwrap_or_else(|why| panic!("{why}\n{}", picture.errors));
    assert_eq!(proof.unseen, None, "{:?}", arm.command);
    proof
}

/// The reason for which the arm is refused.
#[track_caller]
pub(crate) fn refused(arm: &PreparedArm, expect: &[&str]) {
    let picture = picture(arm);
    let reason = judge(&picture, arm).expect_err("it is refused");
    for part in expect {
        assert!(reason.contains(part), "{part:?} is not in: {reason}\n{}", picture.errors);
    }
}

pub(crate) fn is_root() -> bool {
    sys::process::is_root()
}
