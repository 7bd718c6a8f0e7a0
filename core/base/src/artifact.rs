//! What code generation hands to a device: bytes, an entry point, and the layout of its parameters.

use crate::DType;

/// Lanes in one group (workgroup, thread block, chunk), the same on every device, so that
/// per-group partial sums are laid out and ordered alike everywhere. A kernel may ask for fewer.
pub const GROUP_LANES: u32 = 256;

/// What the bytes are. A device loads the formats it knows and refuses the others by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArtifactFormat {
    /// Words of [`crate::bytecode`].
    Bytecode,
    /// Words of a binary shader module.
    ShaderBinary,
    /// C++ text for a run-time compiler.
    KernelText,
}

/// One parameter of a kernel. Each takes one 8-byte word of the argument block, in order; a scalar
/// narrower than 8 bytes lies in the word's low bytes, the rest zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// The same number for every lane.
    Scalar(DType),
    /// A 64-bit device address of elements of this dtype.
    Pointer(DType),
}

/// A compiled kernel. Pure data: the same module and options give the same artifact anywhere.
///
/// Launch contract: the kernel runs once for each lane id in `0..lanes`; lane ids are 64-bit, and
/// [`Artifact::groups`] says which of them form a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Artifact {
    pub format: ArtifactFormat,
    pub entry: String,
    pub params: Vec<ParamKind>,
    pub groups: Groups,
    pub bytes: Vec<u8>,
}

/// How lanes form groups: lanes `lanes * g .. lanes * (g + 1)` are group `g`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Groups {
    /// 1 to [`GROUP_LANES`].
    pub lanes: u32,
    /// Lanes wait for one another, so that a launch is of whole groups only.
    pub whole: bool,
}

impl Default for Groups {
    fn default() -> Self {
        Self { lanes: GROUP_LANES, whole: false }
    }
}

impl Groups {
    /// Why a kernel with these groups cannot run so many lanes.
    pub fn refuse(self, lanes: u64) -> Option<String> {
        let part = self.whole && !lanes.is_multiple_of(self.lanes.into());
        part.then(|| format!("{lanes} lanes are no whole groups of {}", self.lanes))
    }
}

impl Artifact {
    /// The bytes as little-endian 32-bit words (binary formats).
    pub fn words(&self) -> Vec<u32> {
        self.bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    /// Little-endian bytes of 32-bit words.
    pub fn bytes_of_words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}
