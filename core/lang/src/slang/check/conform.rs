//! Which types conform to which interfaces, and what they give for what those ask: questions to the tables alone.

use super::count::{Count, in_range};
use super::done;
use super::infer::matches;
use super::program::{
    AliasId, Conformance, ConstId, Fact, Field, FnId, Generic, GenericKind, InterfaceId, InterfaceRef,
    MembersId, Program, PropertyId, RequirementId, RequirementKind, Symbol,
};
use super::types::{Arg, Bound, Elem, ParamId, Shape, Subst, Ty};
use pullback_ir::MatrixOrder;
use smallvec::SmallVec;
use std::sync::Arc;

/// How many types are looked at to see what a value may hold.
const MAX_SEEN: usize = 1000;
/// How many extensions of interfaces may lead to one another in one answer: those that go in circles end nowhere.
const MAX_DEPTH: u32 = 16;

impl Ty {
    /// The generic type that this is, if it is one.
    pub fn as_param(&self) -> Option<ParamId> {
        match self {
            Ty::Number(Elem::Param(param), Shape::Scalar) => Some(*param),
            _ => None,
        }
    }

    /// Not known before generic parameters are: a generic type, or an associated type of one.
    pub fn is_abstract(&self) -> bool {
        self.head().is_some()
    }

    /// Whether a generic parameter is part of the type.
    pub fn mentions(&self, param: ParamId) -> bool {
        let counts = |count: &Count| count.mentions(param);
        let arg_mentions = |arg: &Arg| match arg {
            Arg::Type(ty) => ty.mentions(param),
            Arg::Count(count) => counts(count),
        };
        match self {
            Ty::Number(elem, shape) => {
                let sized = shape.counts().into_iter().any(counts);
                *elem == Elem::Param(param) || sized
            }
            Ty::Array(element, count) => counts(count) || element.mentions(param),
            Ty::Buffer(_, element)
            | Ty::Pointer(_, element)
            | Ty::Pair(_, element)
            | Ty::Differential(element) => element.mentions(param),
            Ty::Struct(_, args) => args.iter().any(arg_mentions),
            Ty::Interface(interface) => interface.args.iter().any(arg_mentions),
            Ty::Assoc(base, _) => base.mentions(param),
            _ => false,
        }
    }

    /// Whether a type is part of the type, or it itself.
    pub fn contains(&self, part: &Ty) -> bool {
        let arg_contains = |arg: &Arg| matches!(arg, Arg::Type(ty) if ty.contains(part));
        self == part
            || match self {
                Ty::Array(inner, _)
                | Ty::Buffer(_, inner)
                | Ty::Pointer(_, inner)
                | Ty::Pair(_, inner)
                | Ty::Differential(inner)
                | Ty::Assoc(inner, _) => inner.contains(part),
                Ty::Number(elem, _) => part.number().is_some_and(|(other, shape)| {
                    other == *elem && shape == Shape::Scalar && matches!(elem, Elem::Param(_))
                }),
                Ty::Struct(_, args) => args.iter().any(arg_contains),
                Ty::Interface(interface) => interface.args.iter().any(arg_contains),
                Ty::Error | Ty::Void | Ty::Enum(_) | Ty::Atomic(_) => false,
            }
    }

    /// The parameter that tells an abstract type.
    pub fn head(&self) -> Option<ParamId> {
        match self {
            Ty::Assoc(base, _) | Ty::Differential(base) => base.head(),
            other => other.as_param(),
        }
    }
}

/// A declaration whose meaning is still to be found.
pub enum Unsettled {
    Alias(AliasId),
    Constant(ConstId),
}

impl Fact {
    fn subst(&self, program: &Program<'_>, subst: &Subst) -> Fact {
        Fact {
            subject: self.subject.renamed(program, subst),
            interfaces: self.interfaces.iter().map(|interface| interface.subst(program, subst)).collect(),
            equals: self.equals.as_ref().map(|equals| equals.subst(program, subst)),
        }
    }
}

