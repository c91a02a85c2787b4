//! A hash of small numbers of the kernel or of a stream, looked up several times for each event.

use core::hash::Hasher;

/// Spreads numbers by multiplication, several times as fast as a hash that withstands chosen keys:
/// a file with such keys only makes its own report slow.
#[derive(Debug, Clone, Copy, Default)]
pub struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    /// Enumerations hash their discriminant so.
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        // Maps use the low bits, which a product spreads least.
        self.0 ^ (self.0 >> 32)
    }
}
