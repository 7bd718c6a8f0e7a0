//! Declarations with packs, written out: each is a plain generic one for every number of elements that it is used with.
//!
//! The declaration itself stands for packs of one element, or of as many as its `where` says: it is checked whether or not it is used.
//! All packs of a declaration have the same number of elements.

use super::Checker;
use super::collect::Place;
use super::context::Context;
use super::count::Count;
use super::pack::head;
use super::program::{
    Alias, AliasId, FnId, Function, InterfaceId, Lazy, MembersId, Program, Requirement, RequirementKind,
    ScopeId, StructId, Symbol,
};
use super::stages::{Extent, Stage};
use super::types::{Arg, ParamId, Subst, Ty};
use super::visibility::Visibility;
use crate::slang::ast::{self, ConstraintKind, GenericArg, TypeExpr};
use pullback_base::{Code, Span, ids::Id};
use std::sync::Arc;

/// A pack has no more elements.
const MAX_LENGTH: usize = 64;

/// What can have packs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Declared {
    Function(FnId),
    Struct(StructId),
    Interface(InterfaceId),
    Alias(AliasId),
}

/// Where a type was entered, to enter it again.
#[derive(Clone)]
pub struct Site {
    scope: ScopeId,
    prefix: Arc<str>,
    owner: Option<MembersId>,
    module: Option<ScopeId>,
    visibility: Visibility,
    is_std: bool,
}

impl Site {
    fn place(&self) -> Place<'_> {
        let Site { scope, owner, module, visibility, is_std, .. } = *self;
        Place { scope, prefix: &self.prefix, owner, module, visibility, is_std }
    }
}

impl Place<'_> {
    pub fn kept(&self) -> Site {
        let Place { scope, prefix, owner, module, visibility, is_std } = *self;
        Site { scope, prefix: prefix.into(), owner, module, visibility, is_std }
    }
}

/// `where countof(T) == N`: what it is to be, and what it is. `None` for `nonempty(T)`.
#[derive(Clone)]
pub struct PackCount {
    name: Arc<str>,
    wanted: Option<Count>,
    have: usize,
}

/// The parameters that generic ones are written out to, and of packs which element each is.
pub fn written_params(
    generics: &ast::Generics,
    length: Option<usize>,
) -> Vec<(&ast::GenericParam, Option<usize>)> {
    let mut written = Vec::new();
    for param in &generics.params {
        match length.filter(|_| param.is_pack) {
            Some(length) => written.extend((0..length).map(|turn| (param, Some(turn)))),
            None => written.push((param, None)),
        }
    }
    written
}

/// How many parameters generic ones are written out to.
pub fn own_count(generics: &ast::Generics, length: Option<usize>) -> usize {
    let packs = packs_of(generics);
    generics.params.len() - packs + packs * length.unwrap_or(0)
}

fn packs_of(generics: &ast::Generics) -> usize {
    generics.params.iter().filter(|param| param.is_pack).count()
}

/// How many elements the packs of a declaration have where so many generic arguments are given; what it takes where there is no such
/// number.
pub fn length_of(generics: &ast::Generics, given: usize) -> Result<usize, String> {
    let packs = packs_of(generics);
    let rest = given.saturating_sub(generics.params.len() - packs);
    match rest.checked_rem(packs) {
        Some(0) => Ok(rest / packs),
        _ => Err(format!("has {packs} packs, of the same length each, and is given {rest} elements")),
    }
}

/// What a declaration stands for by itself.
pub fn first_length(generics: &ast::Generics) -> Option<usize> {
    let is_pack =
        |name: &ast::Name| generics.params.iter().any(|param| param.is_pack && param.name.text == name.text);
    let stated = generics.constraints.iter().find_map(|constraint| match &constraint.kind {
        ConstraintKind::Counts(ast::Expr { kind: ast::ExprKind::Int { value, .. }, .. })
            if head(&constraint.subject).is_some_and(is_pack) =>
        {
            usize::try_from(*value).ok().filter(|count| *count <= MAX_LENGTH)
        }
        _ => None,
    });
    (packs_of(generics) > 0).then(|| stated.unwrap_or(1))
}

