//! The messages: a process that starts says hello, and gets the shared memory as a descriptor with
//! its geometry.

/// What a process says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// [`crate::VERSION`].
    pub version: u64,
    /// Its id, as it numbers itself.
    pub pid: u32,
    /// How much address space it may have, in bytes (`RLIMIT_AS`).
    pub address_space_bytes_max: u64,
}

/// The length of the messages, in bytes.
pub const BYTES: usize = 24;

impl Hello {
    /// As bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BYTES] {
        words([self.version, u64::from(self.pid), self.address_space_bytes_max])
    }

    /// From bytes; `None`: another version, or not a hello.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Hello> {
        let [version, pid, address_space_bytes_max] = parse(bytes)?;
        let pid = u32::try_from(pid).ok()?;
        (version == crate::VERSION).then_some(Hello { version, pid, address_space_bytes_max })
    }
}

/// The shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// [`crate::VERSION`].
    pub version: u64,
    /// The number of units.
    pub units: u64,
    /// The number of words of the whole memory.
    pub words: u64,
}

impl Geometry {
    /// As bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BYTES] {
        words([self.version, self.units, self.words])
    }

    /// From bytes; `None`: another version, or not a geometry.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Geometry> {
        let [version, units, words] = parse(bytes)?;
        let all = usize::try_from(units).ok().map(crate::unit::words)?;
        let fits = version == crate::VERSION && units > 0 && all as u64 == words;
        fits.then_some(Geometry { version, units, words })
    }
}

fn words(all: [u64; 3]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, word) in bytes.chunks_exact_mut(8).zip(all) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn parse(bytes: &[u8]) -> Option<[u64; 3]> {
    if bytes.len() != BYTES {
        return None;
    }
    let mut all = [0; 3];
    for (word, place) in all.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(place.try_into().ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_and_read_back() {
        let hello = Hello { version: crate::VERSION, pid: 7, address_space_bytes_max: u64::MAX };
        assert_eq!(Hello::from_bytes(&hello.to_bytes()), Some(hello));
        let words = crate::unit::words(3) as u64;
        let geometry = Geometry { version: crate::VERSION, units: 3, words };
        assert_eq!(Geometry::from_bytes(&geometry.to_bytes()), Some(geometry));
    }

    #[test]
    fn other_messages_are_refused() {
        let other = Hello { version: 0, pid: 7, address_space_bytes_max: 0 };
        assert_eq!(Hello::from_bytes(&other.to_bytes()), None);
        let wrong = Geometry { version: crate::VERSION, units: 3, words: 8 };
        assert_eq!(Geometry::from_bytes(&wrong.to_bytes()), None);
        assert_eq!(Hello::from_bytes(&[0; 5]), None);
    }
}
