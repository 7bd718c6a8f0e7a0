//! Packs: what `each` and `expand` mean where it is known how many elements there are, and how many a call's arguments tell.

use super::call::FunctionSet;
use super::context::Context;
use super::hir::{Expr, Literal, Local, LocalId, Stmt, StmtKind};
use super::member::Item;
use super::overload::Fit;
use super::program::{FnId, Symbol};
use super::types::{ParamId, Ty};
use super::written::{Declared, length_of};
use crate::slang::ast::{self, Expansion, ExprKind as Ast, GenericArg, TypeExpr, TypeExprKind};
use pullback_base::{Code, Diagnostic, Span};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// A parameter that is a pack: which of those that it is written out to.
#[derive(Clone)]
pub struct PackParam {
    pub name: Arc<str>,
    pub span: Span,
    pub first: usize,
    pub count: usize,
}

impl PackParam {
    pub fn range(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

/// What messages call an element of a generic pack.
pub fn element_name(pack: &str, turn: usize, length: usize) -> Arc<str> {
    if length == 1 { format!("each {pack}").into() } else { format!("{pack}.{turn}").into() }
}

/// The name that a generic parameter is declared by, be it an element of a pack.
pub fn declared_name(name: &str) -> &str {
    let name = name.strip_prefix("each ").unwrap_or(name);
    name.split_once('.').map_or(name, |(pack, _)| pack)
}

/// The name of an element as callers see it.
pub fn numbered(name: &str, turn: usize) -> Arc<str> {
    format!("{name}{turn}").into()
}

/// The name that a type begins with.
pub fn head(ty: &TypeExpr) -> Option<&ast::Name> {
    match &ty.kind {
        TypeExprKind::Path(path) => path.first().map(|segment| &segment.name),
        TypeExprKind::Array { element, .. } => head(element),
        TypeExprKind::Pointer(inner) | TypeExprKind::Each(inner) => head(inner),
        _ => None,
    }
}

/// The name that `name.member(args)[index]` begins with.
fn base(expr: &ast::Expr) -> Option<&ast::Name> {
    match &expr.kind {
        Ast::Name(name) => Some(name),
        Ast::Member { base: inner, .. }
        | Ast::Index { base: inner, .. }
        | Ast::Generic { base: inner, .. } => base(inner),
        Ast::Call { callee, .. } => base(callee),
        _ => None,
    }
}

/// Whether reading it again does nothing else.
fn is_place(expr: &ast::Expr) -> bool {
    match &expr.kind {
        Ast::Name(_) | Ast::This => true,
        Ast::Member { base, .. } => is_place(base),
        _ => false,
    }
}

impl Context<'_, '_> {
    /// Runs `f` where `each` picks that element.
    pub fn in_turn<R>(&mut self, turn: usize, f: impl FnOnce(&mut Self) -> R) -> R {
        let (around, picks) = (self.turn.replace(turn), std::mem::take(&mut self.picks));
        let result = f(self);
        (self.turn, self.picks) = (around, picks);
        result
    }

    /// The element of a pack that is picked here, if one is.
    pub fn picked(&mut self, params: &[ParamId]) -> Option<ParamId> {
        let picks = std::mem::take(&mut self.picks);
        self.turn.filter(|_| picks).and_then(|turn| params.get(turn).copied())
    }

    /// `each T`
    pub fn element_type(&mut self, of: &TypeExpr) -> Ty {
        let is_pack = self.checker.pack_of(of, self.scope).is_some();
        self.picks = is_pack;
        let ty = self.resolve_type(of);
        self.picks = false;
        ty
    }

    /// `each args`, `each T`
    pub fn each(&mut self, of: &ast::Expr, span: Span) -> Item {
        let Some(turn) = self.turn else { return Item::Value(self.silent_error(span)) };
        if self.is_pack(of) {
            self.picks = true;
            let item = self.item(of);
            self.picks = false;
            return item;
        }
        let value = self.expr(of);
        match self.checker.program.tuple_elements(&value.ty) {
            Some(elements) if turn < elements.len() => {
                Item::Value(super::tuple::element(&value, turn as u32, elements[turn].clone(), span))
            }
            _ => Item::Value(self.silent_error(span)),
        }
    }

    fn is_pack(&mut self, of: &ast::Expr) -> bool {
        base(of).is_some_and(|name| self.pack_length(&name.text).is_some())
    }

    /// How many elements the pack of that name has.
    fn pack_length(&mut self, name: &str) -> Option<usize> {
        if self.local_span(name).is_some() {
            let local = self.used_local(name)?;
            return Some(self.elements_of(local)?.len());
        }
        match self.lookup(name) {
            Some(Symbol::Pack(params)) => Some(params.len()),
            _ => None,
        }
    }

    /// The elements of a variable that is a pack.
    pub fn elements_of(&self, local: LocalId) -> Option<Vec<LocalId>> {
        let pack = self.packs.iter().find(|(pack, _)| *pack == local);
        pack.map(|(_, elements)| elements.clone())
    }

    pub fn declare_pack(&mut self, pack: &PackParam, elements: Vec<LocalId>) {
        let name = pack.name.clone();
        let local = Local { name, ty: Ty::Void, span: pack.span, mutable: false, constant: None };
        let local = self.declare_given(local);
        self.packs.push((local, elements));
    }

    /// A pack's name as a value: its element where one is picked, or else a tuple of all.
    pub fn pack_value(&mut self, elements: &[LocalId], span: Span) -> Expr {
        if std::mem::take(&mut self.picks)
            && let Some(element) = self.turn.and_then(|turn| elements.get(turn))
        {
            return self.local_value(*element, span);
        }
        let elements = elements.iter().map(|element| self.local_value(*element, span)).collect();
        self.tuple_from(elements, span)
    }

    /// A generic pack where one type or number is needed.
    pub fn whole_pack(&mut self, name: &str, span: Span) -> Expr {
        let message = format!("the pack `{name}` where one type or number is needed");
        let help =
            format!("write `expand each {name}` where there may be several, or `Tuple<expand each {name}>`");
        self.error_advised(Code::TypeMismatch, message, span, "all of its elements", help)
    }

    pub fn no_pack<T>(&mut self, span: Span) -> Option<T> {
        let (message, label) =
            ("this is no pack", "a generic pack, a parameter of one, or a tuple is needed");
        self.error_advised(Code::TypeMismatch, message, span, label, "declare it as a pack: `each T`");
        None
    }

    /// How many turns an expansion has: as many as its packs have elements.
    fn length(&mut self, each: &[GenericArg]) -> Option<usize> {
        let mut found: Option<(usize, Span)> = None;
        for pack in each {
            let (length, span) = match pack {
                GenericArg::Type(ty) => {
                    let length = head(ty).and_then(|name| self.pack_length(&name.text));
                    (length, ty.span)
                }
                GenericArg::Value(of) => (self.value_length(of), of.span),
            };
            let Some(length) = length else {
                if !self.broken {
                    self.no_pack::<()>(span);
                }
                return None;
            };
            match found {
                Some((first, at)) if first != length => {
                    self.report(
                        Diagnostic::error(Code::TypeMismatch, "packs of different lengths in one `expand`")
                            .at(span, format!("has {length}"))
                            .also(at, format!("has {first}"))
                            .help("expand them one by one"),
                    );
                    return None;
                }
                _ => found = Some((length, span)),
            }
        }
        found.map(|(length, _)| length)
    }

    fn value_length(&mut self, of: &ast::Expr) -> Option<usize> {
        if let Some(length) = base(of).and_then(|name| self.pack_length(&name.text)) {
            return Some(length);
        }
        if !is_place(of) {
            self.unsupported("`each` of computed values", of.span);
            return None;
        }
        let value = self.expr(of);
        self.checker.program.tuple_elements(&value.ty).map(|elements| elements.len())
    }

    /// The types that a pack of types is; `None` where it is a single one.
    pub fn turns_of_type(&mut self, ty: &TypeExpr) -> Option<Vec<TypeExpr>> {
        let (expansion, length) = match &ty.kind {
            TypeExprKind::Expand(expansion) => (expansion.clone(), self.length(&expansion.each).unwrap_or(0)),
            TypeExprKind::Path(path) if let [segment] = &path[..] => {
                let Some(Symbol::Pack(params)) = self.lookup(&segment.name.text) else { return None };
                let of = TypeExpr { kind: TypeExprKind::Each(Box::new(ty.clone())), span: ty.span };
                (Arc::new(Expansion { of, each: Vec::new() }), params.len())
            }
            _ => return None,
        };
        let turn = |turn| TypeExpr { kind: TypeExprKind::Turn(expansion.clone(), turn), span: ty.span };
        Some((0..length).map(turn).collect())
    }

    /// The expressions that a pack is; `None` where it is a single one.
    pub fn turns_of(&mut self, expr: &ast::Expr) -> Option<Vec<ast::Expr>> {
        let (expansion, length) = match &expr.kind {
            Ast::Expand(expansion) => (expansion.clone(), self.length(&expansion.each).unwrap_or(0)),
            Ast::Name(name) => {
                let length = self.pack_length(&name.text).filter(|_| !self.picks)?;
                self.local_span(&name.text)?;
                let of = ast::Expr { kind: Ast::Each(Box::new(expr.clone())), span: expr.span };
                (Arc::new(Expansion { of, each: Vec::new() }), length)
            }
            _ => return None,
        };
        let turn = |turn| ast::Expr { kind: Ast::Turn(expansion.clone(), turn), span: expr.span };
        Some((0..length).map(turn).collect())
    }

    /// A list with each pack in it written out.
    pub fn spread<'e>(&mut self, list: &'e [ast::Expr]) -> Cow<'e, [ast::Expr]> {
        let is_plain = |expr: &ast::Expr| !matches!(expr.kind, Ast::Expand(_) | Ast::Name(_));
        if list.iter().all(is_plain) || (self.packs.is_empty() && !list.iter().any(is_expand)) {
            return Cow::Borrowed(list);
        }
        let mut spread = Vec::new();
        for expr in list {
            match self.turns_of(expr) {
                Some(turns) => spread.extend(turns),
                None => spread.push(expr.clone()),
            }
        }
        Cow::Owned(spread)
    }

