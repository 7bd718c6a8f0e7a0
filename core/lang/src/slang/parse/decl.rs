//! Declarations, attributes and modifiers.

use super::{Parsed, Parser, Reported};
use crate::slang::ast::{
    Aggregate, AssociatedType, Attribute, Buffer, Decl, DeclKind, Enum, EnumCase, Extension, FunctionRole,
    Generics, Modifier, ModifierKind, Modifiers, Name, Namespace, TypeAlias, TypeExpr, Var, VarKeyword,
};
use crate::slang::number::{self, Number};
use crate::slang::token::{TokenKind, word};
use pullback_base::Span;
use std::sync::Arc;

/// Where a declaration stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Module,
    Member,
    Local,
}

/// What stands before a declaration's own words.
pub(super) struct Head {
    pub start: Span,
    pub doc: Option<Arc<str>>,
    pub attributes: Vec<Attribute>,
    pub modifiers: Modifiers,
    /// Of `__generic<...>`.
    pub generics: Generics,
}

impl Parser<'_> {
    pub(super) fn module(&mut self, out: &mut Vec<Decl>) {
        while !self.is(TokenKind::Eof) {
            if self.is(TokenKind::RBrace) {
                self.syntax_error(self.span(), "this `}` closes nothing", "no `{` is open here");
                self.bump();
                self.eat(TokenKind::Semicolon);
                continue;
            }
            self.declaration_or_error(Place::Module, out);
        }
    }

    /// `{ ... }` of a struct, a namespace and their kin.
    fn members(&mut self, place: Place) -> Parsed<Vec<Decl>> {
        self.nested(|parser| {
            let open = parser.expect(TokenKind::LBrace, "and the body of this declaration")?.span;
            let mut members = Vec::new();
            loop {
                if parser.eat(TokenKind::RBrace) {
                    break;
                }
                if parser.is(TokenKind::Eof) {
                    parser.unclosed_brace(open);
                    break;
                }
                parser.declaration_or_error(place, &mut members);
            }
            parser.eat(TokenKind::Semicolon);
            parser.with_bit_fields(members)
        })
    }

    /// A declaration; where it is wrong, the rest of it is passed over.
    fn declaration_or_error(&mut self, place: Place, out: &mut Vec<Decl>) {
        if self.eat(TokenKind::Semicolon) {
            return;
        }
        if self.block_of_declarations(place, out) {
            return;
        }
        let at = self.at;
        let result = self.nested(|parser| {
            let head = parser.head()?;
            parser.declaration(head, place, out)
        });
        if let Err(Reported) = result {
            self.skip_statement();
            if self.at == at && !self.is(TokenKind::RBrace) {
                self.bump();
            }
        }
    }

    /// `__transparent_block { ... }` and `__file_decl { ... }`, whose declarations are as if they stood here, and
    /// `__ignored_block { ... }`, which nothing reads; whether there is one.
    fn block_of_declarations(&mut self, place: Place, out: &mut Vec<Decl>) -> bool {
        if self.kind_ahead(1) != TokenKind::LBrace {
            return false;
        }
        if self.is_word(word::IGNORED_BLOCK) {
            self.skip_braces();
            return true;
        }
        let is_open = self.is_word(word::TRANSPARENT_BLOCK) || self.is_word(word::FILE_DECL);
        if is_open {
            self.bump();
            if let Ok(members) = self.members(place) {
                out.extend(members);
            }
        }
        is_open
    }

    /// Goes behind the `}` of the next `{`, whatever other brackets stand between.
    fn skip_braces(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.bump().kind {
                TokenKind::LBrace => depth += 1,
                TokenKind::RBrace if depth <= 1 => return,
                TokenKind::RBrace => depth -= 1,
                TokenKind::Eof => return,
                _ => {}
            }
        }
    }

    pub(super) fn head(&mut self) -> Parsed<Head> {
        let (start, doc) = (self.span(), self.doc());
        self.head_with(start, doc, Vec::new())
    }

    /// The head of a declaration whose first attributes were read.
    pub(super) fn head_with(
        &mut self,
        start: Span,
        doc: Option<Arc<str>>,
        mut attributes: Vec<Attribute>,
    ) -> Parsed<Head> {
        let mut modifiers = Modifiers::default();
        let mut generics = Generics::default();
        loop {
            if self.is(TokenKind::LBracket) {
                attributes.extend(self.attributes()?);
            } else if self.modifier_at(self.at).is_some() {
                modifiers.0.extend(self.modifiers().0);
            } else if self.is_word(word::DYN) && self.token_at(self.at + 1).is_word(word::INTERFACE) {
                // All interfaces can be the type of values.
                self.bump();
            } else if self.is_word(word::IMPLICIT_CONVERSION) {
                let span = self.bump().span;
                let args = self.optional_args()?;
                let name = Name { text: "__implicit".into(), span };
                attributes.push(Attribute { name, args, span: self.since(span) });
            } else if self.is_word(word::GENERIC) {
                self.bump();
                self.generic_params(&mut generics)?;
            } else {
                return Ok(Head { start, doc, attributes, modifiers, generics });
            }
        }
    }

    /// `[A, B(x)] [[c::D]]`
    pub(super) fn attributes(&mut self) -> Parsed<Vec<Attribute>> {
        let mut attributes = Vec::new();
        while self.is(TokenKind::LBracket) {
            let open = self.bump().span;
            let double = self.eat(TokenKind::LBracket);
            loop {
                let start = self.span();
                let mut name = self.name("an attribute's name")?;
                while self.eat(TokenKind::ColonColon) {
                    let part = self.name("an attribute's name")?;
                    name = Name {
                        text: format!("{}::{}", name.text, part.text).into(),
                        span: self.since(start),
                    };
                }
                let args = self.optional_args()?;
                attributes.push(Attribute { name, args, span: self.since(start) });
                if !self.eat(TokenKind::Comma) {
                    break;
                }
            }
            self.close(TokenKind::RBracket, open);
            if double {
                self.close(TokenKind::RBracket, open);
            }
        }
        Ok(attributes)
    }

    /// The modifiers here; `in out` is `inout`.
    pub(super) fn modifiers(&mut self) -> Modifiers {
        let mut modifiers: Vec<Modifier> = Vec::new();
        while let Some(kind) = self.modifier_at(self.at) {
            let span = self.bump().span;
            match (modifiers.last_mut(), kind) {
                (Some(last), ModifierKind::Out) if last.kind == ModifierKind::In => {
                    *last = Modifier { kind: ModifierKind::InOut, span: last.span.to(span) };
                }
                _ => modifiers.push(Modifier { kind, span }),
            }
        }
        Modifiers(modifiers)
    }

    pub(super) fn decl(&self, head: Head, kind: DeclKind) -> Decl {
        let Head { start, doc, attributes, modifiers, .. } = head;
        Decl { kind, modifiers, attributes, doc, span: self.since(start) }
    }

    /// Parses what follows the head; several declarators give several declarations.
    pub(super) fn declaration(&mut self, head: Head, place: Place, out: &mut Vec<Decl>) -> Parsed<()> {
        let token = self.token();
        if token.kind != TokenKind::Word {
            return Err(self.expected(match place {
                Place::Module => "a declaration",
                Place::Member => "a member",
                Place::Local => "a variable",
            }));
        }
        let next = self.kind_ahead(1);
        let named = next == TokenKind::Word;
        let decl = match token.symbol {
            word::STRUCT | word::CLASS => self.aggregate(head, DeclKind::Struct)?,
            word::INTERFACE => self.aggregate(head, DeclKind::Interface)?,
            word::EXTENSION | word::EXTENSION2 if named || next == TokenKind::Less => self.extension(head)?,
            word::FUNC_EXTENSION => self.func_extension(head)?,
            word::ENUM => self.enumeration(head)?,
            word::TYPEDEF => self.typedef(head)?,
            word::TYPEALIAS if named => self.typealias(head)?,
            word::ASSOCIATEDTYPE if named => self.associated_type(head)?,
            word::PROPERTY if named => self.property(head)?,
            word::SUBSCRIPT => self.subscript(head)?,
            word::INIT => self.constructor(head)?,
            word::FUNC if named => self.func(head)?,
            word::LET | word::VAR if named => return self.variables(head, out),
            word::NAMESPACE if named => self.namespace(head)?,
            word::CBUFFER | word::TBUFFER => self.buffer(head)?,
            word::IMPORT if named || next == TokenKind::String => self.dotted(head, DeclKind::Import)?,
            word::INCLUDE_MODULE => self.dotted(head, DeclKind::Include)?,
            word::MODULE if named || next == TokenKind::String => self.dotted(head, DeclKind::ModuleName)?,
            word::IMPLEMENTING if named || next == TokenKind::String => {
                self.dotted(head, DeclKind::Implementing)?
            }
            word::USING if named => self.dotted(head, DeclKind::Using)?,
            word::STATIC_ASSERT if next == TokenKind::LParen => {
                self.bump();
                let args = self.list(TokenKind::RParen)?;
                self.semicolon("this assertion");
                self.decl(head, DeclKind::Assertion(args))
            }
            _ => return self.typed(head, place, out),
        };
        out.push(decl);
        Ok(())
    }

    /// `Type name ...`: a function or variables.
    fn typed(&mut self, head: Head, place: Place, out: &mut Vec<Decl>) -> Parsed<()> {
        if place != Place::Local && self.scan_type(self.at).is_none() {
            return Err(self.expected(if place == Place::Module { "a declaration" } else { "a member" }));
        }
        let ty = self.ty("a type")?;
        if let Some(name) = self.operator_name()? {
            out.push(self.function(head, Some(ty), name, FunctionRole::Operator)?);
            return Ok(());
        }
        let name = self.name("a name after this type")?;
        let generic = self.is(TokenKind::Less) && place != Place::Local;
        if place != Place::Local && self.is(TokenKind::LParen) || generic {
            out.push(self.function(head, Some(ty), name, FunctionRole::Plain)?);
            return Ok(());
        }
        let first = out.len();
        self.declarators(head, Some(ty), VarKeyword::Typed, name, out)?;
        let is_bit_field = |decl: &&Decl| matches!(&decl.kind, DeclKind::Var(Var { bits: Some(_), .. }));
        match out[first..].iter().find(is_bit_field) {
            Some(decl) if place != Place::Member => {
                Err(self.unsupported(decl.span, "bit fields outside of structs", ""))
            }
            _ => Ok(()),
        }
    }

    /// `let x = 1, y : int = 2;`, the cursor at `let` or `var`.
    fn variables(&mut self, head: Head, out: &mut Vec<Decl>) -> Parsed<()> {
        let keyword = self.variable_keyword();
        let name = self.name("the variable's name")?;
        self.declarators(head, None, keyword, name, out)
    }

    fn variable_keyword(&mut self) -> VarKeyword {
        if self.bump().symbol == word::LET { VarKeyword::Let } else { VarKeyword::Var }
    }

    /// `let x = e` in a condition.
    pub(super) fn condition_variable(&mut self, head: Head) -> Parsed<Decl> {
        let keyword = self.variable_keyword();
        let name = self.name("the variable's name")?;
        let var = self.declarator(None, keyword, name)?;
        if var.init.is_none() {
            return Err(self.expected("`=` and a value"));
        }
        Ok(self.decl(head, DeclKind::Var(var)))
    }

    fn declarators(
        &mut self,
        head: Head,
        ty: Option<TypeExpr>,
        keyword: VarKeyword,
        mut name: Name,
        out: &mut Vec<Decl>,
    ) -> Parsed<()> {
        let first = out.len();
        loop {
            let var = self.declarator(ty.clone(), keyword, name)?;
            out.push(Decl {
                kind: DeclKind::Var(var),
                modifiers: head.modifiers.clone(),
                attributes: head.attributes.clone(),
                doc: head.doc.clone(),
                span: self.since(head.start),
            });
            if !self.eat(TokenKind::Comma) {
                break;
            }
            name = self.name("another variable's name")?;
        }
        self.semicolon("this declaration");
        let end = self.previous();
        if let Some(last) = out[first..].last_mut() {
            last.span = last.span.to(end);
        }
        Ok(())
    }

    /// What follows a variable's name: array suffixes or a type, semantics, the initializer.
    fn declarator(&mut self, base: Option<TypeExpr>, keyword: VarKeyword, name: Name) -> Parsed<Var> {
        let (mut semantics, mut bits) = (Vec::new(), None);
        let ty = match base {
            Some(base) => {
                let ty = self.name_suffixes(base)?;
                bits = self.bits()?;
                semantics = self.semantics()?;
                Some(ty)
            }
            None if self.eat(TokenKind::Colon) => Some(self.ty("the variable's type")?),
            None => None,
        };
        let init = if self.eat(TokenKind::Eq) { Some(self.initializer()?) } else { None };
        Ok(Var { name, keyword, ty, bits, init, semantics })
    }

    /// `: 4` of a bit field.
    fn bits(&mut self) -> Parsed<Option<u32>> {
        if !self.is(TokenKind::Colon) || self.kind_ahead(1) != TokenKind::Number {
            return Ok(None);
        }
        self.bump();
        let token = self.bump();
        match number::parse(self.text(token)) {
            Ok(Number::Int(bits, _)) => Ok(Some(bits.min(u64::from(u32::MAX)) as u32)),
            _ => Err(self.syntax_error(token.span, "a bit field has a whole number of bits", "not one")),
        }
    }

    fn aggregate(&mut self, mut head: Head, wrap: fn(Aggregate) -> DeclKind) -> Parsed<Decl> {
        let word = self.bump();
        let what = format!("the {}'s name", self.text(word));
        let name = self.name(&what)?;
        let mut generics = std::mem::take(&mut head.generics);
        self.generic_params(&mut generics)?;
        let bases = self.bases()?;
        self.constraints(&mut generics.constraints)?;
        let has_body = !self.eat(TokenKind::Semicolon);
        let members = if has_body { self.members(Place::Member)? } else { Vec::new() };
        let declares =
            matches!(self.kind_ahead(1), TokenKind::Semicolon | TokenKind::Eq | TokenKind::LBracket);
        if has_body && self.is(TokenKind::Word) && !self.token().is_line_start() && declares {
            let help = "declare the variable in a statement of its own";
            return Err(self.unsupported(self.span(), "variables declared along with their struct", help));
        }
        Ok(self.decl(head, wrap(Aggregate { name, generics, bases, members, has_body })))
    }

    fn extension(&mut self, mut head: Head) -> Parsed<Decl> {
        self.bump();
        let mut generics = std::mem::take(&mut head.generics);
        self.generic_params(&mut generics)?;
        let target = self.ty("the type to extend")?;
        let bases = self.bases()?;
        self.constraints(&mut generics.constraints)?;
        let members = self.members(Place::Member)?;
        Ok(self.decl(head, DeclKind::Extension(Extension { generics, target, bases, members })))
    }

    fn enumeration(&mut self, head: Head) -> Parsed<Decl> {
        self.bump();
        self.eat_word(word::CLASS);
        // Without a name its cases are names of the scope around.
        let name = match self.kind() {
            TokenKind::LBrace | TokenKind::Colon => Name { text: "".into(), span: self.previous() },
            _ => self.name("the enum's name")?,
        };
        let tag = if self.eat(TokenKind::Colon) { Some(self.ty("the enum's type")?) } else { None };
        let open = self.expect(TokenKind::LBrace, "and the enum's cases")?.span;
        let mut cases = Vec::new();
        while !self.is(TokenKind::RBrace) {
            let (start, doc) = (self.span(), self.doc());
            let attributes = self.attributes()?;
            let name = self.name("a case's name")?;
            let value = if self.eat(TokenKind::Eq) { Some(self.assignment()?) } else { None };
            cases.push(EnumCase { name, value, attributes, doc, span: self.since(start) });
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.close(TokenKind::RBrace, open);
        self.eat(TokenKind::Semicolon);
        Ok(self.decl(head, DeclKind::Enum(Enum { name, tag, cases })))
    }

    fn typedef(&mut self, head: Head) -> Parsed<Decl> {
        self.bump();
        let base = self.ty("a type")?;
        let name = self.name("the new type's name")?;
        let ty = self.name_suffixes(base)?;
        // The language asks for none here; a new line ends the declaration as well.
        if !self.token().is_line_start() || self.is(TokenKind::Semicolon) {
            self.semicolon("this declaration");
        }
        Ok(self.decl(head, DeclKind::TypeAlias(TypeAlias { name, generics: Generics::default(), ty })))
    }

    fn typealias(&mut self, mut head: Head) -> Parsed<Decl> {
        self.bump();
        let name = self.name("the new type's name")?;
        let mut generics = std::mem::take(&mut head.generics);
        self.generic_params(&mut generics)?;
        self.constraints(&mut generics.constraints)?;
        self.expect(TokenKind::Eq, "and the type this name stands for")?;
        let ty = self.ty("a type")?;
        self.semicolon("this declaration");
        Ok(self.decl(head, DeclKind::TypeAlias(TypeAlias { name, generics, ty })))
    }

    fn associated_type(&mut self, head: Head) -> Parsed<Decl> {
        self.bump();
        let name = self.name("the associated type's name")?;
        let bounds = self.bases()?;
        let mut constraints = Vec::new();
        self.constraints(&mut constraints)?;
        self.semicolon("this declaration");
        Ok(self.decl(head, DeclKind::AssociatedType(AssociatedType { name, bounds, constraints })))
    }

    fn buffer(&mut self, head: Head) -> Parsed<Decl> {
        self.bump();
        let name = self.name("the buffer's name")?;
        let semantics = self.semantics()?;
        let members = self.members(Place::Member)?;
        let (generics, bases) = (Generics::default(), Vec::new());
        let layout = Aggregate { name, generics, bases, members, has_body: true };
        Ok(self.decl(head, DeclKind::Buffer(Buffer { layout, semantics })))
    }

    /// `namespace a.b { ... }` is a namespace in a namespace.
    fn namespace(&mut self, head: Head) -> Parsed<Decl> {
        self.bump();
        let mut names = vec![self.name("the namespace's name")?];
        while self.eat(TokenKind::Dot) || self.eat(TokenKind::ColonColon) {
            names.push(self.name("the inner namespace's name")?);
            if self.depth + names.len() > super::MAX_NESTING {
                return Err(self.too_deep());
            }
        }
        let mut decls = self.members(Place::Module)?;
        let span = self.since(head.start);
        while names.len() > 1
            && let Some(name) = names.pop()
        {
            let kind = DeclKind::Namespace(Namespace { name, decls });
            let (modifiers, attributes) = (Modifiers::default(), Vec::new());
            decls = vec![Decl { kind, modifiers, attributes, doc: None, span }];
        }
        let name = names.remove(0);
        Ok(self.decl(head, DeclKind::Namespace(Namespace { name, decls })))
    }

    /// `import a.b;` or `import "a/b";`, the cursor at the keyword.
    fn dotted(&mut self, head: Head, wrap: fn(Name) -> DeclKind) -> Parsed<Decl> {
        let word = self.bump();
        if word.is_word(word::USING) && self.is_word(word::NAMESPACE) {
            self.bump();
        }
        let start = self.span();
        if self.is(TokenKind::String) {
            let token = self.bump();
            let name = Name { text: self.text(token).trim_matches('"').into(), span: start };
            self.semicolon("this declaration");
            return Ok(self.decl(head, wrap(name)));
        }
        let what = format!("a module's name after `{}`", self.text(word));
        let mut text = self.name(&what)?.text.to_string();
        while self.eat(TokenKind::Dot) || self.eat(TokenKind::ColonColon) {
            text.push('.');
            text.push_str(&self.name("a module's name")?.text);
        }
        let name = Name { text: text.into(), span: self.since(start) };
        self.semicolon("this declaration");
        Ok(self.decl(head, wrap(name)))
    }
}
