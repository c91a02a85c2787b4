//! Finds out which ways of observing this user has, and what is not available.

use sys::Errno;
use sys::tracefs::Tracefs;

use crate::calls::Numbers;
use crate::options::{CallSource, Error, Notice, Options};
use crate::perf::own_cost;
use crate::perf::rings::{Rings, Wanted};

/// The sources that could be opened.
pub(crate) struct Access {
    pub(crate) rings: Option<Rings>,
    /// Whether syscalls must be observed by stopping the program.
    pub(crate) by_ptrace: bool,
    /// The time of a memory syscall before tracepoints were opened, if they were.
    pub(crate) bare_call_ns: Option<i64>,
    pub(crate) notices: Vec<Notice>,
}

impl Access {
    /// Opens the events of `threads`, from their next exec on or at once: with tracepoints if they
    /// are allowed, with faults in kernel mode if those are, and otherwise with what an ordinary
    /// user may see.
    ///
    /// # Errors
    /// [`Error::Tracepoints`] if tracepoints were requested and are refused; [`Error::Nothing`] if
    /// nothing else can be observed either.
    pub(crate) fn gain(
        options: Options,
        threads: &[u32],
        from_exec: bool,
        numbers: &Numbers,
    ) -> Result<Self, Error> {
        let cpus = sys::facts::online_cpus().unwrap_or_else(sys::process::allowed_cpus);
        let tracepoints = match options.calls {
            CallSource::Best | CallSource::Tracepoints => Some(tracepoints()),
            CallSource::Ptrace | CallSource::Off => None,
        };
        let wanted = |calls, user_mode_only| Wanted {
            faults: options.faults,
            calls,
            user_mode_only,
            from_exec,
        };
        let open = |wanted: &Wanted| open(wanted, threads, &cpus);

        let mut notices = Vec::new();
        let mut refusal = None;
        if let Some(tracepoints) = tracepoints {
            let opened = tracepoints.and_then(|(enter, exit)| {
                let [starts, ends] = numbers.filters();
                let bare_call_ns = own_cost::bare_call_ns();
                let calls = Some([(enter, starts), (exit, ends)]);
                Ok((open(&wanted(calls, false))?, Some(bare_call_ns)))
            });
            match opened {
                Ok((rings, bare_call_ns)) => {
                    let rings = Some(rings);
                    return Ok(Access { rings, by_ptrace: false, bare_call_ns, notices });
                }
                Err(errno) if options.calls == CallSource::Tracepoints => {
                    return Err(Error::Tracepoints(errno));
                }
                Err(errno) => refusal = Some(errno),
            }
        }
        let by_ptrace = options.calls != CallSource::Off;
        notices.extend(refusal.map(Notice::Ptrace));
        let rings = match open(&wanted(None, false)).or_else(|_| {
            let rings = open(&wanted(None, true))?;
            notices.extend(options.faults.then_some(Notice::UserModeOnly));
            Ok(rings)
        }) {
            Ok(rings) => Some(rings),
            Err(errno) if by_ptrace => {
                notices.push(Notice::NoPerf(errno));
                None
            }
            Err(errno) => return Err(Error::Nothing(errno)),
        };
        Ok(Access { rings, by_ptrace, bare_call_ns: None, notices })
    }

    /// Records that the program cannot be stopped at its syscalls, and why.
    ///
    /// # Errors
    /// [`Error::Nothing`] if nothing else can be observed.
    pub(crate) fn do_without_calls(&mut self, errno: Errno, faults: bool) -> Result<(), Error> {
        if self.rings.is_none() || !faults {
            return Err(Error::Nothing(errno));
        }
        self.by_ptrace = false;
        self.notices.retain(|notice| !matches!(notice, Notice::Ptrace(_)));
        self.notices.push(Notice::NoCalls(errno));
        Ok(())
    }
}

/// The ids of the two tracepoints that all syscalls pass. Separate tracepoints for each syscall
/// would fire less often, but the kernel takes some 40 ms to end each, one after the other.
fn tracepoints() -> Result<(u64, u64), Errno> {
    let tracefs = Tracefs::open()?;
    Ok((tracefs.id("raw_syscalls/sys_enter")?, tracefs.id("raw_syscalls/sys_exit")?))
}

fn open(wanted: &Wanted, threads: &[u32], cpus: &[u32]) -> Result<Rings, Errno> {
    let (&first, others) = threads.split_first().ok_or(Errno::NO_PROCESS)?;
    let mut rings = Rings::open(wanted, first, cpus)?;
    for &tid in others {
        match rings.add(tid) {
            // The thread has ended since the list was read.
            Ok(()) | Err(Errno::NO_PROCESS) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(rings)
}
