//! Who may name a declaration: `public`, `internal`, `private`.

use super::Checker;
use super::call::FunctionSet;
use super::collect::Place;
use super::context::Context;
use super::global::GlobalType;
use super::program::{FnId, Function, Lazy, MembersId, Program, Role, ScopeId, Symbol};
use super::types::Ty;
use crate::slang::ast::{self, Decl, DeclKind, ModifierKind};
use crate::slang::modules::Unit;
use pullback_base::{Code, Diagnostic, Span};

/// From where a declaration may be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visibility {
    Everywhere,
    /// In the module of this scope.
    Module(ScopeId),
    /// Among these members, and among those of what extends their type or is declared in it.
    Members(MembersId),
}

/// Whether a module says at all what of it is for others: where none does, all is.
pub fn says_visibility(unit: &Unit) -> bool {
    unit.files.iter().any(|file| file.decls.iter().any(decl_says))
}

fn decl_says(decl: &Decl) -> bool {
    const WORDS: [ModifierKind; 3] = [ModifierKind::Public, ModifierKind::Internal, ModifierKind::Private];
    let inner = match &decl.kind {
        DeclKind::ModuleName(_) | DeclKind::Implementing(_) => return true,
        DeclKind::Struct(aggregate) | DeclKind::Interface(aggregate) => &aggregate.members,
        DeclKind::Extension(extension) => &extension.members,
        DeclKind::Namespace(namespace) => &namespace.decls,
        _ => &Vec::new(),
    };
    WORDS.iter().any(|&word| decl.modifiers.has(word)) || inner.iter().any(decl_says)
}

impl Checker<'_> {
    /// What a declaration says, or what holds where it stands: what an interface asks for is as visible as the interface.
    pub fn visibility_of(&mut self, decl: &Decl, place: Place<'_>) -> Visibility {
        let of_interface = place.owner.is_some_and(|owner| self.program.members[owner].interface.is_some());
        if let Some(private) = decl.modifiers.span_of(ModifierKind::Private) {
            if let Some(owner) = place.owner.filter(|_| !of_interface) {
                return Visibility::Members(owner);
            }
            let what =
                if of_interface { "what an interface asks for" } else { "what is no member of a type" };
            self.diagnostics.push(
                Diagnostic::error(Code::SyntaxError, format!("{what} cannot be `private`"))
                    .at(private, "for members of structs and extensions")
                    .help("write `internal`: this module's own"),
            );
        }
        match place.module {
            _ if of_interface => place.visibility,
            Some(module) if !decl.modifiers.has(ModifierKind::Public) => Visibility::Module(module),
            _ => Visibility::Everywhere,
        }
    }
}

impl Program<'_> {
    /// From where a symbol may be named, and its name where it is declared; `of` is the type whose member it is. Functions are told
    /// apart when one is chosen.
    fn visibility(&self, symbol: &Symbol, of: Option<&Ty>) -> Option<(Visibility, &ast::Name)> {
        Some(match *symbol {
            Symbol::Struct(id) => (self.structs[id].visibility, &self.structs[id].ast.name),
            Symbol::Enum(id) => (self.enums[id].visibility, &self.enums[id].ast.name),
            Symbol::Alias(id) => (self.aliases[id].visibility, &self.aliases[id].ast.name),
            Symbol::Interface(id) => (self.interfaces[id].visibility, &self.interfaces[id].ast.name),
            Symbol::Constant(id) => (self.constants[id].visibility, &self.constants[id].ast.name),
            Symbol::Global(id) => (self.globals[id].visibility, &self.globals[id].source?.1.name),
            Symbol::GlobalField(id, index) => {
                let Lazy::Done(GlobalType { ty, .. }) = &self.globals[id].declared else { return None };
                return self.visibility(&Symbol::Field(index), Some(ty));
            }
            Symbol::Field(index) => {
                let &Ty::Struct(id, _) = of? else { return None };
                let (visibility, name) = self.structs[id].field_visibility.get(index as usize)?;
                (*visibility, name)
            }
            _ => return None,
        })
    }

    /// Whether a symbol that is no member of a type may be named from a scope.
    pub fn may_name(&self, symbol: &Symbol, from: ScopeId) -> bool {
        self.visibility(symbol, None).is_none_or(|(visibility, _)| self.admits(visibility, from))
    }

    /// Whether what has that visibility may be named from a scope.
    pub fn admits(&self, visibility: Visibility, from: ScopeId) -> bool {
        let mut scopes = std::iter::successors(Some(from), |&scope| self.scopes[scope].parent);
        match visibility {
            Visibility::Everywhere => true,
            Visibility::Module(module) => scopes.any(|scope| scope == module),
            Visibility::Members(owner) => scopes.any(|scope| match self.scopes[scope].names.get("This") {
                Some(&Symbol::This(members)) => members == owner || self.are_of_one_type(members, owner),
                _ => false,
            }),
        }
    }

    fn are_of_one_type(&self, a: MembersId, b: MembersId) -> bool {
        match (&self.members[a].this, &self.members[b].this) {
            (Ty::Struct(a, _), Ty::Struct(b, _)) => a == b,
            (Ty::Error, _) => false,
            (a, b) => a == b,
        }
    }

    /// What is said of a declaration that may not be named: `private to S`.
    pub fn limit(&self, visibility: Visibility) -> String {
        match visibility {
            Visibility::Members(owner) => format!("private to `{}`", self.show(&self.members[owner].this)),
            _ => "internal to its module".into(),
        }
    }
}

impl Context<'_, '_> {
    /// Reports a symbol that may not be named here; whether it was one.
    pub fn refuse_hidden(&mut self, symbol: &Symbol, of: Option<&Ty>, span: Span) -> bool {
        let program = &self.checker.program;
        let Some((visibility, name)) = program.visibility(symbol, of) else { return false };
        let hidden = !program.admits(visibility, self.scope);
        if hidden {
            let name = name.clone();
            self.report_hidden(visibility, &name, span);
        }
        hidden
    }

    /// Why a function may not be named here, if it may not.
    pub fn limit(&self, function: FnId) -> Option<String> {
        let program = &self.checker.program;
        let visibility = program.functions[function].visibility;
        (!program.admits(visibility, self.scope)).then(|| format!("is {}", program.limit(visibility)))
    }

    /// Reports functions of which none may be named here; whether it is so.
    pub fn refuse_hidden_functions(&mut self, set: &FunctionSet, span: Span) -> bool {
        let Some(&first) = set.candidates.first() else { return false };
        let hidden = set.candidates.iter().all(|&function| self.limit(function).is_some());
        if hidden {
            let Function { visibility, ast, role, .. } = &self.checker.program.functions[first];
            let text = if *role == Role::Constructor { &ast.name.text } else { &set.name };
            let (visibility, name) = (*visibility, ast::Name { text: text.clone(), span: ast.name.span });
            self.report_hidden(visibility, &name, span);
        }
        hidden
    }

    /// Reports a declaration that may not be named here.
    pub fn report_hidden(&mut self, visibility: Visibility, declared: &ast::Name, span: Span) {
        let limit = self.checker.program.limit(visibility);
        let help = match visibility {
            Visibility::Members(_) => "use what the type offers to others, or declare it `internal`",
            _ => "declare it `public`, if it is for other modules",
        };
        self.report(
            Diagnostic::error(Code::UnknownName, format!("`{}` is {limit}", declared.text))
                .at(span, "cannot be named here")
                .also(declared.span, "declared here")
                .help(help),
        );
    }
}
