//! The program as a user runs it: real processes, real faults.

mod bad_input;
mod causes;
mod claims;
mod columns;
mod doctor;
mod door;
mod error_codes;
mod experiments;
mod exports;
mod files;
mod floors;
mod full_disk;
mod installed;
mod interrupted;
mod layers;
mod layout;
mod limits;
mod map;
mod measured;
mod moved_mappings;
mod program;
mod small;
mod stages;
mod trace;
mod unharmed;
mod unseen_pages;
