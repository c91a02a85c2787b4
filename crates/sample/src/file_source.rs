//! Memory that is a file: the ways of reading and mapping one, and what can be done with each.

use crate::access_pattern::{Access, Between, Cache, Handling, Order, Touch};

/// A way to a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSource {
    /// A new memfd, mapped shared.
    Memfd,
    /// A file that is there on a tmpfs, mapped shared.
    Tmpfs,
    /// The file, mapped shared.
    Shared,
    /// A file that was written page by page, mapped shared.
    Pieces,
    /// The file, mapped private.
    Private,
    /// The file, mapped shared with `MAP_POPULATE`.
    Populate,
    /// The file, mapped shared with `MADV_SEQUENTIAL`.
    Sequential,
    /// The file, mapped shared with `MADV_RANDOM`.
    Random,
    /// The file, mapped shared with `MADV_WILLNEED`.
    WillNeed,
    /// read(2) of the file.
    Read,
    /// pread(2) of the file.
    Pread,
    /// pread(2) past the page cache (`O_DIRECT`).
    Direct,
}

/// Where the file of a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the directory that the user chose.
    Directory,
    /// In `/dev/shm`.
    SharedMemory,
    /// In the directory of the user, but another one: written page by page, and never taken out of the page cache, which
    /// would bring it back in larger pieces.
    Pieces,
}

impl FileSource {
    /// All of them.
    pub const ALL: [FileSource; 12] = [
        FileSource::Memfd,
        FileSource::Tmpfs,
        FileSource::Shared,
        FileSource::Pieces,
        FileSource::Private,
        FileSource::Populate,
        FileSource::Sequential,
        FileSource::Random,
        FileSource::WillNeed,
        FileSource::Read,
        FileSource::Pread,
        FileSource::Direct,
    ];

    /// The name of the arm that measures it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FileSource::Memfd => "memfd",
            FileSource::Tmpfs => "tmpfs",
            FileSource::Shared => "file",
            FileSource::Pieces => "file+pieces",
            FileSource::Private => "file+private",
            FileSource::Populate => "file+populate",
            FileSource::Sequential => "file+sequential",
            FileSource::Random => "file+random",
            FileSource::WillNeed => "file+willneed",
            FileSource::Read => "read",
            FileSource::Pread => "pread",
            FileSource::Direct => "direct",
        }
    }

    /// Where the file is that the parent makes for it; `None`: the child makes its own.
    #[must_use]
    pub fn place(self) -> Option<Place> {
        match self {
            FileSource::Memfd => None,
            FileSource::Tmpfs => Some(Place::SharedMemory),
            FileSource::Pieces => Some(Place::Pieces),
            _ => Some(Place::Directory),
        }
    }

    /// Whether its bytes are copied into a buffer, and not mapped.
    #[must_use]
    pub fn copies(self) -> bool {
        matches!(self, FileSource::Read | FileSource::Pread | FileSource::Direct)
    }

    /// Why `handling` cannot be had with it, if it cannot.
    #[must_use]
    pub fn unfit(self, handling: Handling) -> Option<String> {
        let name = self.name();
        let writes = [handling.touch.first(), handling.touch.again()].iter().any(|access| access.writes());
        if self.copies() && writes {
            return Some(format!(
                "{name} only reads: give touch = \"sum\", which reads every byte{}",
                if self == FileSource::Read { "" } else { ", or \"read\", one byte of every page" }
            ));
        }
        if self == FileSource::Read && (handling.touch != Touch::Sum || handling.order != Order::Sequential) {
            return Some(
                "read(2) takes one part after the other: give touch = \"sum\" and no order, or the source pread"
                    .to_owned(),
            );
        }
        if handling.cache == Cache::Cold && self == FileSource::Pieces {
            return Some(format!(
                "{name} is about the pages of the cache as they were written: there is no cold cache of it"
            ));
        }
        if handling.cache == Cache::Cold && self.place() != Some(Place::Directory) {
            return Some(format!("{name} is in memory and nowhere else: there is no cold cache of it"));
        }
        match handling.between {
            Between::DontNeed if self.copies() => {
                Some(format!("between = \"dontneed\" is advice on a mapping, and {name} is none"))
            }
            Between::Free => {
                Some(format!("MADV_FREE is for private anonymous memory, and {name} is a file (madvise(2))"))
            }
            _ => None,
        }
    }
}

impl Access {
    /// Whether it changes memory.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Access::Fill | Access::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_with_a_file_is_said() {
        let check = |source: FileSource, handling: Handling, expect: &str| {
            let reason = source.unfit(handling).unwrap_or_default();
            assert!(reason.contains(expect) && reason.is_empty() == expect.is_empty(), "{source:?}: {reason:?}");
        };
        let touch = |touch| Handling { touch, ..Handling::default() };
        check(FileSource::Shared, touch(Touch::Fill), "");
        check(FileSource::Pread, touch(Touch::Read), "");
        check(FileSource::Read, touch(Touch::Sum), "");
        check(FileSource::Read, touch(Touch::Read), "the source pread");
        check(FileSource::Pread, touch(Touch::Fill), "or \"read\"");
        check(FileSource::Direct, touch(Touch::ReadThenWrite), "only reads");
        let cold = Handling { cache: Cache::Cold, ..touch(Touch::Sum) };
        check(FileSource::Shared, cold, "");
        check(FileSource::Tmpfs, cold, "nowhere else");
        check(FileSource::Memfd, cold, "nowhere else");
        check(FileSource::Private, Handling { between: Between::Free, ..touch(Touch::Fill) }, "MADV_FREE");
        check(FileSource::Pread, Handling { between: Between::DontNeed, ..touch(Touch::Sum) }, "advice");
    }
}
