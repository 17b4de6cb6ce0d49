//! A checksum of text.

/// FNV-1a. Tells texts apart that differ by chance; whoever wants two with the same sum finds them.
pub(super) fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
