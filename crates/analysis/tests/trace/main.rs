//! A trace told from injected events: what is mapped where, and why pages faulted.

mod causes;
mod cost;
mod folding;
mod model;
mod naming;
mod table;
mod teller;
