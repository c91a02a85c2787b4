//! `small-exchange`: some threads obtain objects and put them into a bounded queue, others take
//! them out and free them.
//!
//! No object is freed by the thread that obtained it, so an allocator that caches freed objects per
//! thread caches them for a thread that never allocates. Objects are passed in batches, and a
//! thread that finds none sleeps until half of all batches are available: waking a thread takes as
//! long as a thousand pairs and would otherwise dominate the time. The batches are created
//! beforehand and reused, so that the queue allocates nothing.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sys::object::Object;

use super::Done;
use super::crew;
use super::draws::empty_slots;
use super::shares;
use super::tally::Tally;

/// Objects of a batch.
const BATCH: usize = 256;
/// Batches per thread.
const BATCHES_EACH: usize = 8;

/// Most objects alive at once, per thread.
pub(super) const LIVE_OBJECTS: u64 = (BATCH * BATCHES_EACH) as u64;

type Batch = Vec<Option<Object>>;

/// Full batches on their way to consumers, and empty ones on their way back.
struct Queue {
    state: Mutex<State>,
    /// Signalled when there are enough batches again, or no more will come.
    moved: Condvar,
}

struct State {
    full: VecDeque<Batch>,
    empty: Vec<Batch>,
    /// The number of producers that have not finished.
    producing: usize,
    /// Sleeping threads are woken when there are this many batches: half of all. Producers and
    /// consumers cannot both sleep at once: every batch is either full or empty, so one kind is at
    /// least half of them.
    enough: usize,
}

enum Role {
    Producer(u64),
    Consumer,
}

/// Does `pairs` in `threads` threads, of which half, at least one, obtain.
pub(super) fn run(pairs: u64, threads: usize, size_bytes: u32) -> Result<Done, String> {
    let producers = (threads / 2).max(1);
    let consumers = threads.saturating_sub(producers).max(1);
    let queue = Queue::new(producers, (producers + consumers) * BATCHES_EACH);
    let producing = shares(pairs, producers).into_iter().map(Role::Producer);
    let roles = producing.chain((0..consumers).map(|_| Role::Consumer)).enumerate().collect();
    crew::run(roles, |(thread, role)| match role {
        Role::Producer(pairs) => produce(&queue, pairs, size_bytes, Tally::of_thread(thread)),
        Role::Consumer => consume(&queue, Tally::of_thread(thread)),
    })
}

fn produce(queue: &Queue, pairs: u64, size_bytes: u32, mut tally: Tally) -> Tally {
    let mut left = pairs;
    while left > 0 {
        let mut batch = queue.take_empty();
        let count = usize::try_from(left).map_or(BATCH, |left| left.min(BATCH));
        batch[..count].iter_mut().for_each(|slot| *slot = tally.malloc(size_bytes));
        left -= count as u64;
        queue.put_full(batch);
    }
    queue.finish();
    tally
}

fn consume(queue: &Queue, mut tally: Tally) -> Tally {
    while let Some(mut batch) = queue.take_full() {
        for slot in &mut batch {
            tally.free(slot);
        }
        queue.put_empty(batch);
    }
    tally
}

impl Queue {
    fn new(producing: usize, batches: usize) -> Self {
        let empty = (0..batches).map(|_| empty_slots(BATCH)).collect();
        let state =
            State { full: VecDeque::with_capacity(batches), empty, producing, enough: batches / 2 };
        Queue { state: Mutex::new(state), moved: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty batch. If there is none, waits until there are enough.
    fn take_empty(&self) -> Batch {
        let mut state = self.state();
        if state.empty.is_empty() {
            let wait = self.moved.wait_while(state, |state| state.empty.len() < state.enough);
            state = wait.unwrap_or_else(PoisonError::into_inner);
        }
        state.empty.pop().expect("enough batches are at least one")
    }

    /// The oldest full batch. If there is none, waits until there are enough; `None` when no more
    /// will come.
    fn take_full(&self) -> Option<Batch> {
        let mut state = self.state();
        if state.full.is_empty() {
            let few = |state: &mut State| state.full.len() < state.enough && state.producing > 0;
            state = self.moved.wait_while(state, few).unwrap_or_else(PoisonError::into_inner);
        }
        state.full.pop_front()
    }

    fn put_full(&self, batch: Batch) {
        let mut state = self.state();
        state.full.push_back(batch);
        self.wake_at(state.full.len(), &state);
    }

    fn put_empty(&self, batch: Batch) {
        let mut state = self.state();
        state.empty.push(batch);
        self.wake_at(state.empty.len(), &state);
    }

    /// No thread sleeps while there are enough, so waking them when the number is reached suffices.
    fn wake_at(&self, batches: usize, state: &State) {
        if batches == state.enough {
            self.moved.notify_all();
        }
    }

    fn finish(&self) {
        self.state().producing -= 1;
        self.moved.notify_all();
    }
}
