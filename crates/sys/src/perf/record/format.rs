//! Parses the records of a ring.

use std::num::NonZeroU64;

use perf_event_open_sys::bindings as perf;

use super::{Anomalies, Record, RecordKind, RecordTask, Samples, mode};

/// The kind of a record, its flags and its size.
const HEADER_BYTES: usize = 8;
/// ADDR, CPU, PERIOD.
const MAJOR_UNUSED_BYTES: usize = 24;

/// Maps the ids of events to the contents of their samples.
#[derive(Debug, Default, Clone)]
pub struct Format {
    /// By id, ascending.
    events: Vec<(u64, Samples)>,
}

impl Format {
    /// Samples with `id` have these contents from now on.
    pub fn add(&mut self, id: u64, samples: Samples) {
        let at = self.events.partition_point(|&(known, _)| known < id);
        self.events.insert(at, (id, samples));
    }

    fn samples(&self, id: u64) -> Option<Samples> {
        let at = self.events.binary_search_by_key(&id, |&(known, _)| known).ok()?;
        Some(self.events[at].1)
    }

    /// The contents of a sample of `size` bytes that has the id of another program's event. If
    /// several events watch the same page faults, the kernel writes the same data to all of them,
    /// including the id of the first (`do_perf_sw_event` in kernel/events/core.c, since Linux 6.1).
    fn samples_of_size(&self, size: usize) -> Option<Samples> {
        self.events.iter().map(|&(_, samples)| samples).find(|samples| samples.size() == Some(size))
    }

    /// Whether samples of faults include the size of the page.
    #[must_use]
    pub fn has_page_sizes(&self) -> bool {
        self.events
            .iter()
            .any(|(_, samples)| matches!(samples, Samples::FaultEnds { sized: true, .. }))
    }

    /// Passes each record in `bytes`, which come from one ring, to `each`, in order, and returns
    /// how many samples were unparsed or misattributed. Other records (throttling) and an
    /// incomplete one at the end are skipped.
    pub fn read<'a>(&self, mut bytes: &'a [u8], mut each: impl FnMut(Record<'a>)) -> Anomalies {
        let (mut anomalies, mut last_ns) = (Anomalies::default(), 0);
        while let Some((record, rest)) = split(bytes) {
            if let Some(record) = self.record(record, &mut anomalies) {
                // A record of losses stands before the next record that fits, but has a later time:
                // it is not compared.
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
        // Every record but a sample ends with TID, TIME, IDENTIFIER, because sample_id_all is set.
        let end = body.0.len().checked_sub(24)?;
        let (body, mut trailer) = (Reader(&body.0[..end]), Reader(&body.0[end..]));
        let (task, time_ns) = (trailer.task()?, trailer.u64()?);
        other(kind, flags, body, task, time_ns)
    }

    /// IDENTIFIER, IP, TID, TIME, ADDR, CPU, PERIOD, RAW, `REGS_USER`, `DATA_PAGE_SIZE`: in this
    /// order, as far as the event requested them.
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
        let ip = if matches!(samples, Samples::FaultBegins { .. }) { body.u64()? } else { 0 };
        let (task, time_ns) = (body.task()?, body.u64()?);
        let kind = match samples {
            Samples::FaultBegins { sized } => RecordKind::FaultBegins {
                address: body.u64()?,
                ip,
                in_kernel: u32::from(flags) & perf::PERF_RECORD_MISC_CPUMODE_MASK
                    == perf::PERF_RECORD_MISC_KERNEL,
                present: if sized { Some(body.u64()? != 0) } else { None },
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
                let compat32 = match u32::try_from(body.u64()?).ok()? {
                    perf::PERF_SAMPLE_REGS_ABI_NONE => false,
                    abi => {
                        let mut registers = [0; mode::COUNT];
                        for register in &mut registers {
                            *register = body.u64()?;
                        }
                        abi == perf::PERF_SAMPLE_REGS_ABI_32
                            || mode::is_narrow(registers, &arguments)
                    }
                };
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
    /// The size of its record, if it is fixed and no other record has the same.
    fn size(self) -> Option<usize> {
        // IDENTIFIER, TID, TIME.
        let always = HEADER_BYTES + 24;
        match self {
            // IP, ADDR.
            Samples::FaultBegins { sized } => Some(always + 16 + if sized { 8 } else { 0 }),
            Samples::FaultEnds { major, sized } => Some(
                always + if major { MAJOR_UNUSED_BYTES } else { 0 } + if sized { 8 } else { 0 },
            ),
            Samples::CallBegins | Samples::CallEnds => None,
        }
    }
}

/// The records other than samples.
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
        perf::PERF_RECORD_MMAP2 => (body.task()?, mapped(&mut body)?),
        perf::PERF_RECORD_LOST => {
            body.u64()?;
            (task, RecordKind::Lost { records: body.u64()? })
        }
        _ => return None,
    };
    Some(Record { time_ns, task, kind })
}

/// `PERF_RECORD_MMAP2` after its task.
fn mapped<'a>(body: &mut Reader<'a>) -> Option<RecordKind<'a>> {
    let (start, len_bytes, offset_bytes) = (body.u64()?, body.u64()?, body.u64()?);
    let device = (body.u32()?, body.u32()?);
    let (inode, generation) = (body.u64()?, body.u64()?);
    let (protection, map_flags) = (body.u32()?, body.u32()?);
    Some(RecordKind::Mapped {
        start,
        len_bytes,
        offset_bytes,
        device,
        inode,
        generation,
        protection,
        shared: map_flags & libc::MAP_SHARED.cast_unsigned() != 0,
        name: body.text(),
    })
}

/// Splits off the first record, if it is complete.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let size = usize::from(u16::from_ne_bytes([*bytes.get(6)?, *bytes.get(7)?]));
    // A size below a header's would loop forever.
    if size < 8 { None } else { bytes.split_at_checked(size) }
}

/// Reads fields from the front.
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

    /// The data of a tracepoint, without its header of 8 bytes. The field is padded to a multiple
    /// of 8.
    fn raw(&mut self) -> Option<Reader<'a>> {
        let size = self.u32()? as usize;
        let (raw, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(Reader(raw.get(8..)?))
    }

    /// The bytes up to the first NUL.
    fn text(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        &self.0[..end]
    }
}
