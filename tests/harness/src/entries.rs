//! Entry points from their text, launched on every executor.

use crate::everywhere::{Program, buffer, check};
use crate::launch::interpret;
use pullback_base::render::render_all;
use pullback_interp::KernelArg;
use pullback_ir::{Constant, Scalar, Type};
use pullback_lang::{Compiled, Language, Options, compile};
use pullback_passes::pipeline::entry_kernel;

/// The only entry point of a text, launched in `groups` workgroups. Its globals are buffers, or pointers to them; their
/// counts are those of the bytes.
fn program(compiled: Compiled, groups: u32, buffers: &[Vec<u8>]) -> Program {
    if compiled.diagnostics.has_errors() {
        panic!("{}", render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
    }
    let [entry] = &compiled.module.entry_points[..] else { panic!("one entry point") };
    let mut args = Vec::new();
    for leaf in entry.globals.iter().flat_map(|global| global.ty.leaves()) {
        let number = |value: i64| KernelArg::Scalar(Constant::int(Scalar::I64, value));
        let behind = args.iter().filter(|arg| matches!(arg, KernelArg::Buffer { .. })).count();
        args.push(match leaf {
            Type::Pointer(_) => buffer(behind),
            _ => number((buffers[behind - 1].len() / element_bytes(&entry.globals, behind - 1)) as i64),
        });
    }
    args.extend([groups, 1, 1].map(|n| KernelArg::Scalar(Constant::int(Scalar::U32, i64::from(n)))));
    let kernel = entry_kernel(&compiled.module, entry.kernel).unwrap_or_else(|why| panic!("{why:?}"));
    let lanes = u64::from(groups) * u64::from(entry.lanes_per_group());
    Program { kernel, args, lanes, buffers: buffers.to_vec() }
}

/// The size of what the pointer of that number among the globals leads to.
fn element_bytes(globals: &[pullback_ir::Global], index: usize) -> usize {
    let leaves = globals.iter().flat_map(|global| global.ty.leaves());
    let mut elements = leaves.filter_map(|leaf| match leaf {
        Type::Pointer(element) => Some(Type::clone(&element)),
        _ => None,
    });
    elements.nth(index).map_or(1, |element| pullback_ir::layout::layout(&element).size_bytes as usize)
}

/// Runs the text everywhere, and compares the 32-bit integers of its first buffer; what is left in all.
pub fn gives(
    language: Language,
    text: &str,
    groups: u32,
    buffers: &[Vec<u8>],
    expected: &[i32],
) -> Vec<Vec<u8>> {
    let compiled = compile(language, "text", text, &Options::default());
    compiled_gives(compiled, groups, buffers, expected)
}

/// The same of what a text was compiled to.
pub fn compiled_gives(
    compiled: Compiled,
    groups: u32,
    buffers: &[Vec<u8>],
    expected: &[i32],
) -> Vec<Vec<u8>> {
    let program = program(compiled, groups, buffers);
    let mut ran = program.buffers.clone();
    interpret(&program.kernel, &program.args, program.lanes, &mut ran).expect("runs");
    let found: Vec<i32> =
        ran[0].chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(found, expected);
    check(&[program]);
    ran
}
