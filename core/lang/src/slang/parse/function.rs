//! Functions, parameters, semantics, and the accessors of properties and subscripts.

use super::decl::Head;
use super::{Parsed, Parser};
use crate::slang::ast::{
    Accessor, AccessorKind, Attribute, Block, Decl, DeclKind, Expr, ExprKind, Extension, Function,
    FunctionRole, GenericArg, Generics, Lambda, Modifier, ModifierKind, Modifiers, Name, Param, PathSegment,
    Property, Semantic, Subscript, THROWN, TypeExpr, TypeExprKind,
};
use crate::slang::token::{TokenKind, word};
use pullback_base::Span;

impl Parser<'_> {
    /// `func f(x : float) -> float`, the cursor at `func`.
    pub(super) fn func(&mut self, head: Head) -> Parsed<Decl> {
        self.bump();
        let (name, role) = match self.operator_name()? {
            Some(name) => (name, FunctionRole::Operator),
            None => (self.name("the function's name")?, FunctionRole::Plain),
        };
        self.function(head, None, name, role)
    }

    /// `__init(...)`, the cursor at `__init`.
    pub(super) fn constructor(&mut self, head: Head) -> Parsed<Decl> {
        let token = self.bump();
        let name = self.name_of(token);
        self.function(head, None, name, FunctionRole::Constructor)
    }

    /// `__func_extension<T> fwd_diff(f<T>)(...) -> R { ... }`, the cursor at the first word: a function that
    /// says `[ForwardDerivativeOf(f<T>)]`, and whose name no text can call it by.
    pub(super) fn func_extension(&mut self, mut head: Head) -> Parsed<Decl> {
        self.bump();
        self.generic_params(&mut head.generics)?;
        let (start, whole) = (self.span(), head.start);
        let (word, says) = match self.token().symbol {
            word::FWD_DIFF | word::FWD_DIFF2 => ("fwd_diff", "ForwardDerivativeOf"),
            word::BWD_DIFF | word::BWD_DIFF2 => ("bwd_diff", "BackwardDerivativeOf"),
            word::APPLY => ("apply", "__apply"),
            _ => return Err(self.expected("`fwd_diff(f)`, `bwd_diff(f)` or `__apply(f)`")),
        };
        self.bump();
        let open = self.expect(TokenKind::LParen, "and the function that this extends")?.span;
        let function = self.assignment()?;
        self.close(TokenKind::RParen, open);
        let span = self.since(start);
        let text = match last_name(&function) {
            Some(name) => format!("{name}.{word}"),
            None => word.to_owned(),
        };
        // What `__apply` gives to a method is one: it says `this`.
        let object = if word == "apply" { object_type(&function) } else { None };
        let outer = object.as_ref().map(|_| std::mem::take(&mut head.generics));
        let attribute = Name { text: says.into(), span };
        head.attributes.push(Attribute { name: attribute, args: vec![function], span });
        let decl = self.function(head, None, Name { text: text.into(), span }, FunctionRole::Plain)?;
        let (Some(target), Some(generics)) = (object, outer) else { return Ok(decl) };
        let extension = Extension { generics, target, bases: Vec::new(), members: vec![decl] };
        let (modifiers, attributes) = (Modifiers::default(), Vec::new());
        let kind = DeclKind::Extension(extension);
        Ok(Decl { kind, modifiers, attributes, doc: None, span: self.since(whole) })
    }

    /// What follows a function's name.
    pub(super) fn function(
        &mut self,
        mut head: Head,
        mut result: Option<TypeExpr>,
        name: Name,
        role: FunctionRole,
    ) -> Parsed<Decl> {
        let mut generics = std::mem::take(&mut head.generics);
        self.generic_params(&mut generics)?;
        let mut params = self.params()?;
        if self.is_word(word::THROWS) {
            params.push(self.thrown()?);
        }
        if result.is_none() && self.eat(TokenKind::Arrow) {
            // `-> no_diff float` says of the result what a modifier says of the function.
            let modifiers = self.modifiers();
            head.modifiers.0.extend(modifiers.0);
            result = Some(self.ty("the result's type")?);
        }
        let semantics = self.semantics()?;
        self.constraints(&mut generics.constraints)?;
        let (body, lambdas) = self.function_body()?;
        let function = Function { role, name, generics, params, result, semantics, body, lambdas };
        Ok(self.decl(head, DeclKind::Function(function)))
    }

    /// The body, if there is one, and the lambdas in it.
    fn function_body(&mut self) -> Parsed<(Option<Block>, Vec<Lambda>)> {
        if self.eat(TokenKind::Semicolon) {
            return Ok((None, Vec::new()));
        }
        if self.is(TokenKind::LBrace) {
            let (body, lambdas) = self.with_lambdas(Self::block)?;
            self.eat(TokenKind::Semicolon);
            return Ok((Some(body), lambdas));
        }
        Err(self.expected("the function's body `{ ... }` or `;`"))
    }

    /// `operator+` as a name, when there is one here.
    pub(super) fn operator_name(&mut self) -> Parsed<Option<Name>> {
        if !self.is_word(word::OPERATOR) {
            return Ok(None);
        }
        let start = self.bump().span;
        let mut text = String::from("operator");
        if self.is(TokenKind::LParen) && self.kind_ahead(1) == TokenKind::RParen {
            self.at += 2;
            text += "()";
        } else {
            // Up to the parameters: `>>=` is three tokens.
            while !matches!(self.kind(), TokenKind::LParen | TokenKind::Word | TokenKind::Eof)
                && text.len() < 12
                && !self.begins_generics_of(&text)
            {
                let token = self.bump();
                text += token.kind.text();
            }
        }
        if text == "operator" {
            return Err(self.expected("an operator"));
        }
        Ok(Some(Name { text: text.into(), span: self.since(start) }))
    }

    /// `<T` behind an operator: its generic parameters, not more of its name.
    fn begins_generics_of(&self, name: &str) -> bool {
        name != "operator" && self.is(TokenKind::Less) && self.kind_ahead(1) == TokenKind::Word
    }

    /// `( ... )`. A wrong parameter has the type `Error`, so that the function keeps their number.
    pub(super) fn params(&mut self) -> Parsed<Vec<Param>> {
        let open = self.expect(TokenKind::LParen, "and the function's parameters")?.span;
        let mut params = Vec::new();
        while !self.is(TokenKind::RParen) {
            match self.param() {
                Ok(param) => params.push(param),
                Err(reported) if self.stopped => return Err(reported),
                // A body where a parameter should be: the list was never closed.
                Err(_) if self.is(TokenKind::LBrace) => break,
                Err(_) => {
                    let (span, kind) = (self.span(), TypeExprKind::Error);
                    self.skip_item();
                    let (modifiers, attributes) = (Modifiers::default(), Vec::new());
                    let ty = TypeExpr { kind, span };
                    let (name, default, semantics) = (None, None, Vec::new());
                    params.push(Param { name, ty, default, modifiers, attributes, semantics, span });
                }
            }
            if !self.eat(TokenKind::Comma) {
                let is_param = self.is(TokenKind::Word)
                    && !self.token().is_line_start()
                    && self.scan_type(self.at).is_some();
                if !is_param {
                    break;
                }
                let message = format!("expected `,` or `)`, found {}", self.found());
                self.syntax_error(self.span(), message, "a `,` may be missing before this");
                continue;
            }
        }
        self.close(TokenKind::RParen, open);
        // C's `f(void)`.
        if let [Param { name: None, ty: TypeExpr { kind: TypeExprKind::Path(path), .. }, .. }] =
            params.as_slice()
            && &*path[0].name.text == "void"
        {
            params.clear();
        }
        Ok(params)
    }

    fn param(&mut self) -> Parsed<Param> {
        let start = self.span();
        let attributes = self.attributes()?;
        let mut modifiers = self.modifiers();
        let named_first = self.is(TokenKind::Word) && self.kind_ahead(1) == TokenKind::Colon;
        let (name, ty) = if named_first {
            let name = self.name("a parameter's name")?;
            self.bump();
            modifiers.0.extend(self.modifiers().0);
            (Some(name), self.ty("the parameter's type")?)
        } else {
            let ty = self.ty("a parameter")?;
            if self.is(TokenKind::Word) {
                let name = self.name("a parameter's name")?;
                (Some(name), self.name_suffixes(ty)?)
            } else if self.is(TokenKind::Number) || self.is(TokenKind::String) {
                return Err(self.expected("a parameter's name"));
            } else {
                (None, ty)
            }
        };
        let semantics = if named_first { Vec::new() } else { self.semantics()? };
        let default = if self.eat(TokenKind::Eq) { Some(self.assignment()?) } else { None };
        Ok(Param { name, ty, default, modifiers, attributes, semantics, span: self.since(start) })
    }

    /// `throws E` as the parameter that gives what is thrown.
    fn thrown(&mut self) -> Parsed<Param> {
        let span = self.bump().span;
        let error = self.ty("the type of what is thrown")?;
        let named = |text: &str| Name { text: text.into(), span };
        let segment = PathSegment { name: named("__Thrown"), args: vec![GenericArg::Type(error)] };
        Ok(Param {
            name: Some(named(THROWN)),
            ty: TypeExpr { kind: TypeExprKind::Path(vec![segment]), span: self.since(span) },
            default: None,
            modifiers: Modifiers(vec![Modifier { kind: ModifierKind::Out, span }]),
            attributes: Vec::new(),
            semantics: Vec::new(),
            span,
        })
    }

    /// `: SV_Position : register(b0)`, when there is one here.
    pub(super) fn semantics(&mut self) -> Parsed<Vec<Semantic>> {
        let mut semantics = Vec::new();
        while self.eat(TokenKind::Colon) {
            let start = self.span();
            let name = self.name("a semantic's name")?;
            let args = self.optional_args()?;
            semantics.push(Semantic { name, args, span: self.since(start) });
        }
        Ok(semantics)
    }

    /// `property float x { ... }` or `property x : float { ... }`, the cursor at `property`.
    pub(super) fn property(&mut self, mut head: Head) -> Parsed<Decl> {
        self.bump();
        head.modifiers.0.extend(self.modifiers().0);
        let (name, ty) = if self.kind_ahead(1) == TokenKind::Colon {
            let name = self.name("the property's name")?;
            self.bump();
            head.modifiers.0.extend(self.modifiers().0);
            (name, self.ty("the property's type")?)
        } else {
            let ty = self.ty("the property's type")?;
            (self.name("the property's name")?, ty)
        };
        let shape = Function {
            role: FunctionRole::Plain,
            name: name.clone(),
            generics: Generics::default(),
            params: Vec::new(),
            result: Some(ty.clone()),
            semantics: Vec::new(),
            body: None,
            lambdas: Vec::new(),
        };
        let accessors = self.accessors(&head, &shape)?;
        Ok(self.decl(head, DeclKind::Property(Property { name, ty, accessors })))
    }

    /// `__subscript(int i) -> float { ... }`, the cursor at `__subscript`.
    pub(super) fn subscript(&mut self, mut head: Head) -> Parsed<Decl> {
        let word = self.bump();
        let name = self.name_of(word);
        let mut generics = std::mem::take(&mut head.generics);
        self.generic_params(&mut generics)?;
        let params = self.params()?;
        self.expect(TokenKind::Arrow, "and the subscript's type")?;
        head.modifiers.0.extend(self.modifiers().0);
        let result = self.ty("the subscript's type")?;
        self.constraints(&mut generics.constraints)?;
        let shape = Function {
            role: FunctionRole::Plain,
            name,
            generics: generics.clone(),
            params: params.clone(),
            result: Some(result.clone()),
            semantics: Vec::new(),
            body: None,
            lambdas: Vec::new(),
        };
        let accessors = self.accessors(&head, &shape)?;
        Ok(self.decl(head, DeclKind::Subscript(Subscript { generics, params, result, accessors })))
    }

    /// `{ get { ... } set(v) { ... } }`, or `;`, which stands for `{ get; }`. `shape` is the getter without its body.
    fn accessors(&mut self, head: &Head, shape: &Function) -> Parsed<Vec<Accessor>> {
        let mut accessors = Vec::new();
        let start = self.span();
        let accessor =
            |kind, attributes: &[Attribute], modifiers: Modifiers, mut function: Function, span| {
                let suffix = if kind == AccessorKind::Get { "get" } else { "set" };
                function.name.text = format!("{}.{suffix}", function.name.text).into();
                let (attributes, doc) = (attributes.to_vec(), None);
                let kind_of = DeclKind::Function(function);
                Accessor { kind, function: Decl { kind: kind_of, modifiers, attributes, doc, span }, span }
            };
        if self.eat(TokenKind::Semicolon) {
            let (kind, modifiers) = (AccessorKind::Get, head.modifiers.clone());
            return Ok(vec![accessor(kind, &[], modifiers, shape.clone(), start)]);
        }
        let open = self.expect(TokenKind::LBrace, "and the accessors `get`, `set`")?.span;
        while !self.is(TokenKind::RBrace) && !self.is(TokenKind::Eof) {
            let start = self.span();
            let attributes = self.attributes()?;
            let mut modifiers = head.modifiers.clone();
            modifiers.0.extend(self.modifiers().0);
            let (gets, sets, through) =
                (self.is_word(word::GET), self.is_word(word::SET), self.is_word(word::REF));
            if !gets && !sets && !through {
                return Err(self.expected("`get` or `set`"));
            }
            self.bump();
            let new_value = self.new_value(start)?;
            let (body, lambdas) = self.function_body()?;
            let span = self.since(start);
            let name = Name { text: shape.name.text.clone(), span: start };
            if gets || through {
                let (name, body, lambdas) = (name.clone(), body.clone(), lambdas.clone());
                let function = Function { name, body, lambdas, ..shape.clone() };
                let kind = AccessorKind::Get;
                accessors.push(accessor(kind, &attributes, modifiers.clone(), function, span));
            }
            if sets || through {
                let mut function = Function { name, body, lambdas, result: None, ..shape.clone() };
                if let Some(ty) = &shape.result {
                    let (modifiers, attributes) = (Modifiers::default(), Vec::new());
                    let (ty, name, semantics) = (ty.clone(), Some(new_value), Vec::new());
                    let param =
                        Param { name, ty, default: None, modifiers, attributes, semantics, span: start };
                    function.params.push(param);
                }
                let kind = if through { AccessorKind::SetThrough } else { AccessorKind::Set };
                accessors.push(accessor(kind, &attributes, modifiers, function, span));
            }
        }
        self.close(TokenKind::RBrace, open);
        Ok(accessors)
    }

    /// The name behind `set`: `set(v)` or `set(float v)`; `newValue` without one.
    fn new_value(&mut self, span: Span) -> Parsed<Name> {
        let default = Name { text: "newValue".into(), span };
        if !self.is(TokenKind::LParen) {
            return Ok(default);
        }
        let named = self.params()?.pop().and_then(|param| {
            // A lone name reads as a type.
            param.name.or(match param.ty.kind {
                TypeExprKind::Path(mut path) => path.pop().map(|segment| segment.name),
                _ => None,
            })
        });
        Ok(named.unwrap_or(default))
    }
}

/// `f` of `A.f<T>`.
fn last_name(function: &Expr) -> Option<&str> {
    match &function.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => Some(&name.text),
        ExprKind::Generic { base, .. } => last_name(base),
        _ => None,
    }
}

/// `A<T>` of `A<T>.f`.
fn object_type(function: &Expr) -> Option<TypeExpr> {
    let ExprKind::Member { base, .. } = &function.kind else { return None };
    Some(TypeExpr { kind: TypeExprKind::Path(path(base)?), span: base.span })
}

fn path(expr: &Expr) -> Option<Vec<PathSegment>> {
    match &expr.kind {
        ExprKind::Name(name) => Some(vec![PathSegment { name: name.clone(), args: Vec::new() }]),
        ExprKind::Member { base, name } => {
            let mut path = path(base)?;
            path.push(PathSegment { name: name.clone(), args: Vec::new() });
            Some(path)
        }
        ExprKind::Generic { base, args } => {
            let mut path = path(base)?;
            path.last_mut()?.args.clone_from(args);
            Some(path)
        }
        _ => None,
    }
}
