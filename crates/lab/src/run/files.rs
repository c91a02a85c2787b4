//! The unnamed files of a run: one in each place that its arms need, as large as the largest of
//! them requires.

use std::os::fd::RawFd;
use std::path::Path;

use results::Sample;
use sample::access_pattern::Cache;
use sample::file_source::{FileSource, Place};
use sample::protocol::JobFile;
use sample::source::Source;
use sys::filesystem::Filesystem;
use sys::limits::page_bytes;
use sys::reopen::{Inherited, Route};
use sys::scratch::Scratch;

use crate::design::Design;
use crate::design::work::Work;
use crate::question::quantity::bytes_phrase;

/// The share of a file that may be in the wrong place: a page or two that other processes hold.
const ELSEWHERE_SHARE: f64 = 0.01;

/// The files of a run.
#[derive(Debug, Default)]
pub struct Files {
    directory: Option<Result<File, String>>,
    shared_memory: Option<Result<File, String>>,
    pieces: Option<Result<File, String>>,
}

#[derive(Debug)]
struct File {
    scratch: Scratch,
    descriptor: RawFd,
}

impl File {
    fn of(scratch: Scratch) -> Result<Self, String> {
        let descriptor = scratch
            .inherit()
            .map_err(|errno| format!("children cannot inherit a file: {errno}"))?;
        Ok(File { scratch, descriptor })
    }
}

impl Files {
    /// Creates the files that `design` needs, in `directory` and in shared memory. A failure is
    /// reported when an arm requests the file.
    #[must_use]
    pub fn make(design: &Design, directory: &Path) -> Self {
        let needed = |place: Place| {
            let works = design.arms.iter().map(|arm| &arm.work);
            works.filter(|work| place_of(work) == Some(place)).map(file_bytes).max()
        };
        let make = |len: u64, place: Place| {
            let made = match place {
                Place::Directory => Scratch::create(directory, len),
                Place::SharedMemory => Scratch::create_in_shared_memory(len),
                Place::Pieces => Scratch::create_in_pieces(
                    directory,
                    len,
                    usize::try_from(page_bytes()).unwrap_or(4096),
                ),
            };
            made.map_err(|error| error.to_string()).and_then(File::of)
        };
        Files {
            directory: needed(Place::Directory).map(|len| make(len, Place::Directory)),
            shared_memory: needed(Place::SharedMemory).map(|len| make(len, Place::SharedMemory)),
            pieces: needed(Place::Pieces).map(|len| make(len, Place::Pieces)),
        }
    }

    fn in_place(&self, place: Place) -> Result<&File, String> {
        let made = match place {
            Place::Directory => &self.directory,
            Place::SharedMemory => &self.shared_memory,
            Place::Pieces => &self.pieces,
        };
        made.as_ref().ok_or("no file was created for it")?.as_ref().map_err(Clone::clone)
    }

    /// The file for a child that does `work`; `None` if it needs none.
    ///
    /// # Errors
    /// Why it is not available here, and what to do.
    pub fn of(&self, work: &Work) -> Result<Option<JobFile>, String> {
        let Some(place) = place_of(work) else { return Ok(None) };
        if !sys::reopen::is_possible() {
            return Err(
                "children open the file through /proc, which is not mounted: mount -t proc proc \
                 /proc"
                    .to_owned(),
            );
        }
        let file = self.in_place(place)?;
        let filesystem = file.scratch.filesystem();
        if work.source == Source::File(FileSource::Direct) {
            takes_direct(filesystem, file.descriptor)?;
        }
        if work.pattern.cache == Cache::Cold && filesystem.is_memory() {
            return Err(format!(
                "{} has its files only in memory, so their cache is never cold: choose a directory \
                 on a disk with --dir",
                filesystem.name()
            ));
        }
        Ok(Some(JobFile { descriptor: file.descriptor, bytes: file_bytes(work) }))
    }

    /// Brings the file into the page cache, or drops it from there, as `work` requires. Returns how
    /// many bytes are cached then; `None` if there is no file.
    ///
    /// # Errors
    /// The call that failed.
    pub fn prepare(&self, work: &Work) -> Result<Option<u64>, String> {
        let Some(place) = place_of(work) else { return Ok(None) };
        let (scratch, len) = (&self.in_place(place)?.scratch, file_bytes(work));
        let outcome = if is_to_be_cold(work) {
            scratch.drop_cache().map(drop)
        } else {
            scratch.fill_cache(len)
        };
        outcome.map_err(|errno| {
            format!("cannot bring the file into the page cache, or drop it from there: {errno}")
        })?;
        Ok(self.cached_bytes(work))
    }

    /// The cached bytes of the file of `work`; `None` if there is no file, or they are unknown.
    #[must_use]
    pub fn cached_bytes(&self, work: &Work) -> Option<u64> {
        let file = self.in_place(place_of(work)?).ok()?;
        file.scratch.cached_bytes(file_bytes(work)).ok()
    }
}

fn takes_direct(filesystem: Filesystem, descriptor: RawFd) -> Result<(), String> {
    let name = filesystem.name();
    if filesystem.is_memory() {
        return Err(format!(
            "{name} has no disk that O_DIRECT could read past the cache: choose a directory on a \
             disk with --dir"
        ));
    }
    match Inherited::new(descriptor).open(Route::Direct) {
        Ok(_) => Ok(()),
        Err(errno) => Err(format!(
            "{name} does not support O_DIRECT: {errno}: choose another directory with --dir"
        )),
    }
}

/// The place of the file that `work`, or the work before it, needs.
fn place_of(work: &Work) -> Option<Place> {
    let sources = [Some(work.source), work.before.map(|before| before.source)];
    sources.into_iter().flatten().find_map(|source| match source {
        Source::File(file) => file.place(),
        _ => None,
    })
}

