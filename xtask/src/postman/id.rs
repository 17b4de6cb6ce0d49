//! Ids that follow from names.

/// The id of what has this name: a UUID of version 8, whose bits are for the maker to choose. They are the FNV-1a hash
/// of the name: a fixed algorithm, unlike the hashers of std, and nobody gains by making two names collide.
pub(super) fn id(name: &str) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;

    let hash = name.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    let digits = format!("{:032x}", hash & !VERSION & !VARIANT | 8 << 76 | 0b10 << 62);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_that_follows_from_the_name() {
        // The 128-bit FNV-1a hash of "a" is d228cb696f1a8caf78912b704e4a8964.
        assert_eq!(id("a"), "d228cb69-6f1a-8caf-b891-2b704e4a8964");
        assert_ne!(id("a"), id("b"));
        for name in ["", "stockroom", "stockroom/GET /api/v1/orders"] {
            let id = id(name);
            assert_eq!(id.len(), 36);
            assert_eq!(&id[14..15], "8", "the version of {id}");
            assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "the variant of {id}");
        }
    }
}
