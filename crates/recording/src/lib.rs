//! The stream of [`events`] as bytes and back: the file `*.ft`. docs/recording-format.md describes
//! every byte of it.
//!
//! ```text
//!   file header    magic, version
//!   chunk Start    events::Header and About
//!   chunk ...      definitions, observed events, calls of a thread, counts, switches: in any
//!                  order, definitions before the first chunk that uses them
//!   chunk Summary  what the recorder knows at the end   \
//!   chunk Index    where every chunk is                  } absent in a file that was cut
//!   chunk End      where the index is                   /
//! ```
//! A recorder makes chunks in memory ([`CallsEncoder`] for the calls of one thread,
//! [`encode_batch`] for everything else) and appends them with a [`Writer`]. A chunk can be read
//! without any other, except that its events refer to definitions. A [`Reader`] returns all of them
//! as one stream in the order of beginnings. Neither knows paths, clocks or processes.

mod about;
mod bytes;
mod calls;
mod chunk;
mod columns;
mod definitions;
mod dictionary;
mod index;
mod mapping_rules;
mod observed;
mod pauses;
mod reader;
mod redaction;
mod thinned;
mod thinner;
mod writer;

pub use about::{About, CutReason, ProbeCounts, RecordingSummary, encode_counts};
pub use calls::CallsEncoder;
pub use chunk::{Chunk, FILE_MAGIC, SourceId};
pub use mapping_rules::MappingRules;
pub use observed::encode_batch;
pub use pauses::{RecordingSwitch, encode_switch};
pub use reader::{Damage, ReadError, Reader};
pub use redaction::Redaction;
pub use thinned::{encode_call_counts, encode_thinning};
pub use thinner::{ProcessImage, Thinner};
pub use writer::Writer;