impl Program<'_> {
    /// How many elements the packs of a function, or of the type whose member it is, have.
    pub fn written_length(&self, id: FnId) -> Option<usize> {
        let function = &self.functions[id];
        let owner = || match self.members[function.owner?].this {
            Ty::Struct(id, _) => self.structs[id].length,
            _ => None,
        };
        function.length.or_else(owner)
    }

    fn length(&self, declared: Declared) -> Option<usize> {
        match declared {
            Declared::Function(id) => self.functions[id].length,
            Declared::Struct(id) => self.structs[id].length,
            Declared::Interface(id) => self.interfaces[id].length,
            Declared::Alias(id) => self.aliases[id].length,
        }
    }
}

impl Program<'_> {
    /// A function at as many elements as another one asks for, if it was written out to so many.
    pub fn at_length_of(&self, id: FnId, asked: &Function<'_>) -> Option<FnId> {
        match (self.functions[id].length, asked.length) {
            (Some(_), Some(length)) if self.functions[id].length != Some(length) => {
                match self.written.get(&(Declared::Function(id), length)) {
                    Some(Declared::Function(id)) => Some(*id),
                    _ => None,
                }
            }
            (has, asks) => (has.is_some() == asks.is_some()).then_some(id),
        }
    }

    /// Where a function that is to be given for another one asks for other numbers of elements. `subst` is what the other one's generic
    /// parameters stand for.
    pub fn other_packs(&self, asked: FnId, given: FnId, subst: &Subst) -> Option<String> {
        let counts = |id| self.pack_counts.get(&Declared::Function(id)).map_or(&[][..], |counts| counts);
        let asks = |count: &PackCount| count.wanted.as_ref().map(|wanted| wanted.subst(self, subst));
        let asked: Vec<Option<Count>> = counts(asked).iter().map(asks).collect();
        let more = counts(given).iter().find(|count| !asked.contains(&count.wanted))?;
        Some(match &more.wanted {
            Some(wanted) => {
                format!(
                    "asks that `countof({}) == {}`, not so the interface",
                    more.name,
                    self.show_count(wanted)
                )
            }
            None => format!("asks that `nonempty({})`, not so the interface", more.name),
        })
    }
}

impl<'a> Checker<'a> {
    /// A declaration with packs, at packs of that length.
    pub fn written(&mut self, declared: Declared, length: usize) -> Result<Declared, String> {
        if length > MAX_LENGTH {
            return Err(format!("would have {length} elements in a pack: more than {MAX_LENGTH}"));
        }
        if self.program.length(declared) == Some(length) {
            return Ok(declared);
        }
        if let Some(known) = self.program.written.get(&(declared, length)) {
            return Ok(*known);
        }
        let is_type = matches!(declared, Declared::Struct(_) | Declared::Interface(_));
        let is_late = is_type && self.stage == Stage::Declared;
        if is_late {
            // It is looked at like a module of its own.
            let now = Extent::of(&self.program);
            (self.resolved, self.declared, self.stage) = (now, now, Stage::Entered);
        }
        let before = self.diagnostics.len();
        let written = match declared {
            Declared::Function(id) => Declared::Function(self.write_function(id, length)),
            Declared::Alias(id) => Declared::Alias(self.write_alias(id, length)),
            Declared::Struct(id) => {
                let (ast, site) = (self.program.structs[id].ast, self.program.sites[&declared].clone());
                Declared::Struct(self.add_struct(ast, site.place(), Some(length)))
            }
            Declared::Interface(id) => {
                let (ast, site) = (self.program.interfaces[id].ast, self.program.sites[&declared].clone());
                Declared::Interface(self.add_interface(ast, site.place(), Some(length)))
            }
        };
        self.program.written.insert((declared, length), written);
        match self.stage {
            _ if is_late => self.resolve_declarations(),
            Stage::Interfaces if is_type => self.resolve_interfaces(),
            Stage::Headers if is_type => self.resolve_headers(),
            _ => {}
        }
        self.drop_repeated(before, Some(length));
        Ok(written)
    }

