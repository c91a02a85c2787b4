//! What the kernel writes into a ring, as bytes and as what they mean (`perf_event_open(2)`,
//! "Overview of `PERF_RECORD`"; the layouts that [`super::event`] asks for).

use std::num::NonZeroU64;

use perf_event_open_sys::bindings as perf;

/// The kind of a record, its flags and its size.
const HEADER_BYTES: usize = 8;
/// ADDR, CPU, PERIOD.
const MAJOR_UNUSED_BYTES: usize = 24;

/// A thread in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTask {
    /// Its process.
    pub pid: u32,
    /// The thread itself.
    pub tid: u32,
}

/// What the samples of an event hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// Of [`super::event::Watched::FaultBegins`].
    FaultBegins,
    /// Of a completed minor or major fault.
    FaultEnds {
        /// Which of the two.
        major: bool,
        /// With the size of the page: on a kernel since 5.11.
        sized: bool,
    },
    /// Of `raw_syscalls:sys_enter`.
    CallBegins,
    /// Of `raw_syscalls:sys_exit`.
    CallEnds,
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was written, in nanoseconds of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// The thread that was running.
    pub task: RecordTask,
    /// What it says.
    pub kind: RecordKind<'a>,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind<'a> {
    /// A page fault has begun.
    FaultBegins {
        /// The address.
        address: u64,
        /// The instruction.
        ip: u64,
        /// Not in user mode.
        in_kernel: bool,
    },
    /// A page fault is complete.
    FaultEnds {
        /// It had to wait for a device.
        major: bool,
        /// How much memory the entry in the page table maps that was made; `None` where the kernel
        /// does not say.
        page_bytes: Option<NonZeroU64>,
    },
    /// A syscall begins.
    CallBegins {
        /// Its number in the table that belongs to the mode.
        number: u64,
        /// Its registers.
        arguments: [u64; 6],
        /// It was made in 32-bit mode, where numbers mean other calls.
        compat32: bool,
    },
    /// A syscall ends.
    CallEnds {
        /// Its number.
        number: u64,
        /// What it returns.
        result: i64,
    },
    /// The thread came to a processor.
    SwitchIn,
    /// The thread left its processor.
    SwitchOut {
        /// Though it could have gone on.
        preempted: bool,
    },
    /// Another thread was made: it is the record's task.
    Fork {
        /// By this one.
        by: RecordTask,
    },
    /// The thread ended.
    Exit,
    /// The thread has another name.
    Comm {
        /// Because it has another program.
        by_exec: bool,
        /// The name.
        name: &'a [u8],
    },
    /// The process has a mapping.
    Mapped {
        /// The first address.
        start: u64,
        /// How much of it.
        len_bytes: u64,
        /// Where in the file.
        offset_bytes: u64,
        /// The major and minor number of the device that the file is on.
        device: (u32, u32),
        /// The file's inode, or 0.
        inode: u64,
        /// Which file with that inode it is.
        generation: u64,
        /// `PROT_*`.
        protection: u32,
        /// `MAP_SHARED`.
        shared: bool,
        /// Its path, or what the kernel says instead (`//anon`, `[heap]`).
        name: &'a [u8],
    },
    /// Records found no room before this one.
    Lost {
        /// How many.
        records: u64,
    },
}

/// How many samples were not as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anomalies {
    /// Not understood, and passed over.
    pub unparsed: u64,
    /// With the number of another program's event, and so with the time of its clock; or with a
    /// time before that of the record before it, which only another clock can have said: so many at
    /// least.
    pub misattributed: u64,
}

/// Knows which event has which number.
#[derive(Debug, Default, Clone)]
pub struct Format {
    /// By number, ascending.
    events: Vec<(u64, Samples)>,
}

impl Format {
    /// Samples with the number `id` are of this kind from now on.
    pub fn add(&mut self, id: u64, samples: Samples) {
        let at = self.events.partition_point(|&(known, _)| known < id);
        self.events.insert(at, (id, samples));
    }

    fn samples(&self, id: u64) -> Option<Samples> {
        let at = self.events.binary_search_by_key(&id, |&(known, _)| known).ok()?;
        Some(self.events[at].1)
    }

