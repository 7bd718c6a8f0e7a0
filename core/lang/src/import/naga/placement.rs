//! Where the local variables of a function are declared.
//!
//! `naga` lists all locals of a function in one place. Declared there, each local that a loop's body assigns would
//! be carried from turn to turn, though most are written afresh in each. So a local is declared in the innermost
//! block that holds all its uses, unless that is in a loop and some use might see the value of the turn before.

use super::uses::{self, Expr};
use naga::{Block, Expression, Function, Handle, LocalVariable, Statement};
use rustc_hash::{FxHashMap, FxHashSet};

type Local = Handle<LocalVariable>;
/// Blocks are told apart by their address in the module, which is not changed.
type BlockKey = *const Block;

/// The locals that are declared at the start of each block.
#[derive(Default)]
pub struct Placement(FxHashMap<BlockKey, Vec<Local>>);

impl Placement {
    pub fn new(function: &Function) -> Self {
        let mut scan = Scan {
            function,
            stack: Vec::new(),
            common: FxHashMap::default(),
            mentions: FxHashSet::default(),
        };
        scan.block(&function.body, false);
        let mut placement = Placement::default();
        for (local, _) in function.local_variables.iter() {
            if let Some(stack) = scan.common.get(&local) {
                let block = scan.home(local, stack);
                placement.0.entry(block).or_default().push(local);
            }
        }
        placement
    }

    pub fn declared_in(&self, block: &Block) -> &[Local] {
        self.0.get(&std::ptr::from_ref(block)).map_or(&[], Vec::as_slice)
    }
}

#[derive(Clone, Copy)]
struct Open<'a> {
    block: &'a Block,
    /// The body or the `continuing` of a loop.
    starts_loop: bool,
}

struct Scan<'a> {
    function: &'a Function,
    stack: Vec<Open<'a>>,
    /// The blocks around all uses of a local, from the outermost.
    common: FxHashMap<Local, Vec<Open<'a>>>,
    /// Which blocks hold a use of which local.
    mentions: FxHashSet<(BlockKey, Local)>,
}

impl<'a> Scan<'a> {
    fn block(&mut self, block: &'a Block, starts_loop: bool) {
        self.stack.push(Open { block, starts_loop });
        for statement in block.iter() {
            let mut used = Vec::new();
            uses::of_statement(self.function, statement, &mut |handle| used.extend(self.local(handle)));
            used.into_iter().for_each(|local| self.note(local));
            let loops = matches!(statement, Statement::Loop { .. });
            uses::blocks(statement).into_iter().for_each(|block| self.block(block, loops));
        }
        self.stack.pop();
    }

    fn local(&self, handle: Expr) -> Option<Local> {
        match self.function.expressions[handle] {
            Expression::LocalVariable(local) => Some(local),
            _ => None,
        }
    }

    fn note(&mut self, local: Local) {
        for open in &self.stack {
            self.mentions.insert((open.block, local));
        }
        let common = self.common.entry(local).or_insert_with(|| self.stack.clone());
        let shared =
            common.iter().zip(&self.stack).take_while(|(a, b)| std::ptr::eq(a.block, b.block)).count();
        common.truncate(shared);
    }

    fn home(&self, local: Local, stack: &[Open<'a>]) -> BlockKey {
        let mut stack = stack;
        while let Some(open) = stack.last()
            && let Some(start) = stack.iter().rposition(|open| open.starts_loop)
            && !self.written_first(open.block, local)
        {
            stack = &stack[..start];
        }
        stack.last().map_or(&raw const self.function.body, |open| std::ptr::from_ref(open.block))
    }

    /// Whether a block assigns the whole local before any other use of it.
    fn written_first(&self, block: &Block, local: Local) -> bool {
        for statement in block.iter() {
            let mentioned = |block: &Block| self.mentions.contains(&(std::ptr::from_ref(block), local));
            let mut used = false;
            uses::of_statement(self.function, statement, &mut |handle| {
                used |= self.local(handle) == Some(local)
            });
            match statement {
                Statement::Store { pointer, .. } if used => return self.local(*pointer) == Some(local),
                _ if used => return false,
                Statement::Block(inner) | Statement::Loop { body: inner, .. } if mentioned(inner) => {
                    return self.written_first(inner, local);
                }
                Statement::If { accept, reject, .. } if mentioned(accept) || mentioned(reject) => {
                    return self.written_first(accept, local) && self.written_first(reject, local);
                }
                _ if uses::blocks(statement).into_iter().any(mentioned) => return false,
                _ => {}
            }
        }
        false
    }
}
