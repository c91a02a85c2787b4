//! What is said about malloc and mmap, put to the test on the machine at hand.
//!
//! Three parts that know little of each other: probes ([`probes`]) find out facts, each in a fresh
//! process of this program; [`facts`] are plain data; [`judge`] makes claims of them and asks the
//! machine nothing, so that facts of any machine can be judged. What stands between is in `gather`:
//! which probes a claim needs, and in which order. Claims about time are measured by the lab.

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

/// What the user wants.
#[derive(Debug, Clone)]
pub struct ClaimsRequest {
    /// Ids of [`catalogue::CLAIMS`].
    pub ids: Vec<&'static str>,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Where files may be made; none is left behind.
    pub folder: PathBuf,
    /// Of the program, for the file.
    pub version: String,
    /// The words for a trace of a probe that is refused: those of `firsttouch trace`.
    pub refusal: fn(collect::Error) -> String,
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimsEvent {
    /// The test of a claim begins: its number, from 1, of how many, and its id.
    Claim(usize, usize, &'static str),
    /// The lab goes on with a measurement for it.
    Lab(lab::BenchEvent),
}

/// Tests the claims one after the other. If the user asks for the end, those that were tested until
/// then are returned.
///
/// # Errors
/// If the program cannot start itself, or a probe cannot say who malloc is.
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
    // Bench moves from processor to processor; what is not bench's may run wherever this process
    // could.
    let cpus = sys::process::allowed_cpus();
    for (index, id) in request.ids.iter().enumerate() {
        let _ = sys::process::allow_cpus(&cpus);
        (gatherer.watch)(ClaimsEvent::Claim(index + 1, request.ids.len(), id));
        match gatherer.test(id) {
            Ok(claim) => claims.claims.push(claim),
            Err(_) => break,
        }
    }
    Ok(claims)
}
