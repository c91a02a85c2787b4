//! The nodes of stacks: a hash table that only grows. A node is a frame and the node of its caller;
//! its number is its place. Tables follow each other, each larger than the one before, so that a
//! program with few stacks touches few pages.

use crate::header::HEADER_WORDS;

/// The number of nodes of each table: powers of two.
pub const TABLES: [usize; 4] = [1 << 11, 1 << 13, 1 << 16, 1 << 19];
/// A node is at one of this number of places, from its [`home`] on, or in the next table.
pub const PROBES: usize = 8;
/// The number of all nodes. A number below is a node, except 0, which is the end of every stack.
pub const NODES: usize = TABLES[0] + TABLES[1] + TABLES[2] + TABLES[3];
/// The number of words of a node: its address, then its caller's number and the mark of a node that
/// is complete.
pub const WORDS: usize = 2;
/// The first word after the nodes.
pub const END: usize = HEADER_WORDS + NODES * WORDS;

/// The first node of each table.
#[must_use]
pub fn first_of(table: usize) -> usize {
    TABLES.iter().take(table).sum()
}

/// The word of a node's address; the next one is that of its caller.
#[must_use]
pub fn word(node: usize) -> usize {
    HEADER_WORDS + node * WORDS
}

/// The second word of a complete node.
#[must_use]
pub fn caller_word(caller: u32) -> u64 {
    u64::from(caller) | COMPLETE
}

/// The caller's number from the second word; `None` if the node is not complete.
#[must_use]
pub fn caller(word: u64) -> Option<u32> {
    (word & COMPLETE != 0).then(|| crate::low(word))
}

const COMPLETE: u64 = 1 << 32;

/// Where the search for a node begins, in a table of `nodes` nodes.
#[must_use]
pub fn home(caller: u32, address: u64, nodes: usize) -> usize {
    let mixed = (address ^ (u64::from(caller) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ u64::from(caller)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed >> 40) as usize & (nodes - 1)
}