    /// What a sample of `size` bytes is that has the number of somebody else's event. Where several
    /// watch the same page faults, the kernel gives one record's contents to all of them, the
    /// number of the first included (`do_perf_sw_event` of kernel/events/core.c, since Linux 6.1).
    fn samples_of_size(&self, size: usize) -> Option<Samples> {
        self.events.iter().map(|&(_, samples)| samples).find(|samples| samples.size() == Some(size))
    }

    /// Whether samples of completed faults have the size of the page.
    #[must_use]
    pub fn has_page_sizes(&self) -> bool {
        self.events
            .iter()
            .any(|(_, samples)| matches!(samples, Samples::FaultEnds { sized: true, .. }))
    }

    /// Gives each record in `bytes`, which are of one ring, to `each`, in order, and says how many
    /// samples were unparsed or misattributed. What has no meaning for us (throttling, half a
    /// record at the end) is skipped.
    pub fn read<'a>(&self, mut bytes: &'a [u8], mut each: impl FnMut(Record<'a>)) -> Anomalies {
        let (mut anomalies, mut last_ns) = (Anomalies::default(), 0);
        while let Some((record, rest)) = split(bytes) {
            if let Some(record) = self.record(record, &mut anomalies) {
                // What says that records were lost is written before the one that has found room,
                // and later.
                if !matches!(record.kind, RecordKind::Lost { .. }) {
                    anomalies.misattributed += u64::from(record.time_ns < last_ns);
                    last_ns = record.time_ns;
                }
                each(record);
            }
            bytes = rest;
        }
        anomalies
    }

    fn record<'a>(&self, bytes: &'a [u8], anomalies: &mut Anomalies) -> Option<Record<'a>> {
        let mut body = Reader(bytes);
        let (kind, flags) = (body.u32()?, body.u16()?);
        body.u16()?;
        if kind == perf::PERF_RECORD_SAMPLE {
            let sample = self.sample(body, flags, anomalies);
            anomalies.unparsed += u64::from(sample.is_none());
            return sample;
        }
        // The end of every other record: TID, TIME, IDENTIFIER, because sample_id_all is set.
        let end = body.0.len().checked_sub(24)?;
        let (body, mut trailer) = (Reader(&body.0[..end]), Reader(&body.0[end..]));
        let (task, time_ns) = (trailer.task()?, trailer.u64()?);
        other(kind, flags, body, task, time_ns)
    }

    /// IDENTIFIER, IP, TID, TIME, ADDR, CPU, PERIOD, RAW, `REGS_USER`, `DATA_PAGE_SIZE`: in this
    /// order, as far as the event asked for them.
    fn sample<'a>(
        &self,
        mut body: Reader<'a>,
        flags: u16,
        anomalies: &mut Anomalies,
    ) -> Option<Record<'a>> {
        let size = HEADER_BYTES + body.0.len();
        let own = self.samples(body.u64()?);
        let samples = own.or_else(|| self.samples_of_size(size))?;
        anomalies.misattributed += u64::from(own.is_none());
        let ip = if samples == Samples::FaultBegins { body.u64()? } else { 0 };
        let (task, time_ns) = (body.task()?, body.u64()?);
        let kind = match samples {
            Samples::FaultBegins => RecordKind::FaultBegins {
                address: body.u64()?,
                ip,
                in_kernel: u32::from(flags) & perf::PERF_RECORD_MISC_CPUMODE_MASK
                    == perf::PERF_RECORD_MISC_KERNEL,
            },
            Samples::FaultEnds { major, sized } => {
                if major {
                    body.take::<MAJOR_UNUSED_BYTES>()?;
                }
                RecordKind::FaultEnds {
                    major,
                    page_bytes: if sized { NonZeroU64::new(body.u64()?) } else { None },
                }
            }
            Samples::CallBegins => {
                let mut raw = body.raw()?;
                let number = raw.u64()?;
                let mut arguments = [0; 6];
                for argument in &mut arguments {
                    *argument = raw.u64()?;
                }
                let compat32 = body.u64()? == u64::from(perf::PERF_SAMPLE_REGS_ABI_32);
                RecordKind::CallBegins { number, arguments, compat32 }
            }
            Samples::CallEnds => {
                let mut raw = body.raw()?;
                RecordKind::CallEnds { number: raw.u64()?, result: raw.u64()?.cast_signed() }
            }
        };
        Some(Record { time_ns, task, kind })
    }
}

