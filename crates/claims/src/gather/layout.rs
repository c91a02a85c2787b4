//! Facts about layouts: many processes, with and without ASLR, of this program and of a small C
//! program.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use results::claims::Claim;
use sys::process::WaitStatus;

use super::Gatherer;
use crate::ask::{Asker, Randomness, Trouble, pick};
use crate::facts::LayoutFacts;
use crate::judge::layout::{KernelRange, Layouts, aslr_gap, mmap_between};
use crate::protocol::ProbeTask;

/// Processes with ASLR, and without.
const RANDOM_RUNS: usize = 128;
const FIXED_RUNS: usize = 32;
/// A program that prints the end of its bss and its mappings. It moves the break itself, because an
/// allocator may not use brk.
const PROGRAM: &str = r#"#define _DEFAULT_SOURCE
#include <stdio.h>
#include <unistd.h>
extern char end;
int main(void)
{
    int c;
    FILE *maps;
    if (sbrk(4096) == (void *)-1 || !(maps = fopen("/proc/self/maps", "r")))
        return 1;
    printf("%lx\n", (unsigned long)&end);
    while ((c = getc(maps)) != EOF)
        putchar(c);
    return 0;
}
"#;

impl Gatherer<'_> {
    pub(super) fn aslr_gap(&mut self) -> Result<Claim, Trouble> {
        let own = self.layouts()?.clone();
        let pie = own.random.first().is_some_and(|layout| layout.pie);
        let other = self.other_program(pie);
        if other == Err(Trouble::Interrupted) {
            return Err(Trouble::Interrupted);
        }
        let other = other.map_err(|trouble| match trouble {
            Trouble::Failed(why) => why,
            Trouble::Interrupted => "interrupted".to_owned(),
        });
        let kernel = KernelRange {
            randomize: sys::proc::sysctl::randomize_va_space(),
            range_bytes: KernelRange::range_of(
                &sys::machine::kernel_release(),
                std::env::consts::ARCH,
            ),
            page_bytes: self.who.page_bytes,
        };
        Ok(aslr_gap(&own, other.as_ref().map_err(String::as_str), &kernel))
    }

    pub(super) fn mmap_between(&mut self) -> Result<Claim, Trouble> {
        let who = self.who.clone();
        Ok(mmap_between(self.layouts()?, &who))
    }

    fn layouts(&mut self) -> Result<&Layouts, Trouble> {
        if self.layouts.is_none() {
            let layout =
                |randomness| self.asker.ask_laid_out(ProbeTask::LayOut, randomness, pick!(Layout));
            self.layouts = Some(many(layout)?);
        }
        Ok(self.layouts.as_ref().expect("gathered above"))
    }

    /// The same for a program of the other kind: PIE if this program is not, and vice versa.
    fn other_program(&mut self, own_is_pie: bool) -> Result<Layouts, Trouble> {
        let flag = if own_is_pie { "-no-pie" } else { "-pie" };
        // The folder is removed as soon as the program is built, so nothing is left behind even if
        // this process is killed later.
        let program = Workshop::new(&self.folder)?.build(&self.asker, flag)?;
        many(|randomness| look(&self.asker, &program, randomness, !own_is_pie))
    }
}

fn many(layout: impl Fn(Randomness) -> Result<LayoutFacts, Trouble>) -> Result<Layouts, Trouble> {
    // If personality(2) is refused, the random runs inherit the layout policy.
    let refused = matches!(layout(Randomness::On), Err(Trouble::Failed(_)));
    let on = if refused { Randomness::Inherited } else { Randomness::On };
    let random = (0..RANDOM_RUNS).map(|_| layout(on)).collect::<Result<_, _>>()?;
    let fixed = match (0..FIXED_RUNS).map(|_| layout(Randomness::Off)).collect() {
        Ok(fixed) => Ok(fixed),
        Err(Trouble::Failed(why)) => Err(why),
        Err(Trouble::Interrupted) => return Err(Trouble::Interrupted),
    };
    Ok(Layouts { random, fixed })
}

/// Runs the small program once and parses its output.
fn look(
    asker: &Asker,
    program: &File,
    randomness: Randomness,
    pie: bool,
) -> Result<LayoutFacts, Trouble> {
    // The file has no name any more. The path through the parent's descriptor is valid in the child
    // until exec.
    let path = sys::reopen::path_of(program.as_fd());
    let finished = asker.run(&mut Command::new(path), randomness)?;
    let text = String::from_utf8_lossy(&finished.stdout);
    let unknown = || Trouble::Failed("the small C program did not print its layout".to_owned());
    let (end, maps) = text
        .split_once('\n')
        .filter(|_| finished.ending == WaitStatus::Exited(0))
        .ok_or_else(unknown)?;
    let end = usize::from_str_radix(end, 16).map_err(|_| unknown())?;
    let regions = sys::proc::parse_maps(maps).ok_or_else(unknown)?;
    let named = |name: &str| {
        regions.iter().find(|region| region.name == name).map(|region| (region.start, region.end))
    };
    let page = usize::try_from(sys::limits::page_bytes()).expect("a page is small");
    Ok(LayoutFacts {
        pie,
        program_end: end.next_multiple_of(page),
        heap: named("[heap]"),
        stack: named("[stack]"),
        ..LayoutFacts::default()
    })
}

/// A folder for the small program; gone when dropped.
struct Workshop(PathBuf);

impl Workshop {
    fn new(folder: &Path) -> Result<Self, Trouble> {
        let path = folder.join(format!(".firsttouch-{}", std::process::id()));
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(Workshop(path)),
            Err(error) => Err(Trouble::Failed(format!(
                "cannot build a program in {}: {error}",
                folder.display()
            ))),
        }
    }

    /// Builds the program and opens it.
    fn build(&self, asker: &Asker, flag: &str) -> Result<File, Trouble> {
        let failed = |error: io::Error| Trouble::Failed(format!("cannot build a program: {error}"));
        let (source, program) = (self.0.join("layout.c"), self.0.join("layout"));
        std::fs::write(&source, PROGRAM).map_err(failed)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-w", "-fno-stack-protector", flag, "-o"]).arg(&program).arg(&source);
        match asker.run(&mut compiler, Randomness::Inherited) {
            Ok(done) if done.ending == WaitStatus::Exited(0) => {
                File::open(&program).map_err(failed)
            }
            Ok(_) => Err(Trouble::Failed(format!("cc {flag} failed"))),
            Err(Trouble::Failed(_)) => Err(Trouble::Failed("no C compiler (cc) found".to_owned())),
            Err(Trouble::Interrupted) => Err(Trouble::Interrupted),
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