impl Ty {
    /// A projection with another type at its beginning, as it is written: what is said of it is not put in its place.
    fn renamed(&self, program: &Program<'_>, subst: &Subst) -> Ty {
        match self {
            Ty::Assoc(base, requirement) => Ty::Assoc(base.renamed(program, subst).into(), *requirement),
            Ty::Differential(of) => Ty::Differential(of.renamed(program, subst).into()),
            other => other.subst(program, subst),
        }
    }
}

impl InterfaceRef {
    pub fn subst(&self, program: &Program<'_>, subst: &Subst) -> InterfaceRef {
        InterfaceRef { id: self.id, args: self.args.iter().map(|arg| arg.subst(program, subst)).collect() }
    }
}

impl Program<'_> {
    pub fn requirement_bound(&self, requirement: RequirementId) -> Bound {
        match &self.requirements[requirement].kind {
            RequirementKind::Type { bound, .. } => *bound,
            RequirementKind::Function(_) | RequirementKind::Constant { .. } => Bound::ANY,
        }
    }

    /// What the parameters of an interface stand for when a type conforms to it.
    pub fn interface_subst(&self, interface: &InterfaceRef, this: &Ty) -> Subst {
        let members = &self.members[self.interfaces[interface.id].members];
        let args = interface.args.iter().cloned().chain([Arg::Type(this.clone())]);
        members.generics.iter().copied().zip(args).collect()
    }

    /// An interface and all that it inherits, as `this` conforms to it.
    pub fn with_bases(&self, interface: &InterfaceRef, this: &Ty) -> Vec<InterfaceRef> {
        let subst = self.interface_subst(interface, this);
        let bases = self.interfaces[interface.id].bases.iter().map(|base| base.subst(self, &subst));
        std::iter::once(interface.clone()).chain(bases).collect()
    }

    /// The types a value of an interface's type may have inside, in the order of their declarations.
    pub fn conforming(&self, interface: &InterfaceRef) -> Vec<Ty> {
        let structs = self.structs.values().map(|decl| &self.members[decl.members]);
        let extended = self.extensions.iter().map(|extension| &self.members[extension.members]);
        let mut types: Vec<Ty> = Vec::new();
        for members in structs.chain(extended).filter(|members| members.generics.is_empty()) {
            if !types.contains(&members.this) && self.conforms(&members.this, interface) {
                types.push(members.this.clone());
            }
        }
        types.extend(self.erased.iter().filter(|ty| self.conforms(ty, interface)).cloned());
        types
    }

    /// The tangents of a value of an interface's type: room for those of each type that may be inside.
    pub fn tangents_inside(&self, interface: &InterfaceRef) -> Arc<[Field]> {
        let room = (1..).zip(self.conforming(interface)).filter_map(|(number, ty)| {
            let ty = self.differential(&ty)?;
            Some(Field { name: format!("as_{number}").into(), ty, no_diff: false, order: MatrixOrder::Rows })
        });
        room.collect()
    }

    /// Whether a value of type `ty` may have one of type `inner` inside.
    pub fn may_hold(&self, ty: &Ty, inner: &Ty, seen: &mut Vec<Ty>) -> bool {
        let parts: Vec<Ty> = match ty {
            Ty::Array(element, _) => return self.may_hold(element, inner, seen),
            _ if seen.contains(ty) || seen.len() > MAX_SEEN => return false,
            Ty::Struct(..) => self.fields_of(ty).iter().map(|field| field.ty.clone()).collect(),
            Ty::Interface(interface) => self.conforming(interface),
            _ => return false,
        };
        seen.push(ty.clone());
        ty == inner || parts.iter().any(|part| self.may_hold(part, inner, seen))
    }

    /// The interfaces that an abstract type's bounds promise.
    pub fn promised(&self, ty: &Ty) -> Vec<InterfaceRef> {
        let direct: Vec<InterfaceRef> = match ty {
            Ty::Assoc(base, requirement) => {
                let RequirementKind::Type { interfaces, .. } = &self.requirements[*requirement].kind else {
                    return Vec::new();
                };
                let asked = self.conformance(base, self.requirements[*requirement].interface);
                let Some(asked) = asked else { return Vec::new() };
                let subst = self.interface_subst(&asked, base);
                interfaces.iter().map(|interface| interface.subst(self, &subst)).collect()
            }
            Ty::Interface(interface) => vec![interface.clone()],
            other => match other.as_param().map(|param| &self.generics[param].kind) {
                Some(GenericKind::Type { interfaces, .. }) => interfaces.clone(),
                // Of a generic type's tangents there is what `where` says.
                _ => Vec::new(),
            },
        };
        let assumed = ty.as_param().into_iter().flat_map(|param| self.assumed_interfaces(param));
        let stated = self.stated(ty).into_iter().flat_map(|fact| fact.interfaces);
        direct
            .into_iter()
            .chain(assumed)
            .chain(stated)
            .flat_map(|interface| self.with_bases(&interface, ty))
            .collect()
    }

    /// What `where` says of an abstract type: at the parameter that tells it, or at an interface which that conforms to.
    fn stated(&self, subject: &Ty) -> Vec<Fact> {
        let Some(head) = subject.head() else { return Vec::new() };
        let generic = &self.generics[head];
        let own = generic.facts.iter().filter(|fact| fact.subject == *subject).cloned();
        let GenericKind::Type { interfaces, .. } = &generic.kind else { return own.collect() };
        let this = Ty::param(head);
        let says = |interface: &&InterfaceRef| {
            let bases = self.interfaces[interface.id].bases.iter();
            bases.chain([*interface]).any(|it| !self.interface_facts(it.id).is_empty())
        };
        let asked = interfaces.iter().filter(says).flat_map(|interface| self.with_bases(interface, &this));
        let asked = asked.flat_map(|interface| {
            let facts = self.interface_facts(interface.id);
            let subst = self.interface_subst(&interface, &this);
            // The others' answers are not needed to find this one, and may need it.
            let about = facts.iter().filter(|fact| fact.subject.renamed(self, &subst) == *subject);
            about.map(|fact| fact.subst(self, &subst)).collect::<Vec<_>>()
        });
        own.chain(asked).collect()
    }

    /// What an interface says of its associated types, in terms of its generic parameters.
    pub fn interface_facts(&self, id: InterfaceId) -> &[Fact] {
        let this = self.members[self.interfaces[id].members].this.as_param();
        this.map_or(&[], |this| &self.generics[this].facts)
    }

    /// The type that `where` says an abstract type is.
    pub fn stated_equal(&self, subject: &Ty) -> Option<Ty> {
        self.stated(subject).into_iter().find_map(|fact| fact.equals)
    }

    /// A generic type in its own declaration: itself, or what `where` says it is.
    pub fn generic_type(&self, param: ParamId) -> Ty {
        self.stood_for(param).cloned().unwrap_or(Ty::param(param))
    }

    /// `where T == float`
    pub fn stood_for(&self, param: ParamId) -> Option<&Ty> {
        let about_itself = |fact: &&Fact| fact.subject.as_param() == Some(param);
        self.generics[param].facts.iter().filter(about_itself).find_map(|fact| fact.equals.as_ref())
    }

    /// Why something that `where` says does not hold.
    pub fn broken_fact(&self, fact: &Fact, subst: &Subst) -> Option<String> {
        self.broken_fact_within(fact, subst, MAX_DEPTH)
    }

    fn broken_fact_within(&self, fact: &Fact, subst: &Subst, depth: u32) -> Option<String> {
        let subject = fact.subject.subst(self, subst);
        let subject = self.stated_equal(&subject).unwrap_or(subject);
        if let Some(equals) = &fact.equals {
            let equals = equals.subst(self, subst);
            let differs = subject != equals && !subject.is_error();
            return differs.then(|| {
                let asked = self.show(&fact.subject);
                format!("`{asked}` is `{}`, not `{}`", self.show(&subject), self.show(&equals))
            });
        }
        let missing = fact.interfaces.iter().map(|interface| interface.subst(self, subst));
        let missing = missing.into_iter().find(|it| !self.conforms_within(&subject, it, depth))?;
        Some(format!("`{}` does not conform to `{}`", self.show(&subject), self.show_interface(&missing)))
    }

    /// The interface at the arguments at which a type conforms to it.
    pub fn conformance(&self, ty: &Ty, id: InterfaceId) -> Option<InterfaceRef> {
        self.conformances_within(ty, id, MAX_DEPTH).into_iter().next()
    }

    pub fn conforms(&self, ty: &Ty, interface: &InterfaceRef) -> bool {
        self.conforms_within(ty, interface, MAX_DEPTH)
    }

    fn conforms_within(&self, ty: &Ty, interface: &InterfaceRef, depth: u32) -> bool {
        ty.is_error() || self.conformances_within(ty, interface.id, depth).contains(interface)
    }

    fn conformances_within(&self, ty: &Ty, id: InterfaceId, depth: u32) -> SmallVec<[InterfaceRef; 2]> {
        let mut found = SmallVec::new();
        if depth == 0 {
            return found;
        }
        if ty.is_abstract() || matches!(ty, Ty::Interface(_)) {
            found.extend(self.promised(ty).into_iter().filter(|interface| interface.id == id));
        }
        for Conformance { members, interface, .. } in &self.conformances {
            if interface.id == id
                && let Some(subst) = self.members_subst_within(*members, ty, depth - 1)
            {
                found.push(interface.subst(self, &subst));
            }
        }
        found
    }

    /// What the generic parameters of a declaration of members stand for, when they are those of the type `of`; `None` when they
    /// are members of other types.
    pub fn members_subst(&self, owner: MembersId, of: &Ty) -> Option<Subst> {
        self.members_subst_within(owner, of, MAX_DEPTH)
    }

    fn members_subst_within(&self, owner: MembersId, of: &Ty, depth: u32) -> Option<Subst> {
        let members = &self.members[owner];
        if let Some(id) = members.interface {
            let interface = self.conformances_within(of, id, depth).into_iter().next()?;
            return Some(self.interface_subst(&interface, of));
        }
        if members.generics.is_empty() {
            return (members.this == *of).then(Subst::default);
        }
        let mut subst = matches(self, &members.generics, &members.this, of)?;
        for &param in &members.generics {
            // `where T == float`: the type need not tell it.
            if let (false, Some(stated)) = (subst.contains_key(&param), self.stood_for(param)) {
                subst.insert(param, Arg::Type(stated.subst(self, &subst)));
            }
        }
        let fits = |&param: &ParamId| {
            subst.contains_key(&param) && self.misfit_within(param, &subst, depth.saturating_sub(1)).is_none()
        };
        members.generics.iter().all(fits).then_some(subst)
    }

    /// Why a generic parameter cannot stand for what it does.
    pub fn misfit(&self, param: ParamId, subst: &Subst) -> Option<String> {
        self.misfit_within(param, subst, MAX_DEPTH)
    }

    fn misfit_within(&self, param: ParamId, subst: &Subst, depth: u32) -> Option<String> {
        let arg = subst.get(&param)?;
        if let Err(why) = self.same_kind(param, arg) {
            return Some(why);
        }
        let generic = &self.generics[param];
        let (GenericKind::Type { bound, interfaces, .. }, Arg::Type(ty)) = (&generic.kind, arg) else {
            return self.out_of_range(param, arg);
        };
        if !bound.admits(self, ty) {
            return Some(format!("`{}` cannot be `{}`", generic.name, self.show(ty)));
        }
        let missing = interfaces
            .iter()
            .map(|interface| interface.subst(self, subst))
            .find(|interface| !self.conforms_within(ty, interface, depth));
        if let Some(missing) = missing {
            return Some(format!(
                "`{}` does not conform to `{}`",
                self.show(ty),
                self.show_interface(&missing)
            ));
        }
        generic.facts.iter().find_map(|fact| self.broken_fact_within(fact, subst, depth))
    }

    /// Why a generic number cannot be what it would be: its type has no such number.
    pub fn out_of_range(&self, param: ParamId, arg: &Arg) -> Option<String> {
        let Generic { name, kind: GenericKind::Count { ty, .. }, .. } = &self.generics[param] else {
            return None;
        };
        let (Arg::Count(Count::Known(number)), Some(scalar)) = (arg, self.scalar_of(ty)) else { return None };
        (!in_range(*number, scalar))
            .then(|| format!("`{name}` is `{}`, which has no {number}", self.show(ty)))
    }

    /// The one type that values of the interface's type have, where the library says so: `__Value`.
    pub fn value_alias(&self, interface: InterfaceId) -> Option<AliasId> {
        match self.scopes[self.interfaces[interface].scope].names.get("__Value") {
            Some(Symbol::Alias(value)) => Some(*value),
            _ => None,
        }
    }

    /// The constructor by which a value of one type is one of another without being asked: one marked
    /// `__implicit_conversion(cost)`, or in the library `[__implicit]`.
    pub fn implicit_constructor(&self, from: &Ty, to: &Ty) -> Option<FnId> {
        let Ty::Struct(id, _) = to else { return None };
        let Symbol::Functions(candidates) = self.scopes[self.structs[*id].scope].names.get("__init")? else {
            return None;
        };
        let converts = |id: &FnId| {
            let function = &self.functions[*id];
            let marked = function.decl.attributes.iter().any(|it| &*it.name.text == "__implicit");
            let signature = done(&function.signature).filter(|_| marked);
            let subst = function.owner.and_then(|owner| self.members_subst(owner, to));
            let (Some(signature), Some(subst)) = (signature, subst) else { return false };
            matches!(&signature.params[..], [param] if param.ty.subst(self, &subst) == *from)
        };
        candidates.iter().copied().find(converts)
    }

    /// What a name means as a member of a type: its own, those of its extensions, those that its bounds promise, and at last the
    /// defaults of the interfaces it conforms to.
    pub fn member_of(&self, ty: &Ty, name: &str) -> Option<Symbol> {
        let mut functions: SmallVec<[FnId; 2]> = SmallVec::new();
        let mut subscripts: SmallVec<[PropertyId; 2]> = SmallVec::new();
        if let Some(symbol) = self.dual_member(ty, name) {
            return Some(symbol);
        }
        let own = match ty {
            Ty::Struct(id, _) => self.member(self.structs[*id].scope, name),
            Ty::Enum(id) => self.member(self.enums[*id].scope, name),
            _ => None,
        };
        match own {
            Some(Symbol::Functions(found)) => functions.extend(found),
            Some(Symbol::Subscripts(found)) => subscripts.extend(found),
            Some(symbol) => return Some(symbol),
            None => {}
        }
        let interface_scope = |id: InterfaceId| self.scopes[self.interfaces[id].scope].names.get(name);
        if ty.is_abstract() || matches!(ty, Ty::Interface(_)) {
            for interface in self.promised(ty) {
                match interface_scope(interface.id) {
                    Some(Symbol::Functions(found)) => add_new(&mut functions, found),
                    Some(symbol) => return Some(symbol.clone()),
                    None => {}
                }
            }
        }
        for extension in &self.extensions {
            let Some(symbol) = self.scopes[extension.scope].names.get(name) else { continue };
            if self.members_subst(extension.members, ty).is_none() {
                continue;
            }
            match symbol {
                Symbol::Functions(found) => functions.extend_from_slice(found),
                Symbol::Subscripts(found) => subscripts.extend_from_slice(found),
                symbol if functions.is_empty() => return Some(symbol.clone()),
                _ => {}
            }
        }
        if !subscripts.is_empty() {
            return Some(Symbol::Subscripts(subscripts));
        }
        if functions.is_empty() {
            for Conformance { members, interface, .. } in &self.conformances {
                let Some(found) = interface_scope(interface.id) else { continue };
                match found {
                    _ if self.members_subst(*members, ty).is_none() => {}
                    Symbol::Functions(found) => add_new(&mut functions, found),
                    Symbol::Requirement(id) if self.asks_constant(*id) => return Some(found.clone()),
                    _ => {}
                }
            }
        }
        (!functions.is_empty()).then_some(Symbol::Functions(functions))
    }

    /// The associated type of a type; stays a projection while that is not known.
    pub fn project(&self, base: Ty, requirement: RequirementId) -> Ty {
        if base.is_error() {
            return Ty::Error;
        }
        if base.is_abstract() {
            let projection = Ty::Assoc(base.into(), requirement);
            return self.stated_equal(&projection).unwrap_or(projection);
        }
        if matches!(base, Ty::Interface(_)) {
            // Any type that the interface allows there.
            let RequirementKind::Type { interfaces, .. } = &self.requirements[requirement].kind else {
                return Ty::Error;
            };
            let asked = self.conformance(&base, self.requirements[requirement].interface);
            let (Some(asked), [only]) = (asked, &interfaces[..]) else { return Ty::Error };
            return Ty::Interface(only.subst(self, &self.interface_subst(&asked, &base)));
        }
        match self.member_of(&base, &self.requirements[requirement].name) {
            Some(Symbol::Alias(id)) => {
                let alias = &self.aliases[id];
                let Some(ty) = done(&alias.ty) else { return Ty::Assoc(base.into(), requirement) };
                match alias.owner.and_then(|owner| self.members_subst(owner, &base)) {
                    Some(subst) => ty.subst(self, &subst),
                    None => Ty::Error,
                }
            }
            Some(Symbol::Struct(id)) => {
                let decl = &self.structs[id];
                let subst = decl.owner.and_then(|owner| self.members_subst(owner, &base));
                let members = &self.members[decl.members];
                subst.map_or(Ty::Error, |subst| members.this.subst(self, &subst))
            }
            _ => Ty::Error,
        }
    }

    /// What must be known before an associated type or constant in `ty` is.
    pub fn unsettled(&self, ty: &Ty) -> Option<Unsettled> {
        let of_arg = |arg: &Arg| match arg {
            Arg::Type(ty) => self.unsettled(ty),
            Arg::Count(count) => count.unsettled(self),
        };
        match ty {
            Ty::Assoc(base, requirement) if !base.is_abstract() => {
                self.unsettled(base).or_else(|| {
                    match self.member_of(base, &self.requirements[*requirement].name) {
                        Some(Symbol::Alias(id)) => Some(Unsettled::Alias(id)),
                        _ => None,
                    }
                })
            }
            Ty::Array(element, count) => self.unsettled(element).or_else(|| count.unsettled(self)),
            Ty::Buffer(_, element)
            | Ty::Pointer(_, element)
            | Ty::Pair(_, element)
            | Ty::Differential(element) => self.unsettled(element),
            Ty::Number(_, shape) => shape.counts().into_iter().find_map(|count| count.unsettled(self)),
            Ty::Struct(_, args) => args.iter().find_map(of_arg),
            Ty::Interface(interface) => interface.args.iter().find_map(of_arg),
            Ty::Assoc(..) | Ty::Error | Ty::Void | Ty::Enum(_) | Ty::Atomic(_) => None,
        }
    }
}

/// Several conformances may lead to one function.
fn add_new(functions: &mut SmallVec<[FnId; 2]>, found: &[FnId]) {
    for &id in found {
        if !functions.contains(&id) {
            functions.push(id);
        }
    }
}
