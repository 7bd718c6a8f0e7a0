//! Types, generic arguments and parameters, `where` clauses.

use super::{Parsed, Parser};
use crate::slang::ast::{
    Constraint, ConstraintKind, Expr, GenericArg, GenericParam, GenericParamKind, Generics, MAX_NESTING,
    Name, PathSegment, TypeExpr, TypeExprKind,
};
use crate::slang::token::{TokenKind, word};
use pullback_base::{Code, Diagnostic, Span};
use pullback_ir::MatrixOrder;

impl Parser<'_> {
    /// A type. `what` goes on «expected», as in «a type».
    pub(super) fn ty(&mut self, what: &str) -> Parsed<TypeExpr> {
        self.nested(|parser| parser.ty_here(what, true))
    }

    /// A type behind `is` or `as`, where `<` may also compare.
    pub(super) fn ty_in_expr(&mut self) -> Parsed<TypeExpr> {
        self.nested(|parser| parser.ty_here("a type", false))
    }

    fn ty_here(&mut self, what: &str, angles_open: bool) -> Parsed<TypeExpr> {
        let start = self.span();
        if self.lays_out(self.at) && self.kind_ahead(1) == TokenKind::Word {
            let by_columns = self.is_word(word::COLUMN_MAJOR);
            let order = if by_columns { MatrixOrder::Columns } else { MatrixOrder::Rows };
            self.bump();
            let ty = self.nested(|parser| parser.ty_here(what, angles_open))?;
            let kind = TypeExprKind::InOrder(order, Box::new(ty));
            return Ok(TypeExpr { kind, span: self.since(start) });
        }
        if let Some(ty) = self.pack_type(what)? {
            return Ok(ty);
        }
        let mut segments = Vec::new();
        let next_is_word = self.kind_ahead(1) == TokenKind::Word;
        if self.is_word(word::UNSIGNED) || self.is_word(word::SIGNED) {
            let name = self.sign_and_size();
            segments.push(PathSegment { name, args: Vec::new() });
        } else {
            if self.is_word(word::FUNCTYPE) && self.kind_ahead(1) == TokenKind::LParen {
                return Err(self.unsupported(
                    start,
                    "function types",
                    "take a generic parameter `<F : IFunc<R, A>>`",
                ));
            }
            // `some IName`, `dyn IName`: a value of the interface's type either way.
            let says_little = [word::SOME, word::DYN, word::STRUCT].iter().any(|&word| self.is_word(word));
            if says_little && next_is_word {
                self.bump();
            }
            loop {
                let name = self.name(if segments.is_empty() { what } else { "a type's name" })?;
                let open = self.is(TokenKind::Less) && (angles_open || self.opens_generic_args());
                let args = if open { self.generic_args()? } else { Vec::new() };
                segments.push(PathSegment { name, args });
                let dot = self.is(TokenKind::Dot) || self.is(TokenKind::ColonColon);
                if !dot || self.kind_ahead(1) != TokenKind::Word {
                    break;
                }
                self.bump();
            }
        }
        let mut ty = TypeExpr { kind: TypeExprKind::Path(segments), span: self.since(start) };
        let mut suffixes = 0;
        loop {
            ty = if angles_open && self.eat(TokenKind::Star) {
                TypeExpr { kind: TypeExprKind::Pointer(Box::new(ty)), span: self.since(start) }
            } else if let Some(size) = self.array_suffix()? {
                self.array(ty, size, start)
            } else {
                break;
            };
            suffixes += 1;
            if self.depth + suffixes > MAX_NESTING {
                return Err(self.too_deep());
            }
        }
        if angles_open && self.is(TokenKind::Question) {
            let mark = self.bump().span;
            let name = Name { text: "Optional".into(), span: mark };
            let segment = PathSegment { name, args: vec![GenericArg::Type(ty)] };
            ty = TypeExpr { kind: TypeExprKind::Path(vec![segment]), span: self.since(start) };
        }
        Ok(ty)
    }

    /// `unsigned int` is `uint`; `signed` says nothing.
    fn sign_and_size(&mut self) -> Name {
        let sign = self.bump();
        let unsigned = sign.symbol == word::UNSIGNED;
        let mut text: std::sync::Arc<str> = if unsigned { "uint".into() } else { "int".into() };
        if self.is_builtin_type(self.at) {
            let size = self.bump();
            let size = self.interner.text(size.symbol);
            text = if unsigned { format!("u{size}").into() } else { size.clone() };
        }
        Name { text, span: self.since(sign.span) }
    }

    fn array(&self, element: TypeExpr, size: Option<Expr>, start: Span) -> TypeExpr {
        let kind = TypeExprKind::Array { element: Box::new(element), size: size.map(Box::new) };
        TypeExpr { kind, span: self.since(start) }
    }

    /// `[4]` or `[]`, when there is one here: its size.
    fn array_suffix(&mut self) -> Parsed<Option<Option<Expr>>> {
        if !self.is(TokenKind::LBracket) {
            return Ok(None);
        }
        let open = self.bump().span;
        let size = if self.is(TokenKind::RBracket) { None } else { Some(self.expr()?) };
        self.close(TokenKind::RBracket, open);
        Ok(Some(size))
    }

    /// The array suffixes behind a declared name, folded into its type: `float a[2][3]`.
    pub(super) fn name_suffixes(&mut self, base: TypeExpr) -> Parsed<TypeExpr> {
        let mut sizes = Vec::new();
        while let Some(suffix) = self.array_suffix()? {
            sizes.push(suffix);
            if self.depth + sizes.len() > MAX_NESTING {
                return Err(self.too_deep());
            }
        }
        // The last suffix is the innermost array.
        Ok(sizes.into_iter().rev().fold(base, |element, size| {
            let span = element.span;
            let kind = TypeExprKind::Array { element: Box::new(element), size: size.map(Box::new) };
            TypeExpr { kind, span }
        }))
    }

    /// `< ... >`, the cursor at `<`.
    pub(super) fn generic_args(&mut self) -> Parsed<Vec<GenericArg>> {
        let open = self.bump().span;
        let mut args = Vec::new();
        let mut height = 0;
        while !self.is(TokenKind::Greater) {
            args.push(self.generic_arg()?);
            height = height.max(self.height);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.close(TokenKind::Greater, open);
        self.height = height;
        Ok(args)
    }

    fn generic_arg(&mut self) -> Parsed<GenericArg> {
        let ends = |kind| matches!(kind, TokenKind::Comma | TokenKind::Greater);
        self.height = 0;
        if self.scan_type(self.at).is_some_and(|form| ends(self.token_at(form.end).kind)) {
            return Ok(GenericArg::Type(self.ty("a type or a value")?));
        }
        if self.is_expand(self.at) {
            return Ok(GenericArg::Value(self.expand_in_angles()?));
        }
        Ok(GenericArg::Value(self.generic_value()?))
    }

    /// `<T : IFloat, let N : int>`, when there is one here, into `generics`.
    pub(super) fn generic_params(&mut self, generics: &mut Generics) -> Parsed<()> {
        if !self.is(TokenKind::Less) {
            return Ok(());
        }
        let open = self.bump().span;
        while !self.is(TokenKind::Greater) {
            let param = self.generic_param()?;
            if let Some(pack) = generics.params.last().filter(|last| last.is_pack && !param.is_pack) {
                let message = format!("the pack `{}` is not at the end", pack.name.text);
                let label = "a parameter behind the pack: nothing tells where that ends";
                self.error(
                    Diagnostic::error(Code::SyntaxError, message)
                        .at(param.span, label)
                        .also(pack.span, "takes any number of arguments")
                        .help("move the packs to the end of the generic parameters"),
                );
            }
            generics.params.push(param);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.close(TokenKind::Greater, open);
        Ok(())
    }

    fn generic_param(&mut self) -> Parsed<GenericParam> {
        let start = self.span();
        // `each T`, `let each N : int` and `each int N`.
        let is_let = self.eat_word(word::LET);
        let is_pack = self.is_each(self.at);
        if is_pack {
            self.bump();
        }
        let (name, kind) = if is_let {
            let name = self.name("a generic parameter's name")?;
            self.expect(TokenKind::Colon, "and the parameter's type")?;
            let ty = self.ty("the parameter's type")?;
            (name, GenericParamKind::Value { ty, default: self.generic_default()? })
        } else if !self.is_word(word::TYPENAME) && self.begins_typed_declaration(self.at) {
            let ty = self.ty("a type")?;
            let name = self.name("a generic parameter's name")?;
            (name, GenericParamKind::Value { ty, default: self.generic_default()? })
        } else {
            self.eat_word(word::TYPENAME);
            let name = self.name("a generic parameter")?;
            let bounds = if self.eat(TokenKind::Colon) { self.bounds()? } else { Vec::new() };
            let default = if self.eat(TokenKind::Eq) { Some(self.ty("a type")?) } else { None };
            (name, GenericParamKind::Type { bounds, default })
        };
        Ok(GenericParam { name, kind, is_pack, span: self.since(start) })
    }

    fn generic_default(&mut self) -> Parsed<Option<Expr>> {
        if self.eat(TokenKind::Eq) { Ok(Some(self.generic_value()?)) } else { Ok(None) }
    }

    /// `IFloat & IMore`
    fn bounds(&mut self) -> Parsed<Vec<TypeExpr>> {
        let mut bounds = vec![self.ty("an interface")?];
        while self.eat(TokenKind::Amp) {
            bounds.push(self.ty("an interface")?);
        }
        Ok(bounds)
    }

    /// `: A, B` of a struct or an interface, when there is one here.
    pub(super) fn bases(&mut self) -> Parsed<Vec<TypeExpr>> {
        let mut bases = Vec::new();
        if self.eat(TokenKind::Colon) {
            bases.extend(self.bounds()?);
            while self.eat(TokenKind::Comma) {
                bases.extend(self.bounds()?);
            }
        }
        Ok(bases)
    }

    /// `where T : IFloat, U == int where ...`, when there is one here.
    pub(super) fn constraints(&mut self, constraints: &mut Vec<Constraint>) -> Parsed<()> {
        while self.eat_word(word::WHERE) {
            constraints.push(self.constraint()?);
            while self.eat(TokenKind::Comma) {
                // `where T : A, B` goes on with a bound, `where T : A, U : B` with a clause.
                let behind = self.scan_type(self.at).map(|form| self.token_at(form.end).kind);
                let clause = matches!(behind, Some(TokenKind::Colon | TokenKind::EqEq | TokenKind::LParen));
                match constraints.last_mut() {
                    Some(Constraint { kind: ConstraintKind::Conforms(bounds), span, .. }) if !clause => {
                        bounds.extend(self.bounds()?);
                        *span = self.since(*span);
                    }
                    _ => constraints.push(self.constraint()?),
                }
            }
        }
        Ok(())
    }

    fn constraint(&mut self) -> Parsed<Constraint> {
        let start = self.span();
        let of_pack = [word::COUNTOF, word::NONEMPTY].into_iter().find(|&word| self.is_word(word));
        if let Some(of_pack) = of_pack.filter(|_| self.kind_ahead(1) == TokenKind::LParen) {
            self.bump();
            let open = self.bump().span;
            let subject = self.ty("a pack")?;
            self.close(TokenKind::RParen, open);
            let kind = if of_pack == word::COUNTOF {
                self.expect(TokenKind::EqEq, "and the number of elements")?;
                ConstraintKind::Counts(self.generic_value()?)
            } else {
                ConstraintKind::NonEmpty
            };
            return Ok(Constraint { subject, kind, span: self.since(start) });
        }
        let subject = self.ty("a type")?;
        let kind = if self.eat(TokenKind::EqEq) {
            ConstraintKind::Equals(self.ty("a type")?)
        } else {
            self.expect(TokenKind::Colon, "or `==` in a `where` clause")?;
            ConstraintKind::Conforms(self.bounds()?)
        };
        Ok(Constraint { subject, kind, span: self.since(start) })
    }
}
