//! Declarations into scopes: gives each an id and a name, and refuses the kinds that are not supported.

use super::Checker;
use super::pack::element_name;
use super::program::{
    Alias, Constant, FnId, Function, Generic, GenericKind, Lazy, Linkage, Members, MembersId, Role, ScopeId,
    Struct, StructId, Symbol,
};
use super::types::{Bound, ParamId, Ty};
use super::visibility::Visibility;
use super::written::{Declared, first_length};
use crate::slang::ast::{self, Decl, DeclKind, ModifierKind};
use pullback_base::{Code, Diagnostic, Span, ids::Id};
use pullback_ir::Op;
use smallvec::SmallVec;
use std::sync::Arc;

/// Where declarations are being entered.
#[derive(Clone, Copy)]
pub struct Place<'n> {
    pub scope: ScopeId,
    /// What qualified names begin with: `Outer.`.
    pub prefix: &'n str,
    pub owner: Option<MembersId>,
    /// The module, where its declarations are for itself alone unless they say otherwise.
    pub module: Option<ScopeId>,
    /// Of what is being entered.
    pub visibility: Visibility,
    pub is_std: bool,
}

impl Place<'_> {
    /// Outside of everything.
    pub fn of_module(scope: ScopeId, module: Option<ScopeId>, is_std: bool) -> Self {
        Self { scope, prefix: "", owner: None, module, visibility: Visibility::Everywhere, is_std }
    }

    /// A type's name as messages show it. A hidden name of the library's own is shown as its users write it: `__Tuple2` is a `Tuple`.
    pub fn shown<'d>(&self, name: &'d ast::Name) -> &'d str {
        let marks = |letter: char| letter == '_' || letter.is_ascii_digit();
        let is_hidden = self.is_std && name.text.starts_with("__");
        if is_hidden { name.text.trim_matches(marks) } else { &name.text }
    }
}

impl<'a> Checker<'a> {
    pub fn collect(&mut self, decls: &'a [Decl], place: Place<'_>) {
        for decl in decls {
            self.collect_decl(decl, place);
        }
    }

    pub fn collect_decl(&mut self, decl: &'a Decl, place: Place<'_>) {
        let place = Place { visibility: self.visibility_of(decl, place), ..place };
        match &decl.kind {
            DeclKind::Function(function) => {
                self.collect_function(decl, function, place);
            }
            // The arguments of an attribute: no values have such a type.
            DeclKind::Struct(_) if declares_attribute(decl) => {}
            DeclKind::Struct(aggregate) => self.collect_struct(aggregate, place),
            DeclKind::Property(property) => self.collect_property(property, place),
            DeclKind::Subscript(subscript) => self.collect_subscript(subscript, decl.span, place),
            DeclKind::Enum(enumeration) => self.collect_enum(decl, enumeration, place),
            DeclKind::Interface(aggregate) => self.collect_interface(aggregate, place),
            DeclKind::Extension(extension) => self.collect_extension(extension, place),
            DeclKind::TypeAlias(alias) => {
                let length = first_length(&alias.generics);
                let (scope, generics) = self.generic_scope(&alias.generics, place, length);
                let id = self.program.aliases.push(Alias {
                    ast: alias,
                    scope,
                    owner: place.owner,
                    visibility: place.visibility,
                    generics,
                    length,
                    is_bound: false,
                    ty: Lazy::Pending,
                });
                self.declare(place.scope, &alias.name, Symbol::Alias(id));
            }
            DeclKind::Var(var) => self.collect_var(decl, var, place),
            DeclKind::Buffer(buffer) => self.collect_constant_buffer(buffer, place),
            DeclKind::Namespace(namespace) => {
                let known = self.program.scopes[place.scope].names.get(&namespace.name.text);
                let scope = match known {
                    Some(Symbol::Namespace(scope)) => *scope,
                    _ => {
                        let scope = self.program.new_scope(Some(place.scope));
                        self.declare(place.scope, &namespace.name, Symbol::Namespace(scope));
                        scope
                    }
                };
                let prefix = format!("{}{}.", place.prefix, namespace.name.text);
                self.collect(&namespace.decls, Place { scope, prefix: &prefix, ..place });
            }
            DeclKind::Assertion(args) if place.owner.is_none() => {
                self.assertions.push((place.scope, args, decl.span));
            }
            DeclKind::Assertion(_) => self.unsupported("assertions among members", decl.span),
            DeclKind::Using(name) => match self.namespace(place.scope, &name.text) {
                Some(scope) => self.program.scopes[place.scope].using.push(scope),
                None => self.error(
                    Code::UnknownName,
                    format!("no namespace named `{}` is in scope", name.text),
                    name.span,
                    "not a namespace declared above",
                ),
            },
            // What these bring in is there already: see `modules`.
            DeclKind::Import(_)
            | DeclKind::Include(_)
            | DeclKind::ModuleName(_)
            | DeclKind::Implementing(_) => {}
            other => self.refuse(other, decl, place),
        }
    }

