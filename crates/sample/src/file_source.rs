//! Files as a source of memory: the ways of reading and mapping one.

/// A way of accessing a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSource {
    /// A new memfd, mapped shared.
    Memfd,
    /// An existing file on a tmpfs, mapped shared.
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
    /// pread(2) that bypasses the page cache (`O_DIRECT`).
    Direct,
}

/// Where the file of a source is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the directory that the user chose.
    Directory,
    /// In `/dev/shm`.
    SharedMemory,
    /// A separate file in the same directory, written page by page. It is never dropped from the
    /// page cache, since the kernel would read it back in larger folios.
    Pieces,
}

impl FileSource {
    /// All file sources.
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

    /// Where the parent creates the file for it; `None`: the child creates its own.
    #[must_use]
    pub fn place(self) -> Option<Place> {
        match self {
            FileSource::Memfd => None,
            FileSource::Tmpfs => Some(Place::SharedMemory),
            FileSource::Pieces => Some(Place::Pieces),
            _ => Some(Place::Directory),
        }
    }

    /// Whether its bytes are copied into a buffer instead of being mapped.
    #[must_use]
    pub fn copies(self) -> bool {
        matches!(self, FileSource::Read | FileSource::Pread | FileSource::Direct)
    }
}
