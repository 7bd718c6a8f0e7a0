//! Size classes of device memory, so that freed blocks fit later requests.

/// Rounds a size up to its class: powers of two up to 1 MiB, above that steps of an eighth at most.
pub fn class_bytes(size_bytes: u64) -> u64 {
    let size_bytes = size_bytes.max(256);
    let Some(power) = size_bytes.checked_next_power_of_two() else { return size_bytes };
    if power <= 1 << 20 { power } else { size_bytes.next_multiple_of(power / 16) }
}

#[cfg(test)]
mod tests {
    use super::class_bytes;

    #[test]
    fn a_size_class_wastes_little_and_is_its_own_class() {
        for size in [0, 1, 255, 256, 257, 1 << 20, (1 << 20) + 1, 3 << 20, (5 << 30) + 7] {
            let class = class_bytes(size);
            assert!(class >= size, "{size} in {class}");
            assert_eq!(class_bytes(class), class, "class of {size}");
            if size > 1 << 20 {
                assert!(class - size <= size / 8, "{size} in {class}");
            }
        }
    }
}