    /// The namespace of a dotted name.
    fn namespace(&self, from: ScopeId, path: &str) -> Option<ScopeId> {
        let mut names = path.split('.');
        let mut found = self.program.lookup(from, names.next()?);
        for name in names {
            let Some(Symbol::Namespace(scope)) = found else { return None };
            found = self.program.member(scope, name);
        }
        match found {
            Some(Symbol::Namespace(scope)) => Some(scope),
            _ => None,
        }
    }

    fn refuse(&mut self, kind: &DeclKind, decl: &Decl, place: Place<'_>) {
        let (what, name) = match kind {
            DeclKind::AssociatedType(decl) => ("associated types", Some(&decl.name)),
            _ => ("declarations of this kind", None),
        };
        let span = name.map_or(decl.span, |name| name.span);
        self.unsupported(what, span);
        if let Some(name) = name {
            self.program.scopes[place.scope].names.insert(name.text.clone(), Symbol::Refused);
        }
    }

    fn collect_var(&mut self, decl: &'a Decl, var: &'a ast::Var, place: Place<'_>) {
        let modifiers = &decl.modifiers;
        // An extension names a field of its type, to say which field of the tangents' type is its own.
        if place.owner.is_some() && modifiers.has(ModifierKind::Extern) {
            return;
        }
        let constant = modifiers.has(ModifierKind::Const) && modifiers.has(ModifierKind::Static);
        let linkage = match () {
            _ if modifiers.has(ModifierKind::Extern) => Linkage::Extern,
            _ if modifiers.has(ModifierKind::Export) => Linkage::Export,
            _ => Linkage::Own,
        };
        if constant && (var.init.is_some() || linkage == Linkage::Extern) {
            let Place { scope, owner, visibility, .. } = place;
            let constant =
                Constant { ast: var, scope, owner, visibility, linkage, linked: None, value: Lazy::Pending };
            let id = self.program.constants.push(constant);
            return self.declare(place.scope, &var.name, Symbol::Constant(id));
        }
        if !constant {
            return self.collect_global(decl, var, place);
        }
        let name = &var.name.text;
        self.error(Code::NotConstant, format!("`{name}` has no value"), var.name.span, "needs one");
        self.program.scopes[place.scope].names.insert(var.name.text.clone(), Symbol::Refused);
    }

    fn collect_struct(&mut self, aggregate: &'a ast::Aggregate, place: Place<'_>) {
        if aggregate.has_body {
            let id = self.add_struct(aggregate, place, first_length(&aggregate.generics));
            self.declare(place.scope, &aggregate.name, Symbol::Struct(id));
        }
    }

    /// Enters a struct and its members, but no name for it.
    pub fn add_struct(
        &mut self,
        aggregate: &'a ast::Aggregate,
        place: Place<'_>,
        length: Option<usize>,
    ) -> StructId {
        let name = &aggregate.name;
        let (outer, generics) = self.generic_scope(&aggregate.generics, place, length);
        let scope = self.program.new_scope(Some(outer));
        let qualified: Arc<str> = format!("{}{}", place.prefix, place.shown(name)).into();
        let args = generics.iter().map(|&param| self.program.generic_as_arg(param)).collect();
        let this = Ty::Struct(StructId::from_index(self.program.structs.len()), args);
        let members = self.program.members.push(Members { interface: None, generics, this });
        self.program.scopes[scope].names.insert("This".into(), Symbol::This(members));
        let id = self.program.structs.push(Struct {
            name: qualified.clone(),
            ast: aggregate,
            scope,
            members,
            length,
            owner: place.owner,
            visibility: place.visibility,
            field_visibility: Vec::new(),
            fields: Lazy::Pending,
            initials: Lazy::Pending,
            leaves: 0,
            is_std: place.is_std,
            broken: false,
            lambda: None,
            span: name.span,
        });
        if length.is_some() {
            self.program.sites.insert(Declared::Struct(id), place.kept());
        }
        let prefix = format!("{qualified}.");
        let inner = Place { scope, prefix: &prefix, owner: Some(members), ..place };
        let mut index = 0;
        for member in &aggregate.members {
            match &member.kind {
                DeclKind::Var(field) if !member.modifiers.has(ModifierKind::Static) => {
                    self.declare(scope, &field.name, Symbol::Field(index));
                    let visibility = (self.visibility_of(member, inner), field.name.clone());
                    self.program.structs[id].field_visibility.push(visibility);
                    index += 1;
                }
                _ => self.collect_decl(member, inner),
            }
        }
        id
    }