impl Samples {
    /// How long a record of it is, if it is always as long, and differs from others in this.
    fn size(self) -> Option<usize> {
        // IDENTIFIER, TID, TIME.
        let always = HEADER_BYTES + 24;
        match self {
            // IP, ADDR.
            Samples::FaultBegins => Some(always + 16),
            Samples::FaultEnds { major, sized } => Some(
                always + if major { MAJOR_UNUSED_BYTES } else { 0 } + if sized { 8 } else { 0 },
            ),
            Samples::CallBegins | Samples::CallEnds => None,
        }
    }
}

/// The records that are no samples.
fn other(
    kind: u32,
    flags: u16,
    mut body: Reader<'_>,
    task: RecordTask,
    time_ns: u64,
) -> Option<Record<'_>> {
    let misc = u32::from(flags);
    let (task, kind) = match kind {
        perf::PERF_RECORD_SWITCH => (
            task,
            if misc & perf::PERF_RECORD_MISC_SWITCH_OUT == 0 {
                RecordKind::SwitchIn
            } else {
                RecordKind::SwitchOut {
                    preempted: misc & perf::PERF_RECORD_MISC_SWITCH_OUT_PREEMPT != 0,
                }
            },
        ),
        perf::PERF_RECORD_FORK | perf::PERF_RECORD_EXIT => {
            // pid, ppid, tid, ptid
            let (pid, parent) = (body.u32()?, body.u32()?);
            let subject = RecordTask { pid, tid: body.u32()? };
            let by = RecordTask { pid: parent, tid: body.u32()? };
            (
                subject,
                if kind == perf::PERF_RECORD_FORK {
                    RecordKind::Fork { by }
                } else {
                    RecordKind::Exit
                },
            )
        }
        perf::PERF_RECORD_COMM => {
            let renamed = body.task()?;
            (
                renamed,
                RecordKind::Comm {
                    by_exec: misc & perf::PERF_RECORD_MISC_COMM_EXEC != 0,
                    name: body.text(),
                },
            )
        }
        perf::PERF_RECORD_MMAP2 => {
            let owner = body.task()?;
            let (start, len_bytes, offset_bytes) = (body.u64()?, body.u64()?, body.u64()?);
            let device = (body.u32()?, body.u32()?);
            let (inode, generation) = (body.u64()?, body.u64()?);
            let (protection, map_flags) = (body.u32()?, body.u32()?);
            let shared = map_flags & libc::MAP_SHARED.cast_unsigned() != 0;
            (
                owner,
                RecordKind::Mapped {
                    start,
                    len_bytes,
                    offset_bytes,
                    device,
                    inode,
                    generation,
                    protection,
                    shared,
                    name: body.text(),
                },
            )
        }
        perf::PERF_RECORD_LOST => {
            body.u64()?;
            (task, RecordKind::Lost { records: body.u64()? })
        }
        _ => return None,
    };
    Some(Record { time_ns, task, kind })
}

/// The first record of `bytes`, whole, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let size = usize::from(u16::from_ne_bytes([*bytes.get(6)?, *bytes.get(7)?]));
    // A size below a header's would never come to an end.
    if size < 8 { None } else { bytes.split_at_checked(size) }
}

/// Takes fields off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }

    fn task(&mut self) -> Option<RecordTask> {
        Some(RecordTask { pid: self.u32()?, tid: self.u32()? })
    }

    /// What a tracepoint wrote, without its own header of 8 bytes. The field is padded to a
    /// multiple of 8.
    fn raw(&mut self) -> Option<Reader<'a>> {
        let size = self.u32()? as usize;
        let (raw, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(Reader(raw.get(8..)?))
    }

    /// Up to the first NUL.
    fn text(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        &self.0[..end]
    }
}

#[cfg(test)]
mod tests;