    /// Generic arguments with each pack among them written out.
    pub fn spread_generic<'e>(&mut self, args: &'e [GenericArg]) -> Cow<'e, [GenericArg]> {
        let mut spread: Option<Vec<GenericArg>> = None;
        for (index, arg) in args.iter().enumerate() {
            let turns: Option<Vec<GenericArg>> = match arg {
                GenericArg::Type(ty) => {
                    self.turns_of_type(ty).map(|turns| turns.into_iter().map(GenericArg::Type).collect())
                }
                GenericArg::Value(expr) if is_expand(expr) => {
                    self.turns_of(expr).map(|turns| turns.into_iter().map(GenericArg::Value).collect())
                }
                GenericArg::Value(_) => None,
            };
            match (turns, &mut spread) {
                (Some(turns), spread) => spread.get_or_insert_with(|| args[..index].to_vec()).extend(turns),
                (None, Some(spread)) => spread.push(arg.clone()),
                (None, None) => {}
            }
        }
        spread.map_or(Cow::Borrowed(args), Cow::Owned)
    }

    /// `expand f(each args);` as a statement.
    pub fn written_out(&mut self, turns: &[ast::Expr]) -> Vec<Stmt> {
        let stmt = |turn: &ast::Expr| Stmt { kind: StmtKind::Expr(self.expr(turn)), span: turn.span };
        turns.iter().map(stmt).collect()
    }

    /// `expand e` where one value is needed.
    pub fn tuple_of_pack(&mut self, expand: &ast::Expr) -> Expr {
        let turns = self.turns_of(expand).unwrap_or_default();
        let elements: Vec<Expr> = turns.iter().map(|turn| self.expr(turn)).collect();
        if self.broken { self.silent_error(expand.span) } else { self.tuple_from(elements, expand.span) }
    }

    /// `countof(T)` of a pack, a tuple or a tuple's type.
    pub fn count_of(&mut self, operand: &ast::Expr, span: Span) -> Expr {
        let length = match base(operand).and_then(|name| self.pack_length(&name.text)) {
            Some(length) => Some(length),
            None => match self.item(operand) {
                Item::Type(ty) | Item::Value(Expr { ty, .. }) => {
                    self.checker.program.tuple_elements(&ty).map(|elements| elements.len())
                }
                _ => None,
            },
        };
        match length {
            Some(count) => Expr::literal(Literal::Int(count as i128), Ty::INT, span),
            None => {
                if !self.broken {
                    self.no_pack::<()>(operand.span);
                }
                self.silent_error(span)
            }
        }
    }

    /// A candidate with packs, at the lengths at which it takes the arguments.
    pub fn fit_written(&mut self, set: &FunctionSet, id: FnId, args: &[Expr]) -> Result<Fit, String> {
        let mut first = None;
        for length in self.lengths_to_try(set, id, args)? {
            let Declared::Function(at) = self.checker.written(Declared::Function(id), length)? else {
                continue;
            };
            let before = self.checker.diagnostics.len();
            let signature = self.checker.signature_in(set, at);
            if signature.broken {
                // What is wrong with the declaration itself was said there.
                let is_itself = at == id;
                let found = self.checker.diagnostics.iter().nth(before).map(|found| found.message.clone());
                if !is_itself {
                    self.checker.diagnostics.truncate(before);
                }
                first.get_or_insert_with(|| found.unwrap_or_else(|| "is wrong itself".into()));
                continue;
            }
            match self.fit(set, at, &signature, args) {
                Ok(fit) => return Ok(fit),
                Err(why) => first = first.or(Some(why)),
            }
        }
        Err(first.unwrap_or_else(|| "the arguments do not tell how long its packs are".into()))
    }

    fn lengths_to_try(&self, set: &FunctionSet, id: FnId, args: &[Expr]) -> Result<Vec<usize>, String> {
        let function = &self.checker.program.functions[id];
        let generics = &function.ast.generics;
        let given = set.generics.as_ref().map_or(0, Vec::len);
        if given > generics.params.iter().filter(|param| !param.is_pack).count() {
            return Ok(vec![length_of(generics, given)?]);
        }
        let is_pack = |ty: &TypeExpr| match &ty.kind {
            TypeExprKind::Expand(_) => true,
            TypeExprKind::Path(path) => {
                let names = |pack: &ast::GenericParam| pack.is_pack && pack.name.text == path[0].name.text;
                path.len() == 1 && generics.params.iter().any(names)
            }
            _ => false,
        };
        let taken = function.ast.params.iter().filter(|param| is_pack(&param.ty)).count();
        let fixed = function.ast.params.len() - taken;
        if taken == 0 {
            // A tuple or another type with packs among the arguments may tell.
            let mut lengths: Vec<usize> = args.iter().filter_map(|arg| self.length_within(&arg.ty)).collect();
            lengths.dedup();
            if lengths.is_empty() {
                lengths.push(0);
            }
            return Ok(lengths);
        }
        // Derivatives take the object, and the cotangent of the result, as arguments.
        let more = if set.derivatives.is_empty() { 0 } else { 1 + set.derivatives.len() };
        let lengths: Vec<usize> = (0..=more)
            .filter_map(|more| {
                let rest = args.len().checked_sub(fixed + more)?;
                rest.is_multiple_of(taken).then(|| rest / taken)
            })
            .collect();
        match lengths.is_empty() {
            true if args.len() < fixed => Err(format!("takes {fixed} arguments or more")),
            true => Err(format!("takes {fixed} arguments, and {taken} packs of the same length")),
            false => Ok(lengths),
        }
    }

    /// How many elements the packs of a type have.
    fn length_within(&self, ty: &Ty) -> Option<usize> {
        let program = &self.checker.program;
        match ty {
            Ty::Pair(_, of) | Ty::Array(of, _) | Ty::Differential(of) => self.length_within(of),
            Ty::Struct(id, _) if program.structs[*id].length.is_some() => program.structs[*id].length,
            ty => program.tuple_elements(ty).map(|elements| elements.len()),
        }
    }
}

fn is_expand(expr: &ast::Expr) -> bool {
    matches!(expr.kind, Ast::Expand(_))
}
