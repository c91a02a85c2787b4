//! `small-exchange`: some threads obtain objects and put them into a bounded queue, others take
//! them out and free them.
//!
//! No object is freed by the thread that obtained it, so an allocator that keeps what a thread
//! freed for the same thread keeps it for one that never asks. Objects go in batches, and who finds
//! nothing sleeps until there is half of all that can be under way: waking another thread takes as
//! long as a thousand pairs, and would else be most of what is timed. The batches are made
//! beforehand and go round, so that the queue allocates nothing.

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
/// Batches for each thread: so many may be under way.
const BATCHES_EACH: usize = 8;

/// So many are under way at most, for each thread.
pub(super) const LIVE_OBJECTS: u64 = (BATCH * BATCHES_EACH) as u64;

type Batch = Vec<Option<Object>>;

/// Batches on their way there and back.
struct Queue {
    state: Mutex<State>,
    /// There are enough batches again, or no more to come.
    moved: Condvar,
}

struct State {
    full: VecDeque<Batch>,
    empty: Vec<Batch>,
    /// Producers that have not finished.
    producing: usize,
    /// Who has slept is woken when there are so many batches: half of all. Not both kinds can sleep
    /// at once, since all batches are then full or empty, and one kind is half of them or more.
    enough: usize,
}

enum Role {
    Producer(u64),
    Consumer,
}

/// `pairs` by `threads` threads, of which half, at least one, obtain.
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

    /// An empty batch. Waits until there are enough, if there are none.
    fn take_empty(&self) -> Batch {
        let mut state = self.state();
        if state.empty.is_empty() {
            let wait = self.moved.wait_while(state, |state| state.empty.len() < state.enough);
            state = wait.unwrap_or_else(PoisonError::into_inner);
        }
        state.empty.pop().expect("enough is more than none")
    }

    /// The oldest full batch. Waits until there are enough, if there are none; `None` when there
    /// will be none.
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

    /// Nobody sleeps while there are enough, so it is enough to wake when there come to be.
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
