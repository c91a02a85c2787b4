//! The counts of a workload: every malloc and every free goes through here.

use sys::Errno;
use sys::object::Object;

/// The counts of one thread, or of all together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Objects obtained.
    pub(super) allocated: u64,
    /// Objects freed.
    pub(super) freed: u64,
    /// Bytes requested.
    pub(super) bytes: u64,
    /// Objects that another owner had written to.
    pub(super) damaged: u64,
    /// The errno of the last malloc that failed.
    pub(super) failed: Option<Errno>,
    /// The tag of the next object.
    tag: u32,
}

impl Tally {
    /// The tally of thread number `thread`, whose tags differ from those of other threads.
    pub(super) fn of_thread(thread: usize) -> Self {
        let thread = u32::try_from(thread).unwrap_or(u32::MAX);
        Tally { tag: thread.wrapping_mul(0x9e37_79b1), ..Tally::default() }
    }

    /// Obtains an object; `None` if malloc fails, which is recorded.
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

    /// Checks and frees the object in `slot`, if any.
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

    /// Checks that `pairs` were done, and that no object overlapped another.
    ///
    /// # Errors
    /// A message that says what is wrong.
    pub(super) fn judge(&self, pairs: u64) -> Result<(), String> {
        if let Some(errno) = self.failed {
            return Err(format!("malloc: {errno}"));
        }
        if self.damaged > 0 {
            return Err(format!(
                "the allocator returned the same bytes twice: {} of {} objects were overwritten",
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
    fn damaged_and_missing_objects_are_reported() {
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
