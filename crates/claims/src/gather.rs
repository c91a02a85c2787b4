//! Runs probes and passes their facts to the judges. One function per claim.

mod allocator;
mod files;
mod layout;
mod paging;
mod timed;

use std::path::PathBuf;

use results::claims::Claim;

use crate::ask::{Asker, Trouble, pick};
use crate::catalogue::cannot;
use crate::facts::Identity;
use crate::judge;
use crate::judge::layout::Layouts;
use crate::protocol::ProbeTask;
use crate::{ClaimsEvent, ClaimsRequest};

/// State shared by all claims.
pub(crate) struct Gatherer<'a> {
    pub(crate) asker: Asker,
    pub(crate) who: Identity,
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    /// Formats the error when tracing is refused.
    pub(crate) refusal: fn(collect::Error) -> String,
    pub(crate) watch: &'a mut dyn FnMut(ClaimsEvent),
    /// Layouts of the same processes, for two claims.
    layouts: Option<Layouts>,
}

impl<'a> Gatherer<'a> {
    /// Runs the first probe: which allocator malloc is.
    pub(crate) fn new(
        asker: Asker,
        request: &ClaimsRequest,
        watch: &'a mut dyn FnMut(ClaimsEvent),
    ) -> Result<Self, Trouble> {
        let who = asker.ask(ProbeTask::Identify, pick!(Identity))?;
        let ClaimsRequest { ref folder, seed, refusal, .. } = *request;
        Ok(Gatherer { asker, who, folder: folder.clone(), seed, refusal, watch, layouts: None })
    }

    /// Tests the claim `id`.
    ///
    /// # Errors
    /// [`Trouble::Interrupted`] only.
    pub(crate) fn test(&mut self, id: &str) -> Result<Claim, Trouble> {
        let tested = match id {
            "demand-paging" => self.demand_paging(),
            "file-demand-paging" => self.file_demand_paging(),
            "zero-fill" => self.zero_fill(),
            "malloc-is-lazy" => self.malloc_is_lazy(),
            "brk-or-mmap" => self.brk_or_mmap(),
            "program-break" => self.program_break(),
            "thread-arenas" => self.thread_arenas(),
            "aslr-gap" => self.aslr_gap(),
            "mmap-between" => self.mmap_between(),
            "shared" => self.shared(),
            "malloc-varies" => self.malloc_varies(),
            "malloc-slower" => self.malloc_slower(),
            "large-equal" => self.large_equal(),
            "map-or-copy" => self.map_or_copy(),
            "syscalls-seen" => self.syscalls_seen(),
            _ => Ok(judge::portability::less_portable()),
        };
        match tested {
            Err(Trouble::Failed(why)) => Ok(cannot(id, why)),
            other => other,
        }
    }
}
