//! What whoever compiles asks of a module beside its text: numbers of types behind interfaces, instances of generic
//! functions, values of constants, where it will run.

use super::Checker;
use super::bounding::Bounding;
use super::context::Context;
use super::program::{FnId, Number, ScopeId, Symbol};
use super::types::Arg;
use super::written::{Declared, length_of, own_count};
use crate::slang::ast::{self, DeclKind, TypeExpr, TypeExprKind};
use crate::slang::parse;
use crate::slang::preprocess::ParseOptions;
use pullback_base::{Code, Diagnostic, Diagnostics, SourceMap};

/// The file that holds what is asked, so that messages can show it.
const FILE: &str = "(options)";

/// What is asked, as types of the module.
#[derive(Default)]
pub struct Requests {
    /// Type, interface, number.
    numbers: Vec<(TypeExpr, TypeExpr, u32)>,
    instances: Vec<TypeExpr>,
    /// Values of link-time constants: name and expression.
    pub constants: Vec<ast::Var>,
    /// The names by which `__target_switch` knows where the program will run.
    pub targets: Vec<String>,
}

/// Reads the options as text of the module's language.
pub fn read(sources: &mut SourceMap, options: &ParseOptions<'_>, diagnostics: &mut Diagnostics) -> Requests {
    let numbered = options.type_conformances.iter().flat_map(|number| [&number.ty, &number.interface]);
    let types = numbered.chain(options.instances).map(|ty| format!("typealias it = {ty};\n"));
    let constants = options.constants.iter().map(|(name, value)| format!("let {name} = {value};\n"));
    let text: String = types.chain(constants).collect();
    let targets = options.targets.iter().map(|&target| target.to_owned()).collect();
    let mut asked = Requests { targets, ..Requests::default() };
    if text.is_empty() {
        return asked;
    }
    let file = sources.add(FILE, &text);
    let tree = parse(sources, file, &ParseOptions::default(), diagnostics);
    let mut types = Vec::new();
    for decl in tree.decls {
        match decl.kind {
            DeclKind::TypeAlias(alias) => types.push(alias.ty),
            DeclKind::Var(var) => asked.constants.push(var),
            _ => {}
        }
    }
    let mut types = types.into_iter();
    for number in options.type_conformances {
        if let (Some(ty), Some(interface)) = (types.next(), types.next()) {
            asked.numbers.push((ty, interface, number.id));
        }
    }
    asked.instances.extend(types);
    asked
}

impl Checker<'_> {
    /// Notes the numbers of types behind interfaces.
    pub fn number_types(&mut self, asked: &Requests, scope: ScopeId) {
        for (ty, interface, id) in &asked.numbers {
            let mut context = Context::of_scope(self, scope);
            let resolved = context.resolve_type(ty);
            let bounding = context.bounding(interface);
            let broken = context.broken;
            let (Some(Bounding::Interface(interface)), false) = (bounding, broken) else { continue };
            let (name, shown) = (self.program.show(&resolved), self.program.show_interface(&interface));
            if !self.program.conforms(&resolved, &interface) {
                let message = format!("`{name}` does not conform to `{shown}`");
                self.error(Code::TypeMismatch, message, ty.span, "given a number");
                continue;
            }
            let taken = self.program.numbers.iter().find(|it| it.interface == interface && it.id == *id);
            if let Some(taken) = taken.filter(|taken| taken.ty != resolved) {
                let message = format!("`{name}` and `{}` have the same number", self.program.show(&taken.ty));
                self.error(Code::DuplicateName, message, ty.span, format!("{id} among `{shown}`"));
                continue;
            }
            if !self.program.conforming(&interface).contains(&resolved) {
                self.program.erased.push(resolved.clone());
            }
            self.program.numbers.push(Number { ty: resolved, interface, id: *id });
        }
    }

    /// The functions that instances are asked of, with their generic arguments.
    pub fn asked_instances(&mut self, asked: &Requests, scope: ScopeId) -> Vec<(FnId, Vec<Arg>)> {
        let mut found = Vec::new();
        for ty in &asked.instances {
            let mut context = Context::of_scope(self, scope);
            found.extend(context.asked_instances(ty));
        }
        found
    }
}

impl Context<'_, '_> {
    /// `f<float>`, `Struct.f<3>`: each overload that takes these arguments.
    fn asked_instances(&mut self, asked: &TypeExpr) -> Vec<(FnId, Vec<Arg>)> {
        let TypeExprKind::Path(path) = &asked.kind else { return Vec::new() };
        let Some((last, outer)) = path.split_last() else { return Vec::new() };
        let functions = match self.asked_functions(outer, last, asked) {
            Some(functions) => functions,
            None => {
                let message = format!("no function named `{}`", last.name.text);
                self.report(
                    Diagnostic::error(Code::UnknownFunction, message).at(last.name.span, "not declared"),
                );
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for id in functions {
            let function = &self.checker.program.functions[id];
            let length = length_of(&function.ast.generics, last.args.len());
            let id = match (function.length, length) {
                (Some(_), Ok(length)) => match self.checker.written(Declared::Function(id), length) {
                    Ok(Declared::Function(id)) => id,
                    _ => continue,
                },
                (Some(_), Err(_)) => continue,
                (None, _) => id,
            };
            self.checker.want(id);
            self.checker.signature(id);
            let function = &self.checker.program.functions[id];
            let own = own_count(&function.ast.generics, function.length);
            if own < last.args.len() || own == 0 || function.is_std {
                continue;
            }
            let (name, generics) = (function.name.clone(), function.generics.clone());
            let outer_known = generics.len() == own;
            if !outer_known {
                self.unsupported("instances of generic types' methods", asked.span);
                continue;
            }
            if let Some(args) = self.generic_args(&name, &generics, own, None, &last.args, asked.span) {
                found.push((id, args));
            }
        }
        if found.is_empty() && !self.broken {
            let message = format!("`{}` takes no such generic arguments", last.name.text);
            self.error(Code::TypeMismatch, message, asked.span, "asked for here");
        }
        found
    }

    fn asked_functions(
        &mut self,
        outer: &[ast::PathSegment],
        last: &ast::PathSegment,
        asked: &TypeExpr,
    ) -> Option<Vec<FnId>> {
        let name = &last.name.text;
        let symbol = match outer {
            [] => self.lookup(name)?,
            [namespace] if let Some(Symbol::Namespace(scope)) = self.lookup(&namespace.name.text) => {
                self.checker.program.member(scope, name)?
            }
            _ => {
                let ty = TypeExpr { kind: TypeExprKind::Path(outer.to_vec()), span: asked.span };
                let ty = self.resolve_type(&ty);
                self.checker.program.member_of(&ty, name)?
            }
        };
        match symbol {
            Symbol::Functions(functions) => Some(functions.to_vec()),
            _ => None,
        }
    }
}
