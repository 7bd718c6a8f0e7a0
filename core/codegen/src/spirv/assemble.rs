//! Writes the words of a binary module: sections, ids, one instance of each type and constant.

use rspirv::spirv::{Capability, Op, Word};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Version 1.5: physical storage buffers, 8-bit storage and float controls are core; Vulkan 1.2 has it.
const VERSION: Word = 0x0001_0500;

/// The label of the function's first block.
const ENTRY: Word = 2;

/// A module in the making. Every operand is a word, so an instruction is its opcode and a slice.
pub struct Assembler {
    bound: Word,
    capabilities: BTreeSet<Word>,
    annotations: Vec<Word>,
    globals: Vec<Word>,
    known: FxHashMap<Vec<Word>, Word>,
    /// Global variables, for the entry point's interface.
    interface: Vec<Word>,
    variables: Vec<Word>,
    code: Vec<Word>,
    /// The label of the block that is being written.
    pub block: Word,
    /// The extended instruction set `GLSL.std.450`.
    pub glsl: Word,
}

/// Where a word that is not known yet must go: see [`Assembler::patch`].
#[derive(Clone, Copy)]
pub struct Patch(usize);

impl Assembler {
    pub fn new() -> Self {
        Self {
            bound: 3,
            capabilities: BTreeSet::new(),
            annotations: Vec::new(),
            globals: Vec::new(),
            known: FxHashMap::default(),
            interface: Vec::new(),
            variables: Vec::new(),
            code: Vec::new(),
            block: ENTRY,
            glsl: 1,
        }
    }

    pub fn fresh(&mut self) -> Word {
        self.bound += 1;
        self.bound - 1
    }

    pub fn capability(&mut self, capability: Capability) {
        self.capabilities.insert(capability as Word);
    }

    /// A type or constant: the same words give the same id.
    pub fn global(&mut self, op: Op, ty: Option<Word>, operands: &[Word]) -> Word {
        let mut key = vec![op as Word, ty.unwrap_or(0)];
        key.extend(operands);
        if let Some(&id) = self.known.get(&key) {
            return id;
        }
        let id = self.fresh();
        push(&mut self.globals, op, ty, Some(id), operands);
        self.known.insert(key, id);
        id
    }

    /// A module-scope variable.
    pub fn global_variable(&mut self, pointer_type: Word, storage: Word) -> Word {
        let id = self.fresh();
        push(&mut self.globals, Op::Variable, Some(pointer_type), Some(id), &[storage]);
        self.interface.push(id);
        id
    }

    /// A variable of the function.
    pub fn local_variable(&mut self, pointer_type: Word, storage: Word) -> Word {
        let id = self.fresh();
        push(&mut self.variables, Op::Variable, Some(pointer_type), Some(id), &[storage]);
        id
    }

    pub fn annotate(&mut self, op: Op, operands: &[Word]) {
        push(&mut self.annotations, op, None, None, operands);
    }

    /// An instruction with a result.
    pub fn value(&mut self, op: Op, ty: Word, operands: &[Word]) -> Word {
        let id = self.fresh();
        push(&mut self.code, op, Some(ty), Some(id), operands);
        id
    }

    /// An instruction without a result.
    pub fn effect(&mut self, op: Op, operands: &[Word]) {
        push(&mut self.code, op, None, None, operands);
    }

    /// Starts a block; the one before must have ended with a branch.
    pub fn begin_block(&mut self, label: Word) {
        push(&mut self.code, Op::Label, None, Some(label), &[]);
        self.block = label;
    }

    /// A phi of which one value comes later: (value, block) now, and the place of the other value.
    pub fn open_phi(&mut self, ty: Word, first: (Word, Word), later_block: Word) -> (Word, Patch) {
        let id = self.value(Op::Phi, ty, &[first.0, first.1, 0, later_block]);
        (id, Patch(self.code.len() - 2))
    }

    pub fn patch(&mut self, place: Patch, value: Word) {
        self.code[place.0] = value;
    }

    /// The whole module: one entry point `main` around the code written.
    pub fn finish(mut self, modes: &[(Word, Vec<Word>)]) -> Vec<Word> {
        let void = self.global(Op::TypeVoid, None, &[]);
        let signature = self.global(Op::TypeFunction, None, &[void]);
        let main = self.fresh();
        let mut out = vec![rspirv::spirv::MAGIC_NUMBER, VERSION, 0, self.bound, 0];
        for &capability in &self.capabilities {
            push(&mut out, Op::Capability, None, None, &[capability]);
        }
        push(&mut out, Op::ExtInstImport, None, Some(self.glsl), &string("GLSL.std.450"));
        let addressing = rspirv::spirv::AddressingModel::PhysicalStorageBuffer64 as Word;
        let memory = rspirv::spirv::MemoryModel::GLSL450 as Word;
        push(&mut out, Op::MemoryModel, None, None, &[addressing, memory]);
        let mut entry = vec![rspirv::spirv::ExecutionModel::GLCompute as Word, main];
        entry.extend(string("main"));
        entry.extend(&self.interface);
        push(&mut out, Op::EntryPoint, None, None, &entry);
        for (mode, literals) in modes {
            let operands: Vec<Word> = [main, *mode].into_iter().chain(literals.iter().copied()).collect();
            push(&mut out, Op::ExecutionMode, None, None, &operands);
        }
        out.extend(&self.annotations);
        out.extend(&self.globals);
        push(&mut out, Op::Function, Some(void), Some(main), &[0, signature]);
        push(&mut out, Op::Label, None, Some(ENTRY), &[]);
        out.extend(&self.variables);
        out.extend(&self.code);
        push(&mut out, Op::FunctionEnd, None, None, &[]);
        out
    }
}

fn push(out: &mut Vec<Word>, op: Op, ty: Option<Word>, id: Option<Word>, operands: &[Word]) {
    let count = 1 + usize::from(ty.is_some()) + usize::from(id.is_some()) + operands.len();
    out.push((count as Word) << 16 | op as Word);
    out.extend(ty);
    out.extend(id);
    out.extend(operands);
}

/// UTF-8 bytes, ended by zero, padded to words.
fn string(text: &str) -> Vec<Word> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(text.len() / 4 * 4 + 4, 0);
    bytes.chunks_exact(4).map(|b| Word::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}
