//! The thread that writes the recording: whoever has a chunk hands it over, and waits if the disk
//! is slower than the program.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use recording::{Chunk, RecordingSummary, Writer};

/// Chunks that may wait, of at most some hundred KiB each.
const WAITING_MAX: usize = 64;

/// The thread.
pub(super) struct FileThread {
    sender: ChunkSender,
    handle: JoinHandle<Result<Writer<File>, io::Error>>,
}

/// Hands chunks over.
#[derive(Clone)]
pub(super) struct ChunkSender {
    sender: SyncSender<Chunk>,
    has_failed: Arc<AtomicBool>,
}

impl ChunkSender {
    /// Hands a chunk over, unless there is nothing in it.
    pub(super) fn send(&self, chunk: Chunk) {
        if !chunk.is_empty() {
            // The thread takes chunks until every sender is gone.
            let _ = self.sender.send(chunk);
        }
    }

    /// Whether the file cannot be written any more.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

impl FileThread {
    /// Starts the thread.
    pub(super) fn start(writer: Writer<File>) -> io::Result<FileThread> {
        let (sender, chunks) = sync_channel(WAITING_MAX);
        let has_failed = Arc::new(AtomicBool::new(false));
        let sender = ChunkSender { sender, has_failed: Arc::clone(&has_failed) };
        let handle = std::thread::Builder::new()
            .name("firsttouch-file".into())
            .spawn(move || write(writer, &chunks, &has_failed))?;
        Ok(FileThread { sender, handle })
    }

    /// A sender. The thread ends when all of them are gone.
    pub(super) fn sender(&self) -> ChunkSender {
        self.sender.clone()
    }

    /// Writes what is left and the end. Returns the size of the file in bytes.
    ///
    /// # Errors
    /// The first error of a write. What was written before it can be read.
    pub(super) fn finish(self, summary: &RecordingSummary) -> io::Result<u64> {
        drop(self.sender);
        let lost_thread = || Err(io::Error::other("the thread that writes has panicked"));
        let writer = self.handle.join().unwrap_or_else(|_| lost_thread())?;
        writer.finish(summary)?.metadata().map(|metadata| metadata.len())
    }
}

fn write(
    mut writer: Writer<File>,
    chunks: &Receiver<Chunk>,
    has_failed: &AtomicBool,
) -> io::Result<Writer<File>> {
    let mut outcome = Ok(());
    for chunk in chunks {
        // After an error chunks are still taken, so that nobody waits for ever.
        if outcome.is_ok() {
            outcome = writer.append(&chunk);
            has_failed.store(outcome.is_err(), Ordering::Relaxed);
        }
    }
    outcome.map(|()| writer)
}