    /// Drops reports behind the first `before` that say of a place what was said of it there. The others are of packs of that length.
    pub fn drop_repeated(&mut self, before: usize, length: Option<usize>) {
        let mut reports = std::mem::take(&mut self.diagnostics).into_vec();
        let new = reports.split_off(before);
        for report in reports {
            self.diagnostics.push(report);
        }
        for report in new {
            let said = |known: &pullback_base::Diagnostic| {
                known.code == report.code && known.span() == report.span()
            };
            if !self.diagnostics.iter().take(before).any(said) {
                self.diagnostics.push(match length {
                    Some(length) => report.note(format!("where packs have {length} elements")),
                    None => report,
                });
            }
        }
    }

    /// What an interface asks of packs of one length, whoever conforms gives at that length.
    pub fn answer_written(&mut self, asked: FnId) {
        let function = &self.program.functions[asked];
        let (Some(length), Some(_)) = (function.length, function.requirement) else { return };
        let (name, template) = (function.name.clone(), function.ast);
        let is_written = |id| self.program.written.values().any(|it| *it == Declared::Function(id));
        let functions = self.program.functions.iter();
        let answers: Vec<FnId> = functions
            .filter(|(_, it)| it.length.is_some() && it.requirement.is_none() && it.owner.is_some())
            .filter(|(_, it)| it.name == name && !std::ptr::eq(it.ast, template))
            .map(|(id, _)| id)
            .filter(|id| !is_written(*id))
            .collect();
        for answer in answers {
            if let Ok(Declared::Function(id)) = self.written(Declared::Function(answer), length) {
                self.signature(id);
                self.want(id);
            }
        }
    }

    fn write_function(&mut self, id: FnId, length: usize) -> FnId {
        let mut function = self.program.functions[id].clone();
        if let Some(requirement) = &mut function.requirement {
            let asked = self.program.requirements[*requirement].clone();
            let kind = RequirementKind::Function(FnId::from_index(self.program.functions.len()));
            *requirement = self.program.requirements.push(Requirement { kind, ..asked });
        }
        let lengths = [function.length, Some(length)];
        let (scope, generics) =
            self.write_generics(&function.ast.generics, &function.generics, function.scope, lengths);
        self.program.functions.push(Function {
            scope,
            generics,
            length: Some(length),
            packs: Vec::new(),
            signature: Lazy::Pending,
            ..function
        })
    }

    fn write_alias(&mut self, id: AliasId, length: usize) -> AliasId {
        let alias = self.program.aliases[id].clone();
        let lengths = [alias.length, Some(length)];
        let (scope, generics) =
            self.write_generics(&alias.ast.generics, &alias.generics, alias.scope, lengths);
        let length = Some(length);
        self.program.aliases.push(Alias { scope, generics, length, ty: Lazy::Pending, ..alias })
    }

    /// The generic parameters of a declaration, which has them in `scope` at another length, entered once more.
    fn write_generics(
        &mut self,
        ast: &'a ast::Generics,
        known: &[ParamId],
        scope: ScopeId,
        [from, to]: [Option<usize>; 2],
    ) -> (ScopeId, Vec<ParamId>) {
        let outer = known[..known.len() - own_count(ast, from)].to_vec();
        let around = self.program.scopes[scope].parent.unwrap_or(scope);
        self.enter_generics(ast, around, outer, to)
    }

    /// The pack that a type begins with.
    pub fn pack_of(&self, ty: &TypeExpr, scope: ScopeId) -> Option<Arc<[ParamId]>> {
        match self.program.lookup(scope, &head(ty)?.text) {
            Some(Symbol::Pack(params)) => Some(params),
            _ => None,
        }
    }

    /// Notes what a declaration says of how many elements its packs have; whether that is right.
    pub fn count_packs(&mut self, declared: Declared, generics: &ast::Generics, scope: ScopeId) -> bool {
        let mut counts = Vec::new();
        for constraint in &generics.constraints {
            let is_count = matches!(constraint.kind, ConstraintKind::Counts(_) | ConstraintKind::NonEmpty);
            let name = head(&constraint.subject).filter(|_| is_count);
            let (Some(name), Some(pack)) = (name, self.pack_of(&constraint.subject, scope)) else { continue };
            let wanted = match &constraint.kind {
                ConstraintKind::Counts(count) => {
                    let mut context = Context::of_scope(self, scope);
                    let Some(count) = context.count(count) else { return false };
                    Some(count)
                }
                _ => None,
            };
            counts.push(PackCount { name: name.text.clone(), wanted, have: pack.len() });
        }
        if !counts.is_empty() {
            self.program.pack_counts.insert(declared, counts);
        }
        true
    }
}

