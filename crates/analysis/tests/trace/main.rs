//! A trace told from injected events: what is mapped where, and why pages faulted.

mod causes;
mod cost;
mod files;
mod folding;
mod model;
mod naming;
mod sharing;
mod table;
mod teller;
