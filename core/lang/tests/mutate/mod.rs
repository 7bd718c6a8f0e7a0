//! Mutations of texts: bytes and tokens that go, come, change places or come from another text.

/// The pieces a token mutation puts in.
const PIECES: [&str; 32] = [
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ";",
    ",",
    "<",
    ">",
    "=",
    "+=",
    "++",
    "?",
    ":",
    "::",
    ".",
    "float",
    "float3",
    "int",
    "struct",
    "return",
    "if",
    "for",
    "out",
    "static const",
    "0",
    "1.5",
    "x",
    "T",
    "no_diff",
    "{}",
];

pub struct Random(pub u64);

impl Random {
    /// A number in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let len = match rest.find(|c| !word(c)) {
            Some(0) => first.len_utf8(),
            Some(len) => len,
            None => rest.len(),
        };
        out.push(&rest[..len]);
        rest = &rest[len..];
    }
    out
}

/// Up to five bytes are changed.
pub fn mutate_bytes(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, 32 + random.below(95) as u8),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Up to four tokens are changed; `other` lends some.
pub fn mutate_tokens(text: &str, other: &str, random: &mut Random) -> String {
    let lent = tokens(other);
    let mut tokens = tokens(text);
    for _ in 0..=random.below(3) {
        if tokens.is_empty() {
            break;
        }
        let (at, other) = (random.below(tokens.len()), random.below(tokens.len()));
        match random.below(6) {
            0 => drop(tokens.remove(at)),
            1 => tokens.swap(at, other),
            2 => tokens.insert(at, PIECES[random.below(PIECES.len())]),
            3 => tokens[at] = PIECES[random.below(PIECES.len())],
            4 if !lent.is_empty() => {
                let from = random.below(lent.len());
                let to = (from + 1 + random.below(12)).min(lent.len());
                tokens.splice(at..at, lent[from..to].iter().copied());
            }
            _ => tokens[at] = tokens[other],
        }
    }
    tokens.concat()
}

/// A text with a few bytes or tokens changed.
pub fn mutate(text: &str, other: &str, random: &mut Random) -> String {
    if random.below(3) == 0 { mutate_bytes(text, random) } else { mutate_tokens(text, other, random) }
}