impl Context<'_, '_> {
    /// A type or an interface, at packs as long as the generic arguments tell; an error and `None` where there is none.
    pub fn written_for(&mut self, declared: Declared, given: &[GenericArg], span: Span) -> Option<Declared> {
        let program = &self.checker.program;
        let (name, generics) = match declared {
            Declared::Function(id) => (&program.functions[id].name, &program.functions[id].ast.generics),
            Declared::Struct(id) => (&program.structs[id].name, &program.structs[id].ast.generics),
            Declared::Interface(id) => (&program.interfaces[id].name, &program.interfaces[id].ast.generics),
            Declared::Alias(id) => (&program.aliases[id].ast.name.text, &program.aliases[id].ast.generics),
        };
        if packs_of(generics) == 0 {
            return Some(declared);
        }
        // Its bare name means itself within.
        if given.is_empty()
            && let Some(around) = self.written_around(declared)
        {
            return Some(around);
        }
        let name = name.clone();
        let length = length_of(generics, given.len());
        match length.and_then(|length| self.checker.written(declared, length)) {
            Ok(written) => Some(written),
            Err(why) => {
                let message = format!("`{name}` {why}");
                self.error(Code::TypeMismatch, message, span, "in these generic arguments");
                None
            }
        }
    }

    /// The same declaration, at whatever length, whose members these are.
    fn written_around(&self, declared: Declared) -> Option<Declared> {
        let program = &self.checker.program;
        let mut at = Some(self.scope);
        while let Some(scope) = at {
            let scope = &program.scopes[scope];
            if let Some(Symbol::This(members)) = scope.names.get("This") {
                let members = &program.members[*members];
                let around = match (members.interface, &members.this) {
                    (Some(id), _) => Some(Declared::Interface(id)),
                    (None, Ty::Struct(id, _)) => Some(Declared::Struct(*id)),
                    _ => None,
                };
                let is_same = match (declared, around) {
                    (Declared::Struct(a), Some(Declared::Struct(b))) => {
                        std::ptr::eq(program.structs[a].ast, program.structs[b].ast)
                    }
                    (Declared::Interface(a), Some(Declared::Interface(b))) => {
                        std::ptr::eq(program.interfaces[a].ast, program.interfaces[b].ast)
                    }
                    _ => false,
                };
                if is_same {
                    return around;
                }
            }
            at = scope.parent;
        }
        None
    }

    /// An error and `None` where a declaration's packs are not as long as it says.
    pub fn refuse_wrong_pack(
        &mut self,
        declared: Declared,
        generics: &[ParamId],
        args: &[Arg],
        span: Span,
    ) -> Option<()> {
        let subst: Subst = generics.iter().copied().zip(args.iter().cloned()).collect();
        let Some(why) = self.wrong_pack(declared, &subst) else { return Some(()) };
        self.error(Code::TypeMismatch, why, span, "in these generic arguments");
        None
    }

    /// Why a declaration's packs cannot be as long as they are.
    pub fn wrong_pack(&self, declared: Declared, subst: &Subst) -> Option<String> {
        let program = &self.checker.program;
        let around = self.function.and_then(|id| program.pack_counts.get(&Declared::Function(id)));
        program.pack_counts.get(&declared)?.iter().find_map(|count| {
            let (name, have) = (&count.name, count.have);
            let Some(wanted) = &count.wanted else {
                return (have == 0).then(|| format!("`{name}` has no elements"));
            };
            let wanted = wanted.subst(program, subst);
            // What the function around says of its own packs holds in it.
            let is_stated = |it: &PackCount| it.have == have && it.wanted.as_ref() == Some(&wanted);
            let holds =
                wanted.known() == Some(have as i64) || around.is_some_and(|it| it.iter().any(is_stated));
            (!holds).then(|| format!("`{name}` has {have} elements, not {}", program.show_count(&wanted)))
        })
    }
}