    pub fn collect_function(
        &mut self,
        decl: &'a Decl,
        function: &'a ast::Function,
        place: Place<'_>,
    ) -> Option<FnId> {
        let has = |kind| decl.modifiers.has(kind);
        let is_method = match function.role {
            ast::FunctionRole::Plain => true,
            ast::FunctionRole::Operator => &*function.name.text == "operator()",
            ast::FunctionRole::Constructor => false,
        };
        let role = match (function.role, place.owner) {
            (ast::FunctionRole::Constructor, Some(_)) => Role::Constructor,
            (_, Some(_)) if is_method && !has(ModifierKind::Static) => {
                let mutating = decl.attributes.iter().any(|attribute| &*attribute.name.text == "mutating");
                Role::Method { mutating }
            }
            (ast::FunctionRole::Operator, Some(_)) => {
                self.unsupported("operators declared in structs", function.name.span);
                return None;
            }
            (ast::FunctionRole::Plain | ast::FunctionRole::Operator, _) => Role::Plain,
            (ast::FunctionRole::Constructor, None) => {
                self.unsupported("constructors outside of structs", function.name.span);
                return None;
            }
        };
        let id = self.add_function(decl, function, role, place);
        self.name_function(id, place.scope);
        Some(id)
    }

    /// Enters a function's name, beside others of that name.
    pub fn name_function(&mut self, id: FnId, scope: ScopeId) {
        let name = &self.program.functions[id].ast.name;
        match self.program.scopes[scope].names.get_mut(&name.text) {
            Some(Symbol::Functions(functions)) => functions.push(id),
            Some(Symbol::Refused) => {}
            _ => self.declare(scope, name, Symbol::Functions(SmallVec::from_slice(&[id]))),
        }
    }

    /// Gives a function an id, but no name to call it by.
    pub fn add_function(
        &mut self,
        decl: &'a Decl,
        function: &'a ast::Function,
        role: Role,
        place: Place<'_>,
    ) -> FnId {
        let length = first_length(&function.generics);
        let (scope, generics) = self.generic_scope(&function.generics, place, length);
        let op = if place.is_std { std_op(decl) } else { None };
        let name = &function.name;
        self.program.functions.push(Function {
            name: name.text.clone(),
            qualified: format!("{}{}", place.prefix, name.text).into(),
            decl,
            ast: function,
            scope,
            generics,
            owner: place.owner,
            visibility: place.visibility,
            length,
            packs: Vec::new(),
            role,
            is_std: place.is_std,
            op,
            requirement: None,
            sets_through: None,
            given: Vec::new(),
            signature: Lazy::Pending,
        })
    }

    /// Enters generic parameters, packs written out to so many, with bounds still to be found: the scope that has them, and they
    /// themselves behind those of the type around.
    pub fn generic_scope(
        &mut self,
        generics: &'a ast::Generics,
        place: Place<'_>,
        length: Option<usize>,
    ) -> (ScopeId, Vec<ParamId>) {
        let params = place.owner.map_or_else(Vec::new, |owner| self.program.members[owner].generics.clone());
        if generics.params.is_empty() {
            return (place.scope, params);
        }
        self.enter_generics(generics, place.scope, params, length)
    }

