//! A busy neighbour: a process that uses memory in bursts, about half of the time.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use sys::mapping::{OwnMapping, Policy};
use sys::memory::Memory;

/// The hidden verb that makes this program the neighbour.
pub(crate) const VERB: &str = "neighbour";

/// A running neighbour; it ends when dropped, and with its parent.
pub(crate) struct Neighbour(Child);

impl Neighbour {
    /// Starts a neighbour.
    ///
    /// # Errors
    /// If this program cannot be started again.
    pub(crate) fn start(seed: u64) -> anyhow::Result<Self> {
        let program = sys::process::own_program()?;
        let child = Command::new(program)
            .args([VERB, &std::process::id().to_string(), &seed.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the neighbour")?;
        Ok(Neighbour(child))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Alternates between work and sleep, 50 to 500 ms each, until the parent ends. The work maps,
/// writes and unmaps 64 MiB.
pub(crate) fn be(parent: u32, seed: u64) -> ! {
    const BYTES: usize = 64 << 20;
    sys::process::die_with_parent(parent);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut span = move || Duration::from_millis(50 + random.next_u64() % 450);
    loop {
        let end = Instant::now() + span();
        while Instant::now() < end {
            if let Ok(mut mapping) = OwnMapping::new(BYTES, Policy::Plain) {
                mapping.fill(1);
                mapping.fill(2);
            }
        }
        std::thread::sleep(span());
    }
}
