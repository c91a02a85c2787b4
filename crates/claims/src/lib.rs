//! Tests common claims about malloc and mmap on this machine.
//!
//! - [`probes`] collect facts, each in a fresh process of this program;
//! - [`facts`] are plain data;
//! - [`judge`] turns facts into claims. It does not look at the machine, so tests can judge facts
//!   of any machine;
//! - `gather` runs the probes that a claim needs, in order;
//! - the lab measures the claims about time.

mod ask;
pub mod catalogue;
pub mod facts;
mod gather;
pub mod judge;
pub mod probes;
pub mod protocol;
mod trace;
mod wording;

use std::io;
use std::path::PathBuf;

use results::claims::{Claims, SCHEMA, Tested};
use sys::interrupt::Interrupt;

pub use probes::probe_main;

use ask::{Asker, Trouble};
use gather::Gatherer;

/// The request of the user.
#[derive(Debug, Clone)]
pub struct ClaimsRequest {
    /// Ids of [`catalogue::CLAIMS`].
    pub ids: Vec<&'static str>,
    /// The seed of every random choice.
    pub seed: u64,
    /// The folder for temporary files; none is left behind.
    pub folder: PathBuf,
    /// Version of the program, for the file.
    pub version: String,
    /// Formats the error when tracing a probe is refused, in the words of `firsttouch trace`.
    pub refusal: fn(collect::Error) -> String,
}

/// Progress of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimsEvent {
    /// The test of a claim begins: its number from 1, the number of claims, and its id.
    Claim(usize, usize, &'static str),
    /// Progress of the lab's measurement for the claim.
    Lab(lab::BenchEvent),
}

/// Tests the claims one after the other. After an interrupt, returns the claims tested so far.
///
/// # Errors
/// If the program cannot start itself, or the first probe (which allocator malloc is) fails.
pub fn test(
    request: &ClaimsRequest,
    interrupt: Interrupt,
    watch: &mut dyn FnMut(ClaimsEvent),
) -> io::Result<Claims> {
    let mut claims = Claims {
        schema: SCHEMA.to_owned(),
        version: request.version.clone(),
        seed: request.seed,
        machine: Tested::default(),
        claims: Vec::new(),
        untested: Vec::new(),
    };
    let asker = Asker::new(interrupt)?;
    let mut gatherer = match Gatherer::new(asker, request, watch) {
        Ok(gatherer) => gatherer,
        Err(Trouble::Interrupted) => return Ok(claims),
        Err(Trouble::Failed(why)) => return Err(io::Error::other(why)),
    };
    claims.machine = Tested {
        kernel: Some(sys::machine::kernel_release()),
        libc: gatherer.who.libc.clone(),
        malloc: gatherer.who.malloc.clone(),
        thp: gatherer.who.thp.clone(),
        page_bytes: gatherer.who.page_bytes as u64,
    };
    // Bench binds this process to single processors; other probes may use every processor that was
    // allowed at the start.
    let cpus = sys::process::allowed_cpus();
    for (index, id) in request.ids.iter().enumerate() {
        let _ = sys::process::allow_cpus(&cpus);
        (gatherer.watch)(ClaimsEvent::Claim(index + 1, request.ids.len(), id));
        let Ok(claim) = gatherer.test(id) else {
            claims.untested = request.ids[index..].iter().map(|&id| id.to_owned()).collect();
            break;
        };
        claims.claims.push(claim);
    }
    Ok(claims)
}
