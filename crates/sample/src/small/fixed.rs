//! `small-fixed`: objects of one size over a live window.
//!
//! Two kinds of bursts alternate. In the first a few objects are obtained and freed at once, the
//! newest first, like the frames of a recursion; an allocator can reuse what was freed a moment
//! ago. In the second the oldest objects of the window are replaced, as in a queue; they have left
//! the first-level cache, and an allocator's list of freed objects is walked from its far end.

use super::Done;
use super::crew;
use super::draws::{drain, empty_slots};
use super::tally::Tally;

/// Objects that are alive all the time.
const WINDOW: usize = 1024;
/// Objects of a burst.
const BURST: usize = 16;

/// Most objects alive at once.
pub(super) const LIVE_OBJECTS: u64 = (WINDOW + BURST) as u64;

/// `shares` are pairs, one for each thread.
pub(super) fn run(shares: &[u64], size_bytes: u32) -> Result<Done, String> {
    let tasks = shares
        .iter()
        .enumerate()
        .map(|(thread, &pairs)| (thread, pairs, empty_slots(WINDOW)))
        .collect();
    crew::run(tasks, |(thread, pairs, mut window)| {
        let mut tally = Tally::of_thread(thread);
        let mut stack = [const { None }; BURST];
        let (mut left, mut oldest) = (pairs, 0);
        let mut take = || {
            let burst = usize::try_from(left).map_or(BURST, |left| left.min(BURST));
            left -= burst as u64;
            burst
        };
        loop {
            let burst = take();
            if burst == 0 {
                break;
            }
            stack[..burst].iter_mut().for_each(|slot| *slot = tally.malloc(size_bytes));
            stack[..burst].iter_mut().rev().for_each(|slot| tally.free(slot));
            for _ in 0..take() {
                let slot = &mut window[oldest];
                tally.free(slot);
                *slot = tally.malloc(size_bytes);
                oldest = (oldest + 1) % WINDOW;
            }
        }
        window.rotate_left(oldest);
        drain(&mut window, &mut tally);
        tally
    })
}