    /// Enters generic parameters behind `params`, in a scope of their own.
    pub fn enter_generics(
        &mut self,
        generics: &ast::Generics,
        around: ScopeId,
        mut params: Vec<ParamId>,
        length: Option<usize>,
    ) -> (ScopeId, Vec<ParamId>) {
        let scope = self.program.new_scope(Some(around));
        for param in &generics.params {
            let length = length.filter(|_| param.is_pack);
            let kind = match &param.kind {
                ast::GenericParamKind::Type { .. } => {
                    GenericKind::Type { bound: Bound::ANY, interfaces: Vec::new(), default: None }
                }
                ast::GenericParamKind::Value { .. } => GenericKind::Count { ty: Ty::INT, default: None },
            };
            let (name, span) = (param.name.text.clone(), param.name.span);
            let Some(length) = length else {
                let id = self.program.generics.push(Generic { name, kind, facts: Vec::new(), span });
                self.declare(scope, &param.name, Symbol::Generic(id));
                params.push(id);
                continue;
            };
            let element = |turn| Generic {
                name: element_name(&name, turn, length),
                kind: kind.clone(),
                facts: Vec::new(),
                span,
            };
            let ids: Vec<ParamId> =
                (0..length).map(|turn| self.program.generics.push(element(turn))).collect();
            params.extend_from_slice(&ids);
            self.declare(scope, &param.name, Symbol::Pack(ids.into()));
        }
        (scope, params)
    }

    /// Enters a name; an error when it is taken.
    pub fn declare(&mut self, scope: ScopeId, name: &ast::Name, symbol: Symbol) {
        match self.program.scopes[scope].names.get(&name.text) {
            None => {
                self.program.scopes[scope].names.insert(name.text.clone(), symbol);
            }
            Some(Symbol::Refused) => {}
            Some(_) => {
                let first = self.symbol_span(scope, &name.text);
                self.duplicate(&name.text, name.span, first);
            }
        }
    }

    pub fn duplicate(&mut self, name: &str, second: Span, first: Span) {
        self.diagnostics.push(
            Diagnostic::error(Code::DuplicateName, format!("`{name}` is declared twice"))
                .at(second, "declared again")
                .also(first, "first declared here")
                .help("rename or remove one of them"),
        );
    }

    fn symbol_span(&self, scope: ScopeId, name: &str) -> Span {
        let program = &self.program;
        match program.scopes[scope].names.get(name) {
            Some(Symbol::Functions(functions)) => program.functions[functions[0]].ast.name.span,
            Some(Symbol::Struct(id)) => program.structs[*id].span,
            Some(Symbol::Enum(id)) => program.enums[*id].span,
            Some(Symbol::Case(id, case)) => program.enums[*id].ast.cases[*case as usize].name.span,
            Some(Symbol::Alias(id)) => program.aliases[*id].ast.name.span,
            Some(Symbol::Interface(id)) => program.interfaces[*id].span,
            Some(Symbol::Requirement(id)) => program.requirements[*id].span,
            Some(Symbol::Constant(id)) => program.constants[*id].ast.name.span,
            Some(Symbol::Generic(param)) => program.generics[*param].span,
            Some(Symbol::Global(id) | Symbol::GlobalField(id, _)) => program.globals[*id].span,
            Some(Symbol::Field(_)) => {
                let declared = program.structs.iter().find(|(_, declared)| declared.scope == scope);
                let members = declared.map_or(&[][..], |(_, declared)| &declared.ast.members);
                let names = members.iter().filter_map(|member| match &member.kind {
                    DeclKind::Var(field) => Some(&field.name),
                    _ => None,
                });
                names.into_iter().find(|field| &*field.text == name).map_or(Span::NONE, |field| field.span)
            }
            _ => Span::NONE,
        }
    }
}

fn declares_attribute(decl: &Decl) -> bool {
    decl.attributes.iter().any(|attribute| &*attribute.name.text == "__AttributeUsage")
}

/// The operation a declaration of the standard library stands for: `[__op("sin")]`. The scalar of `convert` and
/// `bitcast` is that of the result.
fn std_op(decl: &Decl) -> Option<Op> {
    let attribute = decl.attributes.iter().find(|attribute| &*attribute.name.text == "__op")?;
    let Some(ast::ExprKind::String(name)) = attribute.args.first().map(|arg| &arg.kind) else {
        pullback_base::bug!("std", "`__op` of {:?} names no operation", decl.span)
    };
    let op = match &**name {
        "bitcast" => Some(Op::Bitcast(pullback_base::Scalar::F32)),
        name => Op::from_name(name),
    };
    Some(op.unwrap_or_else(|| pullback_base::bug!("std", "there is no operation `{name}`")))
}
