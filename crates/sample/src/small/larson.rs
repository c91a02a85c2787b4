//! `small-larson`: threads that replace each other's objects.
//!
//! Each thread works on an array of objects, frees those in places that were drawn and obtains
//! others. After each round it hands the array to its neighbour and takes that of another: what the
//! neighbour then frees, this thread had obtained. A server does that whose connections outlive the
//! threads that serve them (Larson and Krishnan 1998). There threads end and others begin; here
//! they stay, since starting a thread costs more than a thousand pairs.

use std::sync::{Barrier, Mutex, PoisonError};

use super::Done;
use super::crew;
use super::draws::{Draws, drain, draw, empty_slots, random};
use super::tally::Tally;

/// Objects of one array.
const SLOTS: u16 = 1024;
/// Times that the arrays change hands, at the least: the last hand-over is followed by freeing all.
const ROUNDS: u64 = 16;

/// So many are alive at most, in each array.
pub(super) const LIVE_OBJECTS: u64 = SLOTS as u64;

/// `shares` are pairs, one for each thread.
pub(super) fn run(shares: &[u64], size_bytes: u32, seed: u64) -> Result<Done, String> {
    let threads = shares.len();
    let arrays: Vec<_> =
        shares.iter().map(|_| Mutex::new(empty_slots(usize::from(SLOTS)))).collect();
    let meeting = Barrier::new(threads);
    let task = |(thread, &pairs): (usize, &u64)| {
        let place = |random: &mut _| {
            u16::try_from(draw(random, u32::from(SLOTS))).expect("less than the slots")
        };
        // Evenly from a byte to twice the size: the mean is the size.
        let size =
            |random: &mut _| 1 + draw(random, size_bytes.saturating_mul(2).saturating_sub(1));
        (thread, pairs, Draws::new(&mut random(seed, thread), place, size))
    };
    crew::run(shares.iter().enumerate().map(task).collect(), |(thread, pairs, mut draws)| {
        let mut tally = Tally::of_thread(thread);
        for round in 0..=ROUNDS {
            // No lock is waited for: at each meeting every array has exactly one thread that turns
            // to it.
            let array = &arrays[(thread + usize::try_from(round).unwrap_or(0)) % threads];
            let mut slots = array.lock().unwrap_or_else(PoisonError::into_inner);
            if round == ROUNDS {
                drain(&mut slots, &mut tally);
                return tally;
            }
            let pairs_of_round = pairs * (round + 1) / ROUNDS - pairs * round / ROUNDS;
            draws.replace(&mut slots, pairs_of_round, &mut tally);
            drop(slots);
            meeting.wait();
        }
        tally
    })
}
