//! Payloads that claim what they do not hold: bytes of a `Rich::Put` whose lengths lie, at any
//! depth.

use fastrand::Rng;

/// Bytes of a variant's number.
fn tag(variant: u32) -> Vec<u8> {
    variant.to_le_bytes().to_vec()
}

fn length(elements: u64) -> [u8; 8] {
    elements.to_le_bytes()
}

/// Lengths that nothing has.
fn absurd(rng: &mut Rng) -> u64 {
    match rng.u8(0..6) {
        0 => u64::MAX,
        1 => 1 << 32,
        2 => (1 << 16) + 1 + rng.u64(0..1 << 20),
        3 => 1 << 63,
        _ => 1 << 40,
    }
}

/// `Rich::Put` of a value whose innermost part claims an absurd length, `depth` values deep.
#[must_use]
pub fn put(rng: &mut Rng, depth: usize) -> Vec<u8> {
    let mut bytes = tag(3);
    for _ in 0..depth {
        match rng.u8(0..3) {
            // A list of one, a map of one, an option in an option.
            0 => bytes.extend([tag(2), length(1).to_vec()].concat()),
            1 => {
                bytes.extend([tag(3), length(1).to_vec(), length(1).to_vec(), vec![b'k']].concat())
            }
            _ => bytes.extend([tag(4), vec![1, 1]].concat()),
        }
    }
    let claimed = absurd(rng);
    // A text, a list, a map, or one of the lists of nothing.
    let variant = [1, 2, 3, 5, 6, 7, 8, 9][rng.usize(0..8)];
    bytes.extend(tag(variant));
    if variant == 8 && rng.bool() {
        // A list of lists of nothing: honest outside, a lie inside.
        bytes.extend([length(2), length(40_000), length(claimed)].concat());
    } else {
        bytes.extend(length(claimed));
    }
    bytes.extend((0..rng.usize(0..64)).map(|_| rng.u8(..)));
    bytes
}

/// `Rich::Put` of options in options in boxes, deeper than anything honest.
#[must_use]
pub fn abyss(levels: usize) -> Vec<u8> {
    let mut bytes = tag(3);
    for _ in 0..levels {
        bytes.extend([tag(4), vec![1, 1]].concat());
    }
    bytes.extend(tag(0));
    bytes
}

/// An honest message's bytes with a few of them changed.
#[must_use]
pub fn mutated(rng: &mut Rng, honest: &[u8]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..bytes.len().max(1));
        match rng.u8(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), rng.u8(..)),
            2 if at + 8 <= bytes.len() => bytes[at..at + 8].copy_from_slice(&length(absurd(rng))),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.u8(0..8);
                }
            }
        }
    }
    bytes
}

/// Honest messages' bytes: `Told`, `Next`, `Echo`, `Put` of something nested, `Fill`.
#[must_use]
pub fn honest(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(0..5) {
        0 => [tag(0), length(rng.u64(..)).to_vec()].concat(),
        1 => [tag(1), length(rng.u64(..)).to_vec()].concat(),
        2 => {
            let size = rng.usize(0..300);
            [tag(2), length(size as u64).to_vec(), vec![7; size]].concat()
        }
        3 => {
            let text = [tag(1), length(5).to_vec(), b"hello".to_vec()].concat();
            let deep = [tag(4), vec![1, 1], tag(5), length(9).to_vec()].concat();
            [tag(3), tag(2), length(2).to_vec(), text, deep].concat()
        }
        _ => fill(rng.u64(0..2000)),
    }
}

/// `Rich::Fill`.
#[must_use]
pub fn fill(size: u64) -> Vec<u8> {
    [tag(4), length(size).to_vec()].concat()
}

/// `Rich::Next`, which any server answers.
#[must_use]
pub fn next(number: u64) -> Vec<u8> {
    [tag(1), length(number).to_vec()].concat()
}

/// `Rich::Events`.
#[must_use]
pub fn events(count: u32, size: u32) -> Vec<u8> {
    [tag(5), tag(count), tag(size)].concat()
}

/// `Rich::CallMe`.
#[must_use]
pub fn call_me() -> Vec<u8> {
    tag(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the attackers take for honest is: otherwise they attack nothing.
    #[test]
    fn honest_bytes_are_the_protocols() {
        use crate::hostile::protocol::{Rich, RichHandler};
        use crate::hostile::serve::Keeper;
        fn handled(_: &impl RichHandler) {}
        handled(&Keeper::default());
        let check = |bytes: &[u8]| Rich::is_encoding(bytes);
        for seed in 0..50 {
            assert!(check(&honest(&mut Rng::with_seed(seed))), "seed {seed}");
        }
        assert!(check(&events(1, 2)));
        assert!(check(&call_me()));
        assert!(check(&abyss(20)));
        assert!(!check(&abyss(1000)));
        for seed in 0..50 {
            assert!(!check(&put(&mut Rng::with_seed(seed), seed as usize)), "seed {seed}");
        }
    }
}
