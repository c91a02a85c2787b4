//! Runs a program, or attaches to one, and gathers what it does to memory: events in time order.
