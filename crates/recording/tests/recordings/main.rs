//! Recordings come back as they were written, in one order, and a damaged one as far as it is
//! intact.

mod damage;
mod order;
mod round_trip;
mod streams;
