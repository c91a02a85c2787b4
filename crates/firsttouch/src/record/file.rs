//! The thread that writes the recording: whoever has a chunk hands it over, and waits if the disk
//! is slower than the program.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use recording::{Chunk, CutReason, RecordingSummary, Writer};

/// Chunks that may wait, of at most some hundred KiB each.
const WAITING_MAX: usize = 64;
/// What the index needs for a chunk at most, and of a chunk that may be several for so many bytes.
const ENTRY_BYTES_MAX: u64 = 64;
const ENTRY_FOR_BYTES: u64 = 1024;
/// What the counts of the calls take at most, with their entry.
const COUNTS_BYTES_MAX: u64 = 320;

/// The thread.
pub(super) struct FileThread {
    sender: ChunkSender,
    handle: JoinHandle<Result<Writer<File>, io::Error>>,
}

/// A file that is complete.
pub(super) struct Finished {
    /// Whether something was left out because the file has its full size.
    pub(super) is_full: bool,
    pub(super) size_bytes: u64,
}

/// Hands chunks over.
#[derive(Clone)]
pub(super) struct ChunkSender {
    sender: SyncSender<Part>,
    state: Arc<FileState>,
}

/// What is handed over.
enum Part {
    /// A chunk that is left out if there is no room.
    Detail(Chunk),
    /// A chunk for which room was reserved.
    Reserved(Chunk),
}

/// What senders want to know of the file.
struct FileState {
    size_bytes_max: u64,
    has_failed: AtomicBool,
    is_full: AtomicBool,
    sent_bytes: AtomicU64,
    reserved_bytes: AtomicU64,
}

impl ChunkSender {
    /// Hands a chunk over, unless there is nothing in it.
    pub(super) fn send(&self, chunk: Chunk) {
        self.send_part(chunk, Part::Detail);
    }

    /// Hands a chunk over. Does `meanwhile` again and again while others wait before it.
    pub(super) fn send_patiently(&self, chunk: Chunk, meanwhile: impl Fn()) {
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        let Some(chunk) = self.counted(chunk) else { return };
        let mut part = Part::Detail(chunk);
        while let Err(TrySendError::Full(back)) = self.sender.try_send(part) {
            part = back;
            meanwhile();
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Hands over a chunk for which room was reserved.
    pub(super) fn send_for_the_end(&self, chunk: Chunk) {
        self.send_part(chunk, Part::Reserved);
    }

    fn send_part(&self, chunk: Chunk, part: impl FnOnce(Chunk) -> Part) {
        if let Some(chunk) = self.counted(chunk) {
            // The thread takes chunks until every sender is gone.
            let _ = self.sender.send(part(chunk));
        }
    }

    /// The chunk, counted, unless there is nothing in it.
    fn counted(&self, chunk: Chunk) -> Option<Chunk> {
        self.state.sent_bytes.fetch_add(chunk.bytes().len() as u64, Ordering::Relaxed);
        (!chunk.is_empty()).then_some(chunk)
    }

    /// So many bytes will be needed at the end.
    pub(super) fn reserve(&self, bytes: u64) {
        self.state.reserved_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The bytes that were handed over or reserved.
    pub(super) fn used_bytes(&self) -> u64 {
        let FileState { sent_bytes, reserved_bytes, .. } = &*self.state;
        sent_bytes.load(Ordering::Relaxed) + reserved_bytes.load(Ordering::Relaxed)
    }

    /// Whether the file takes nothing more: it cannot be written, or has its full size.
    pub(super) fn has_ended(&self) -> bool {
        let FileState { has_failed, is_full, .. } = &*self.state;
        has_failed.load(Ordering::Relaxed) || is_full.load(Ordering::Relaxed)
    }
}

impl FileThread {
    /// Starts the thread. The file never has more than `size_bytes_max`.
    pub(super) fn start(writer: Writer<File>, size_bytes_max: u64) -> io::Result<FileThread> {
        let (sender, parts) = sync_channel(WAITING_MAX);
        let state = Arc::new(FileState {
            size_bytes_max,
            has_failed: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            sent_bytes: AtomicU64::new(writer.bytes_written()),
            reserved_bytes: AtomicU64::new(0),
        });
        let sender = ChunkSender { sender, state: Arc::clone(&state) };
        let handle = std::thread::Builder::new()
            .name("firsttouch-file".into())
            .spawn(move || write(writer, &parts, &state))?;
        Ok(FileThread { sender, handle })
    }

    /// A sender. The thread ends when all of them are gone.
    pub(super) fn sender(&self) -> ChunkSender {
        self.sender.clone()
    }

    /// Writes what is left and the end. If something had to be left out because the file has its
    /// full size, the summary says so.
    ///
    /// # Errors
    /// The first error of a write. What was written before it can be read.
    pub(super) fn finish(self, summary: RecordingSummary) -> io::Result<Finished> {
        let state = Arc::clone(&self.sender.state);
        drop(self.sender);
        let lost_thread = || Err(io::Error::other("the thread that writes has panicked"));
        let writer = self.handle.join().unwrap_or_else(|_| lost_thread())?;
        let is_full = state.is_full.load(Ordering::Relaxed);
        let cut = if is_full { Some(CutReason::Limit) } else { summary.cut };
        let file = writer.finish(&RecordingSummary { cut, ..summary })?;
        Ok(Finished { is_full, size_bytes: file.metadata()?.len() })
    }
}

fn write(
    mut writer: Writer<File>,
    parts: &Receiver<Part>,
    state: &FileState,
) -> io::Result<Writer<File>> {
    let mut outcome = Ok(());
    for part in parts {
        // After an error chunks are still taken, so that nobody waits for ever.
        if outcome.is_ok()
            && let Some(chunk) = state.with_room(part, &writer)
        {
            outcome = writer.append(&chunk);
            state.has_failed.store(outcome.is_err(), Ordering::Relaxed);
        }
    }
    outcome.map(|()| writer)
}

impl FileState {
    /// The chunk, if there is room for it and for the end. Once one was left out, so are all that
    /// follow: a recording ends at a time.
    fn with_room(&self, part: Part, writer: &Writer<File>) -> Option<Chunk> {
        let (chunk, reserved) = match part {
            Part::Detail(_) if self.is_full.load(Ordering::Relaxed) => return None,
            Part::Detail(chunk) => {
                (chunk, COUNTS_BYTES_MAX + self.reserved_bytes.load(Ordering::Relaxed))
            }
            Part::Reserved(chunk) => (chunk, 0),
        };
        let bytes = chunk.bytes().len() as u64;
        let index = ENTRY_BYTES_MAX * (1 + bytes / ENTRY_FOR_BYTES);
        let end = writer.end_bytes_max() + index + reserved;
        let fits = writer.bytes_written().saturating_add(bytes + end) <= self.size_bytes_max;
        self.is_full.fetch_or(!fits, Ordering::Relaxed);
        fits.then_some(chunk)
    }
}
