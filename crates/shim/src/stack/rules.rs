//! How to get from a frame to its caller, for an instruction: a rule in a word, and a table of the
//! rules that were needed.

use core::sync::atomic::{AtomicU64, Ordering};

use super::cfi;

/// How to unwind a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule(u64);

/// How the canonical frame address (CFA) of a frame is found: the stack pointer of its caller. The
/// return address is in the word below it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The stack pointer, and an offset.
    FromSp,
    /// The frame pointer, and an offset.
    FromFp,
    /// The word at the frame pointer and an offset: a function that aligns its stack.
    AtFp,
    /// The kernel's frame of a signal handler.
    Signal,
    /// The outermost frame.
    End,
    /// Code without unwind information: its frame pointer may lead to its caller.
    Chain,
    /// A rule that is not supported.
    None,
}

const KINDS: [Kind; 7] =
    [Kind::FromSp, Kind::FromFp, Kind::AtFp, Kind::Signal, Kind::End, Kind::Chain, Kind::None];
const OFFSET_BITS: u32 = 24;
const FP_SAVED: u64 = 1 << 56;

impl Rule {
    /// A rule of this kind without offsets.
    pub(super) fn of(kind: Kind) -> Rule {
        Rule(kind as u64 + 1)
    }

    /// A rule with the offset of the CFA, and that of the saved frame pointer from the CFA (from
    /// the frame pointer, if the CFA is in memory), in bytes. `None`: they do not fit.
    pub(super) fn new(kind: Kind, cfa: i64, fp: Option<i64>) -> Option<Rule> {
        let mut word = Rule::of(kind).0 | packed(cfa)? << 8;
        if let Some(offset) = fp {
            word |= FP_SAVED | packed(offset)? << (8 + OFFSET_BITS);
        }
        Some(Rule(word))
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        KINDS.get((self.0 & 0xff) as usize - 1).copied().unwrap_or(Kind::None)
    }

    /// The offset of the CFA, in bytes.
    #[inline]
    pub(super) fn cfa(self) -> isize {
        unpacked(self.0 >> 8)
    }

    /// The offset of the saved frame pointer; `None`: it is in its register still.
    #[inline]
    pub(super) fn fp(self) -> Option<isize> {
        (self.0 & FP_SAVED != 0).then(|| unpacked(self.0 >> (8 + OFFSET_BITS)))
    }

    /// Whether the CFA is found through the frame pointer.
    #[inline]
    pub(super) fn needs_fp(self) -> bool {
        matches!(self.kind(), Kind::FromFp | Kind::AtFp | Kind::Chain)
    }
}

fn packed(offset: i64) -> Option<u64> {
    let words = offset / 8;
    let fits = offset % 8 == 0 && (-(1 << 23)..1 << 23).contains(&words);
    fits.then_some(words.cast_unsigned() & ((1 << OFFSET_BITS) - 1))
}

#[inline]
fn unpacked(word: u64) -> isize {
    let shifted = (word << (64 - OFFSET_BITS)).cast_signed();
    ((shifted >> (64 - OFFSET_BITS)) * 8) as isize
}

/// The places of the first table, and of the second, which has the rules whose place in the first
/// is taken: a program with little code touches few pages.
const PLACES: [usize; 2] = [1 << 9, 1 << 14];

/// Each place has an address exclusive-or its rule, and the rule: a pair of which another thread
/// has written one half belongs to no address that anyone asks for.
type Place = [AtomicU64; 2];

static FIRST: [Place; PLACES[0]] = [const { [const { AtomicU64::new(0) }; 2] }; PLACES[0]];
static SECOND: [Place; PLACES[1]] = [const { [const { AtomicU64::new(0) }; 2] }; PLACES[1]];

/// The rule of the instruction at `address`.
#[inline]
pub(super) fn of(address: u64) -> Rule {
    let mixed = (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
    let (first, second) = (&FIRST[mixed % PLACES[0]], &SECOND[mixed % PLACES[1]]);
    let rule = first[1].load(Ordering::Relaxed);
    if first[0].load(Ordering::Relaxed) ^ rule == address && rule != 0 {
        return Rule(rule);
    }
    of_second(address, if rule == 0 { first } else { second })
}

/// The rule at `place`, or the rule that is put there.
fn of_second(address: u64, place: &Place) -> Rule {
    let [key, rule] = place;
    let known = rule.load(Ordering::Relaxed);
    if known != 0 && key.load(Ordering::Relaxed) ^ known == address {
        return Rule(known);
    }
    let found = cfi::rule(address);
    rule.store(found.0, Ordering::Relaxed);
    key.store(address ^ found.0, Ordering::Relaxed);
    found
}

static GENERATION: AtomicU64 = AtomicU64::new(1);

/// How often code was unloaded, and one more.
#[inline]
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Forgets all rules.
pub(super) fn forget() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    for [key, rule] in FIRST.iter().chain(&SECOND) {
        if rule.load(Ordering::Relaxed) != 0 {
            rule.store(0, Ordering::Relaxed);
            key.store(0, Ordering::Relaxed);
        }
    }
}
