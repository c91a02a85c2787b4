//! The account of a workload: every malloc and every free goes through here.

use sys::Errno;
use sys::object::Object;

/// What one thread, or all together, did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Objects obtained.
    pub(super) allocated: u64,
    /// Objects freed.
    pub(super) freed: u64,
    /// Bytes asked for.
    pub(super) bytes: u64,
    /// Objects that somebody else had written to.
    pub(super) damaged: u64,
    /// Why malloc failed, the last time it did.
    pub(super) failed: Option<Errno>,
    /// Of the next object.
    tag: u32,
}

impl Tally {
    /// Of the thread of that number, whose tags differ from those of the other threads.
    pub(super) fn of_thread(thread: usize) -> Self {
        let thread = u32::try_from(thread).unwrap_or(u32::MAX);
        Tally { tag: thread.wrapping_mul(0x9e37_79b1), ..Tally::default() }
    }

    /// Obtains an object; `None` if malloc fails, which is noted.
    #[inline]
    pub(super) fn malloc(&mut self, size_bytes: u32) -> Option<Object> {
        self.tag = self.tag.wrapping_add(1);
        match Object::new(size_bytes, self.tag) {
            Ok(object) => {
                self.allocated += 1;
                self.bytes += u64::from(object.size_bytes());
                Some(object)
            }
            Err(errno) => {
                self.failed = Some(errno);
                None
            }
        }
    }

    /// Checks and frees what `slot` holds, if anything.
    #[inline]
    pub(super) fn free(&mut self, slot: &mut Option<Object>) {
        if let Some(object) = slot.take() {
            self.damaged += u64::from(!object.is_intact());
            self.freed += 1;
            drop(object);
        }
    }

    /// The sum of both.
    pub(super) fn and(self, other: Tally) -> Tally {
        Tally {
            allocated: self.allocated + other.allocated,
            freed: self.freed + other.freed,
            bytes: self.bytes + other.bytes,
            damaged: self.damaged + other.damaged,
            failed: self.failed.or(other.failed),
            tag: 0,
        }
    }

    /// Whether `pairs` were done, and none of the objects overlapped another.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn judge(&self, pairs: u64) -> Result<(), String> {
        if let Some(errno) = self.failed {
            return Err(format!("malloc: {errno}"));
        }
        if self.damaged > 0 {
            return Err(format!(
                "the allocator gave the same bytes away twice: {} of {} objects had been written to by others",
                self.damaged, self.allocated
            ));
        }
        if (self.allocated, self.freed) != (pairs, pairs) {
            return Err(format!(
                "{} objects obtained and {} freed instead of {pairs}",
                self.allocated, self.freed
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_object_and_a_missing_one_are_told() {
        let tally = Tally { allocated: 3, freed: 3, ..Tally::default() };
        assert!(tally.judge(3).is_ok());
        assert!(Tally { damaged: 1, ..tally }.judge(3).unwrap_err().contains("twice: 1 of 3"));
        assert!(Tally { freed: 2, ..tally }.judge(3).unwrap_err().contains("2 freed instead of 3"));
        assert!(
            Tally { failed: Some(Errno::NO_MEMORY), ..tally }
                .judge(3)
                .unwrap_err()
                .contains("ENOMEM")
        );
    }
}
