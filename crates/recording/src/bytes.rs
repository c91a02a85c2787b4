//! Numbers and texts as bytes: varints, and a cursor that believes nothing.

/// Bytes that are not what they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Appends `value`, 7 bits a byte, the lowest first; the highest bit of a byte says that more
/// follow (LEB128).
#[inline]
pub(crate) fn put(column: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        column.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    column.push((value & 0x7f) as u8);
}

/// A column that is written by the million. Varints of one or two bytes are written without a
/// branch between them, which a processor could not predict.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// With room behind `len`.
    bytes: Vec<u8>,
    len: usize,
}

impl Output {
    /// Appends a varint, as [`put`].
    #[expect(clippy::inline_always, reason = "half of the time of encoding is spent here")]
    #[inline(always)]
    pub(crate) fn put(&mut self, value: u64) {
        if value >= 1 << 14 {
            return self.put_long(value);
        }
        let has_second = value >= 0x80;
        let low = value & 0x7f | u64::from(has_second) << 7;
        let pair = ((low | value >> 7 << 8) & 0xffff) as u16;
        let Some(room) = self.bytes.get_mut(self.len..self.len + 2) else {
            return self.put_long(value);
        };
        room.copy_from_slice(&pair.to_le_bytes());
        self.len += 1 + usize::from(has_second);
    }

    /// Appends a varint below 128. For values that hardly ever are larger, so that a branch before
    /// it is predicted.
    #[inline]
    pub(crate) fn put_byte(&mut self, value: u64) {
        match self.bytes.get_mut(self.len) {
            Some(place) => {
                *place = (value & 0x7f) as u8;
                self.len += 1;
            }
            None => self.put_long(value),
        }
    }

    /// Appends any varint.
    #[inline(never)]
    fn put_long(&mut self, mut value: u64) {
        if self.bytes.len() < self.len + 10 {
            self.bytes.resize(self.len.max(512) * 2, 0);
        }
        while value >= 0x80 {
            self.bytes[self.len] = (value & 0x7f) as u8 | 0x80;
            self.len += 1;
            value >>= 7;
        }
        self.bytes[self.len] = (value & 0x7f) as u8;
        self.len += 1;
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Empties it, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

/// Appends a text as its length and its bytes.
pub(crate) fn put_text(column: &mut Vec<u8>, text: &str) {
    put(column, text.len() as u64);
    column.extend_from_slice(text.as_bytes());
}

/// Appends 0 for nothing, or one more than the value. The value is below `u64::MAX`.
pub(crate) fn put_option(column: &mut Vec<u8>, value: Option<u64>) {
    put(column, value.map_or(0, |value| value.saturating_add(1)));
}

/// Maps small differences of either sign to small numbers: 0, -1, 1, -2 are 0, 1, 2, 3.
#[inline]
pub(crate) const fn zigzag(difference: u64) -> u64 {
    let difference = difference.cast_signed();
    ((difference << 1) ^ (difference >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
#[inline]
pub(crate) const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

/// Reads from the start of bytes to their end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cursor {
    at: usize,
}

impl Cursor {
    /// A cursor before the byte `at`.
    pub(crate) fn new(at: usize) -> Self {
        Cursor { at }
    }

    /// The number of bytes before it.
    pub(crate) fn at(self) -> usize {
        self.at
    }

    /// The next varint. At most ten bytes; more than 64 bits are malformed.
    #[inline]
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<u64, Malformed> {
        let first = *bytes.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        if first < 0x80 { Ok(u64::from(first)) } else { self.take_rest(bytes, first) }
    }

    fn take_rest(&mut self, bytes: &[u8], first: u8) -> Result<u64, Malformed> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = *bytes.get(self.at).ok_or(Malformed)?;
            self.at += 1;
            if shift == 63 && byte > 1 {
                return Err(Malformed);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// The next varint, if it fits.
    pub(crate) fn take_u32(&mut self, bytes: &[u8]) -> Result<u32, Malformed> {
        u32::try_from(self.take(bytes)?).map_err(|_| Malformed)
    }

    /// The next optional number.
    pub(crate) fn take_option(&mut self, bytes: &[u8]) -> Result<Option<u64>, Malformed> {
        Ok(self.take(bytes)?.checked_sub(1))
    }

    /// The next `len` bytes.
    pub(crate) fn take_bytes<'b>(
        &mut self,
        bytes: &'b [u8],
        len: u64,
    ) -> Result<&'b [u8], Malformed> {
        let len = usize::try_from(len).map_err(|_| Malformed)?;
        let end = self.at.checked_add(len).ok_or(Malformed)?;
        let found = bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(found)
    }

    /// The next text.
    pub(crate) fn take_text<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b str, Malformed> {
        let len = self.take(bytes)?;
        std::str::from_utf8(self.take_bytes(bytes, len)?).map_err(|_| Malformed)
    }
}

/// A column and how far it is read.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    cursor: Cursor,
}

impl Input {
    /// A column that is not read yet.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Input { bytes, cursor: Cursor::default() }
    }

    /// The next varint.
    #[inline]
    pub(crate) fn take(&mut self) -> Result<u64, Malformed> {
        self.cursor.take(&self.bytes)
    }

    /// The next varint, if it fits.
    pub(crate) fn take_u32(&mut self) -> Result<u32, Malformed> {
        self.cursor.take_u32(&self.bytes)
    }

    /// The next varint, if it fits.
    pub(crate) fn take_u8(&mut self) -> Result<u8, Malformed> {
        u8::try_from(self.take()?).map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(value: u64, shift in 0..64_u32) {
            let value = value >> shift;
            let (mut bytes, mut output) = (Vec::new(), Output::default());
            put(&mut bytes, value);
            for _ in 0..300 {
                output.put(value);
                output.put_byte(value & 0x7f);
            }
            let pair = [bytes.as_slice(), &[(value & 0x7f) as u8]].concat();
            prop_assert_eq!(output.bytes(), pair.repeat(300));
            put_option(&mut bytes, Some(value >> 1));
            let mut cursor = Cursor::new(0);
            prop_assert_eq!(cursor.take(&bytes), Ok(value));
            prop_assert_eq!(cursor.take_option(&bytes), Ok(Some(value >> 1)));
            prop_assert_eq!(cursor.at(), bytes.len());
            prop_assert_eq!(cursor.take(&bytes), Err(Malformed));
            prop_assert_eq!(unzigzag(zigzag(value)), value);
            prop_assert!(zigzag(value.wrapping_neg()) <= zigzag(value) || value >> 63 == 1);
        }
    }

    #[test]
    fn numbers_beyond_64_bits_are_malformed() {
        let mut most = vec![0xff; 9];
        most.push(1);
        assert_eq!(Cursor::new(0).take(&most), Ok(u64::MAX));
        most[9] = 2;
        assert_eq!(Cursor::new(0).take(&most), Err(Malformed));
        most[9] = 0x81;
        assert_eq!(Cursor::new(0).take(&most), Err(Malformed));
        assert_eq!(Cursor::new(0).take_text(&[5, b'a']), Err(Malformed));
        assert_eq!(Cursor::new(0).take_text(&[1, 0xff]), Err(Malformed), "not UTF-8");
        assert_eq!([0, 1, 2, 3].map(unzigzag), [0, u64::MAX, 1, u64::MAX - 1]);
    }
}
