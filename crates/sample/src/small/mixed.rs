//! `small-mixed`: sizes from a skewed distribution, lifetimes drawn.
//!
//! Programs allocate small objects far more often than large ones, and free most objects soon
//! (Barrett and Zorn, "Using lifetime predictors to improve memory allocation performance", 1993).
//! The shares below have that shape, but are made up, not taken from a trace of a program.

use rand_xoshiro::Xoshiro256PlusPlus;
use sys::object::Object;

use super::Done;
use super::crew;
use super::draws::{Draws, drain, draw, empty_slots, random};
use super::tally::Tally;

/// Places for objects: the most that can be alive at once.
const SLOTS: u32 = 4096;
/// The places among them whose objects are replaced soon.
const YOUNG: u32 = 64;
/// Of eight objects, how many go to the young places.
const YOUNG_OF_EIGHT: u32 = 7;

/// Size classes: of a thousand objects, how many belong to the class, and its upper bound in
/// eighths of the requested size.
const CLASSES: [(u32, u64); 8] =
    [(150, 2), (200, 4), (250, 8), (200, 16), (110, 32), (60, 64), (20, 128), (10, 512)];

/// The live objects as a number of objects of the requested size: a drawn size is twice that on
/// average.
pub(super) const LIVE_OBJECTS: u64 = 2 * SLOTS as u64;

/// `shares` are pairs, one for each thread.
pub(super) fn run(shares: &[u64], size_bytes: u32, seed: u64) -> Result<Done, String> {
    let task = |(thread, &pairs): (usize, &u64)| {
        let draws = Draws::new(&mut random(seed, thread), place, |random| size(random, size_bytes));
        (thread, pairs, draws, empty_slots(SLOTS as usize))
    };
    crew::run(
        shares.iter().enumerate().map(task).collect(),
        |(thread, pairs, mut draws, mut slots)| {
            let mut tally = Tally::of_thread(thread);
            draws.replace(&mut slots, pairs, &mut tally);
            drain(&mut slots, &mut tally);
            tally
        },
    )
}

fn place(random: &mut Xoshiro256PlusPlus) -> u16 {
    let young = draw(random, 8) < YOUNG_OF_EIGHT;
    u16::try_from(draw(random, if young { YOUNG } else { SLOTS })).expect("below SLOTS")
}

/// A size: a class by its share, and uniform within it.
fn size(random: &mut Xoshiro256PlusPlus, size_bytes: u32) -> u32 {
    let bytes =
        |eighths: u64| u32::try_from(u64::from(size_bytes) * eighths / 8).unwrap_or(u32::MAX);
    let mut left = draw(random, 1000);
    let mut low = 0_u32;
    for (share, eighths) in CLASSES {
        if left < share {
            return low
                .saturating_add(1 + draw(random, bytes(eighths).saturating_sub(low)))
                .max(Object::BYTES_MIN);
        }
        left -= share;
        low = bytes(eighths);
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_places_have_the_documented_skew() {
        let mut random = random(1, 0);
        assert_eq!(CLASSES.iter().map(|class| class.0).sum::<u32>(), 1000);
        let mut sizes: Vec<u32> = (0..20_000).map(|_| size(&mut random, 64)).collect();
        sizes.sort_unstable();
        let (smallest, median, largest) = (sizes[0], sizes[10_000], sizes[19_999]);
        assert!(
            smallest >= 8 && (32..=64).contains(&median) && largest <= 64 * 64,
            "{smallest} {median} {largest}"
        );
        let share = sizes.partition_point(|size| *size <= 64) as f64 / 20_000.0;
        assert!((share - 0.6).abs() < 0.02, "{share}");
        let young =
            (0..20_000).filter(|_| u32::from(place(&mut random)) < YOUNG).count() as f64 / 20_000.0;
        assert!((young - 0.877).abs() < 0.02, "{young}");
    }
}