/// Whether the cache must be empty before. `O_DIRECT` needs that too: only then does it show that
/// nothing enters the cache.
fn is_to_be_cold(work: &Work) -> bool {
    work.pattern.cache == Cache::Cold || work.source == Source::File(FileSource::Direct)
}

/// The bytes of the file: every block of a sample has its own part, in whole pages.
fn file_bytes(work: &Work) -> u64 {
    let blocks = work.operations + work.extra_bytes.div_ceil(work.size_bytes.max(1));
    work.size_bytes.next_multiple_of(page_bytes()).saturating_mul(blocks)
}

/// Checks that the page cache was in the state that `work` requires.
///
/// # Errors
/// What was cached instead.
pub(crate) fn cache_was_right(work: &Work, sample: &Sample) -> Result<(), String> {
    let Some(before) = sample.cached_before_bytes else { return Ok(()) };
    let all = file_bytes(work);
    let few = |bytes: u64| bytes as f64 <= ELSEWHERE_SHARE * all as f64;
    let of_all = |bytes: u64| format!("{} of {}", bytes_phrase(bytes), bytes_phrase(all));
    if is_to_be_cold(work) && !few(before) {
        return Err(format!("the page cache was not cold: {} stayed cached", of_all(before)));
    }
    if !is_to_be_cold(work) && !few(all.saturating_sub(before)) {
        return Err(format!(
            "the page cache was not warm: only {} stayed in it (too little free memory?)",
            of_all(before)
        ));
    }
    let after = sample.cached_after_bytes.unwrap_or(0);
    if work.source == Source::File(FileSource::Direct) && !few(after) {
        return Err(format!(
            "O_DIRECT did not bypass the page cache: {} were cached",
            of_all(after)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Point;
    use crate::design::machine_limits::tests::limits;
    use crate::question::memory::MemoryState;
    use sample::access_pattern::{AccessPattern, Touch};

    fn work(source: FileSource, cache: Cache) -> Work {
        let point = Point { size_bytes: (1 << 20) + 1, threads: 1, passes: None };
        let pattern = AccessPattern { touch: Touch::Sum, cache, ..AccessPattern::default() };
        Work { pattern, ..limits(MemoryState::Warm).work(Source::File(source), point, 1) }
    }

    #[test]
    fn every_block_has_its_own_part() {
        let work = work(FileSource::Shared, Cache::Warm);
        assert_eq!(file_bytes(&work), work.operations * ((1 << 20) + page_bytes()));
        assert_eq!(
            file_bytes(&Work { extra_bytes: 1, ..work.clone() }),
            file_bytes(&work) + (1 << 20) + page_bytes()
        );
    }

    #[test]
    fn a_cache_in_the_wrong_state_is_reported() {
        let check = |source, cache, before_share: f64, after_share: f64, expect: &str| {
            let work = work(source, cache);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of some bytes"
            )]
            let of = |share: f64| Some((file_bytes(&work) as f64 * share) as u64);
            let sample = Sample {
                cached_before_bytes: of(before_share),
                cached_after_bytes: of(after_share),
                ..Sample::default()
            };
            let reason = cache_was_right(&work, &sample).err().unwrap_or_default();
            assert!(reason.contains(expect) && reason.is_empty() == expect.is_empty(), "{reason}");
        };
        check(FileSource::Shared, Cache::Warm, 1.0, 1.0, "");
        check(FileSource::Shared, Cache::Warm, 0.5, 1.0, "not warm");
        check(FileSource::Shared, Cache::Cold, 0.0, 1.0, "");
        check(FileSource::Shared, Cache::Cold, 0.5, 1.0, "not cold");
        check(FileSource::Direct, Cache::Warm, 0.0, 0.0, "");
        check(FileSource::Direct, Cache::Warm, 0.0, 1.0, "bypass the page cache");
        assert_eq!(
            cache_was_right(&work(FileSource::Memfd, Cache::Warm), &Sample::default()),
            Ok(())
        );
    }

    #[test]
    fn memory_alone_is_neither_cold_nor_bypassed() {
        let make = |source, cache| {
            let (work, mut design) = (
                work(source, cache),
                crate::design::tests::empty(crate::question::experiment::built_in().remove(0)),
            );
            design.arms.push(crate::design::ArmPlan {
                name: "x".to_owned(),
                role: crate::design::Role::Baseline,
                point: 0,
                work: work.clone(),
            });
            (Files::make(&design, Path::new("/dev/shm")), work)
        };
        let (files, direct) = make(FileSource::Direct, Cache::Warm);
        if files.in_place(Place::Directory).is_ok_and(|file| file.scratch.filesystem().is_memory())
        {
            assert!(files.of(&direct).unwrap_err().contains("--dir"));
            let (files, cold) = make(FileSource::Shared, Cache::Cold);
            assert!(files.of(&cold).unwrap_err().contains("never cold"));
        } else {
            skips::skip("/dev/shm is not a tmpfs here");
        }
        let (files, memfd) = make(FileSource::Memfd, Cache::Warm);
        assert_eq!((files.of(&memfd), files.prepare(&memfd)), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_missing_directory_is_reported_for_the_arm() {
        let mut design =
            crate::design::tests::empty(crate::question::experiment::built_in().remove(0));
        let work = work(FileSource::Read, Cache::Warm);
        design.arms.push(crate::design::ArmPlan {
            name: "read".to_owned(),
            role: crate::design::Role::Baseline,
            point: 0,
            work: work.clone(),
        });
        let files = Files::make(&design, Path::new("/nowhere/at/all"));
        let reason = files.of(&work).unwrap_err();
        assert!(reason.contains("/nowhere/at/all") && reason.contains("--dir"), "{reason}");
    }
}
