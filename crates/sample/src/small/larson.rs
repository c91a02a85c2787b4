//! `small-larson`: threads that replace each other's objects.
//!
//! Each thread works on an array of objects, frees those in random places and obtains others. After
//! each round it hands the array to its neighbour and takes that of another thread, so that the
//! neighbour frees objects that this thread obtained. A server whose connections outlive the
//! threads that serve them behaves like this (Larson and Krishnan 1998). There, threads end and new
//! ones start; here they stay, since starting a thread costs more than a thousand pairs.

use std::sync::{Barrier, Mutex, PoisonError};

use super::Done;
use super::crew;
use super::draws::{Draws, drain, draw, empty_slots, random};
use super::tally::Tally;

/// Objects of one array.
const SLOTS: u16 = 1024;
/// Least number of times that the arrays change hands; after the last, all objects are freed.
const ROUNDS: u64 = 16;

/// Most objects alive at once, per array.
pub(super) const LIVE_OBJECTS: u64 = SLOTS as u64;

/// `shares` are pairs, one for each thread.
pub(super) fn run(shares: &[u64], size_bytes: u32, seed: u64) -> Result<Done, String> {
    let threads = shares.len();
    let arrays: Vec<_> =
        shares.iter().map(|_| Mutex::new(empty_slots(usize::from(SLOTS)))).collect();
    let barrier = Barrier::new(threads);
    let task = |(thread, &pairs): (usize, &u64)| {
        let place =
            |random: &mut _| u16::try_from(draw(random, u32::from(SLOTS))).expect("below SLOTS");
        // Uniform from one byte to twice the size, so that the mean is the size.
        let size =
            |random: &mut _| 1 + draw(random, size_bytes.saturating_mul(2).saturating_sub(1));
        (thread, pairs, Draws::new(&mut random(seed, thread), place, size))
    };
    crew::run(shares.iter().enumerate().map(task).collect(), |(thread, pairs, mut draws)| {
        let mut tally = Tally::of_thread(thread);
        for round in 0..=ROUNDS {
            // No thread waits for a lock: in each round every array belongs to exactly one thread.
            let array = &arrays[(thread + usize::try_from(round).unwrap_or(0)) % threads];
            let mut slots = array.lock().unwrap_or_else(PoisonError::into_inner);
            if round == ROUNDS {
                drain(&mut slots, &mut tally);
                return tally;
            }
            let pairs_of_round = pairs * (round + 1) / ROUNDS - pairs * round / ROUNDS;
            draws.replace(&mut slots, pairs_of_round, &mut tally);
            drop(slots);
            barrier.wait();
        }
        tally
    })
}
