//! Statements.

use super::decl::Place;
use super::{Parsed, Parser, Reported};
use crate::slang::ast::{
    Attribute, Block, Case, CaseLabel, Catch, Condition, DeclKind, Expr, Name, Stmt, StmtKind, TargetCase,
    TargetQuestion, TargetSwitch,
};
use crate::slang::token::{Token, TokenKind, after, word};
use pullback_base::{Code, Diagnostic, Span};

impl Parser<'_> {
    /// `{ ... }`, the cursor at `{`.
    pub(super) fn block(&mut self) -> Parsed<Block> {
        self.nested(|parser| {
            let open = parser.bump().span;
            let mut stmts = Vec::new();
            loop {
                if parser.is(TokenKind::RBrace) {
                    parser.bump();
                    break;
                }
                if parser.is(TokenKind::Eof) || (parser.token().is_line_start() && parser.begins_function()) {
                    parser.unclosed_brace(open);
                    // What would follow is not known, a `return` least of all.
                    stmts.push(Stmt { kind: StmtKind::Error, attributes: Vec::new(), span: open });
                    break;
                }
                stmts.push(parser.stmt_or_error());
            }
            Ok(Block { stmts, span: parser.since(open) })
        })
    }

    /// Reports a `{` without its `}`, where that shows.
    pub(super) fn unclosed_brace(&mut self, open: Span) -> Reported {
        let found = if self.is(TokenKind::Eof) { self.found() } else { "a new function".into() };
        let place = after(self.previous());
        self.error(
            Diagnostic::error(Code::SyntaxError, format!("expected `}}`, found {found}"))
                .at(open, "this `{` is never closed")
                .also(place, "`}` missing here, or before"),
        )
    }

    /// A statement; where it is wrong, the rest of it is passed over.
    fn stmt_or_error(&mut self) -> Stmt {
        let (start, at) = (self.span(), self.at);
        match self.nested(Self::stmt) {
            Ok(stmt) => stmt,
            Err(Reported) => {
                self.skip_statement();
                if self.at == at && !self.is(TokenKind::RBrace) {
                    self.bump();
                }
                Stmt { kind: StmtKind::Error, attributes: Vec::new(), span: self.since(start) }
            }
        }
    }

    fn stmt(&mut self) -> Parsed<Stmt> {
        let (start, doc) = (self.span(), self.doc());
        let attributes = self.attributes()?;
        let begins_by_word = self.begins_defer() || self.begins_throw() || self.begins_try();
        if !begins_by_word && self.begins_declaration() {
            let mut decls = Vec::new();
            let head = self.head_with(start, doc, attributes)?;
            self.declaration(head, Place::Local, &mut decls)?;
            return Ok(Stmt { kind: StmtKind::Decl(decls), attributes: Vec::new(), span: self.since(start) });
        }
        let kind = self.stmt_kind()?;
        self.refuse_stray_attributes(&attributes, &kind);
        Ok(Stmt { kind, attributes, span: self.since(start) })
    }

    fn refuse_stray_attributes(&mut self, attributes: &[Attribute], kind: &StmtKind) {
        use StmtKind::{Block, DoWhile, For, If, Switch, While};
        let takes =
            matches!(kind, For { .. } | While { .. } | DoWhile { .. } | If { .. } | Switch { .. } | Block(_));
        if let (Some(first), false) = (attributes.first(), takes) {
            let message = format!("attribute `{}` stands before no loop or declaration", first.name.text);
            self.syntax_error(first.span, message, "means nothing here");
        }
    }

    fn stmt_kind(&mut self) -> Parsed<StmtKind> {
        let token = self.token();
        match token.kind {
            TokenKind::LBrace => return Ok(StmtKind::Block(self.block()?)),
            TokenKind::Semicolon => {
                self.bump();
                return Ok(StmtKind::Empty);
            }
            TokenKind::Dollar => return self.compile_time_for(),
            TokenKind::Word => {}
            _ => return self.expr_stmt(),
        }
        match token.symbol {
            word::IF => self.if_stmt(),
            word::FOR => self.for_stmt(),
            word::WHILE => {
                self.bump();
                let condition = self.condition("while")?;
                Ok(StmtKind::While { condition, body: self.body()? })
            }
            word::DO => self.do_stmt(),
            word::SWITCH => self.switch_stmt(),
            word::BREAK => {
                self.bump();
                let is_label = self.is(TokenKind::Word) && self.kind_ahead(1) == TokenKind::Semicolon;
                let label = if is_label { Some(self.name("a label")?) } else { None };
                self.semicolon("`break`");
                Ok(StmtKind::Break(label))
            }
            word::CONTINUE => self.jump(StmtKind::Continue, "`continue`"),
            word::DISCARD => self.jump(StmtKind::Discard, "`discard`"),
            word::RETURN => {
                self.bump();
                let nothing = self.is(TokenKind::Semicolon) || self.is(TokenKind::RBrace);
                let value = if nothing { None } else { Some(self.expr()?) };
                self.semicolon(if nothing { "`return`" } else { "this expression" });
                Ok(StmtKind::Return(value))
            }
            word::ELSE => {
                Err(self.syntax_error(token.span, "`else` without `if`", "no `if` ends right before"))
            }
            word::CASE | word::DEFAULT if self.kind_ahead(1) != TokenKind::LParen => {
                let message = format!("`{}` stands in no `switch`", self.text(token));
                Err(self.syntax_error(token.span, message, "only a `switch` has cases"))
            }
            word::DEFER if self.begins_defer() => {
                self.bump();
                Ok(StmtKind::Defer(self.body()?))
            }
            word::THROW if self.begins_throw() => {
                self.bump();
                let error = self.expr()?;
                self.semicolon("what is thrown");
                Ok(StmtKind::Throw(error))
            }
            word::GOTO => self.refuse_stmt(),
            word::TARGET_SWITCH if self.kind_ahead(1) == TokenKind::LBrace => {
                self.target_switch(TargetQuestion::Target)
            }
            word::STAGE_SWITCH if self.kind_ahead(1) == TokenKind::LBrace => {
                self.target_switch(TargetQuestion::Stage)
            }
            word::CATCH if matches!(self.kind_ahead(1), TokenKind::LBrace | TokenKind::LParen) => Err(
                self.syntax_error(token.span, "`catch` without `do`", "no `do { ... }` ends right before")
            ),
            _ if self.kind_ahead(1) == TokenKind::Colon => {
                let label = self.name("a label")?;
                self.bump();
                Ok(StmtKind::Labelled(label, Box::new(self.nested(Self::stmt)?)))
            }
            _ => self.expr_stmt(),
        }
    }

    /// `defer` is a good name too.
    fn begins_defer(&self) -> bool {
        use TokenKind::{LBrace, MinusMinus, PlusPlus, Word};
        self.is_word(word::DEFER) && matches!(self.kind_ahead(1), Word | LBrace | PlusPlus | MinusMinus)
    }

    /// `throw` is a good name too.
    fn begins_throw(&self) -> bool {
        use TokenKind::{Number, Word};
        self.is_word(word::THROW) && matches!(self.kind_ahead(1), Word | Number)
    }

    fn begins_try(&self) -> bool {
        self.is_word(word::TRY) && self.kind_ahead(1) == TokenKind::Word
    }

    fn refuse_stmt(&mut self) -> Parsed<StmtKind> {
        let token = self.token();
        let what = format!("`{}` statements", self.text(token));
        Err(self.unsupported(token.span, &what, ""))
    }

    fn expr_stmt(&mut self) -> Parsed<StmtKind> {
        let expr = self.expr()?;
        self.semicolon("this expression");
        Ok(StmtKind::Expr(expr))
    }

    fn jump(&mut self, kind: StmtKind, what: &str) -> Parsed<StmtKind> {
        self.bump();
        self.semicolon(what);
        Ok(kind)
    }

    /// The statement a loop or an `if` governs.
    fn body(&mut self) -> Parsed<Box<Stmt>> {
        if matches!(self.kind(), TokenKind::RBrace | TokenKind::Eof) {
            return Err(self.expected("a statement"));
        }
        Ok(Box::new(self.nested(Self::stmt)?))
    }

    /// `( ... )` behind `if` or `while`.
    fn condition(&mut self, word: &str) -> Parsed<Condition> {
        let open = self.expect(TokenKind::LParen, &format!("after `{word}`"))?.span;
        let is_let = self.is_word(word::LET) || self.is_word(word::VAR);
        let condition = if is_let && self.kind_ahead(1) == TokenKind::Word {
            let head = self.head()?;
            Condition::Let(Box::new(self.condition_variable(head)?))
        } else {
            Condition::Expr(self.expr_or_error()?)
        };
        self.close(TokenKind::RParen, open);
        Ok(condition)
    }

    fn if_stmt(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let condition = self.condition("if")?;
        let then = self.body()?;
        let otherwise = if self.eat_word(word::ELSE) { Some(self.body()?) } else { None };
        Ok(StmtKind::If { condition, then, otherwise })
    }

    fn for_stmt(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let open_at = self.at;
        let open = self.expect(TokenKind::LParen, "after `for`")?.span;
        match self.for_head(open) {
            Ok((init, condition, step)) => {
                Ok(StmtKind::For { init: Box::new(init), condition, step, body: self.body()? })
            }
            Err(reported) => self.body_of_wrong_head(open_at, reported),
        }
    }

    /// Where the parentheses of a wrong head match, the body can still be read.
    fn body_of_wrong_head(&mut self, open_at: usize, reported: Reported) -> Parsed<StmtKind> {
        let end = self.skip_balanced(open_at);
        let braces = |token: &Token| matches!(token.kind, TokenKind::LBrace | TokenKind::RBrace);
        if self.stopped || end < self.at || self.tokens[open_at..end].iter().any(braces) {
            return Err(reported);
        }
        self.at = end;
        self.body()?;
        Ok(StmtKind::Error)
    }

    /// `$for (i in Range(0, 3)) ...`, the cursor at the `$`.
    fn compile_time_for(&mut self) -> Parsed<StmtKind> {
        self.bump();
        if !self.eat_word(word::FOR) {
            return Err(self.expected("`for` after `$`"));
        }
        let open_at = self.at;
        let open = self.expect(TokenKind::LParen, "after `$for`")?.span;
        match self.compile_time_head(open) {
            Ok((counter, from, to)) => Ok(StmtKind::CompileTimeFor { counter, from, to, body: self.body()? }),
            Err(reported) => self.body_of_wrong_head(open_at, reported),
        }
    }

    /// `i in Range(0, 3))`
    fn compile_time_head(&mut self, open: Span) -> Parsed<(Name, Option<Expr>, Expr)> {
        let counter = self.name("the name of the loop's counter")?;
        if !self.eat_word(word::IN) {
            return Err(self.expected("`in` and the counter's range"));
        }
        if !self.eat_word(word::RANGE) {
            return Err(self.expected("a range: `Range(from, to)`"));
        }
        let range = self.expect(TokenKind::LParen, "and where the range ends")?.span;
        let first = self.assignment()?;
        let second = if self.eat(TokenKind::Comma) { Some(self.assignment()?) } else { None };
        self.close(TokenKind::RParen, range);
        self.close(TokenKind::RParen, open);
        Ok(match second {
            Some(to) => (counter, Some(first), to),
            None => (counter, None, first),
        })
    }

    /// `init; condition; step)`
    fn for_head(&mut self, open: Span) -> Parsed<(Stmt, Option<Expr>, Option<Expr>)> {
        let init = self.for_init()?;
        let condition = self.expr_until(TokenKind::Semicolon)?;
        self.expect(TokenKind::Semicolon, "after the loop's condition")?;
        let step = self.expr_until(TokenKind::RParen)?;
        self.close(TokenKind::RParen, open);
        Ok((init, condition, step))
    }

    /// The first part of a `for`, its `;` included.
    fn for_init(&mut self) -> Parsed<Stmt> {
        let start = self.span();
        let kind = if self.eat(TokenKind::Semicolon) {
            StmtKind::Empty
        } else if self.begins_declaration() {
            let mut decls = Vec::new();
            let head = self.head()?;
            self.declaration(head, Place::Local, &mut decls)?;
            if decls.iter().any(|decl| !matches!(decl.kind, DeclKind::Var(_))) {
                return Err(self.syntax_error(start, "a loop begins with a variable", "this is no variable"));
            }
            StmtKind::Decl(decls)
        } else {
            let expr = self.expr()?;
            self.expect(TokenKind::Semicolon, "after the loop's first part")?;
            StmtKind::Expr(expr)
        };
        Ok(Stmt { kind, attributes: Vec::new(), span: self.since(start) })
    }

    fn expr_until(&mut self, end: TokenKind) -> Parsed<Option<Expr>> {
        if self.is(end) { Ok(None) } else { Ok(Some(self.expr()?)) }
    }

    fn do_stmt(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let body = self.body()?;
        if self.is_word(word::CATCH) {
            let mut catches = Vec::new();
            while self.is_word(word::CATCH) {
                catches.push(self.catch()?);
            }
            return Ok(StmtKind::DoCatch { body, catches });
        }
        if !self.eat_word(word::WHILE) {
            return Err(self.expected("`while` or `catch` after the body of `do`"));
        }
        let open = self.expect(TokenKind::LParen, "after `while`")?.span;
        let condition = self.expr_or_error()?;
        self.close(TokenKind::RParen, open);
        self.semicolon("`do ... while (...)`");
        Ok(StmtKind::DoWhile { body, condition })
    }

    /// `catch (e : E) { ... }`
    fn catch(&mut self) -> Parsed<Catch> {
        self.bump();
        let open = self.expect(TokenKind::LParen, "and the error's name and type")?.span;
        let name = self.name("the error's name")?;
        self.expect(TokenKind::Colon, "and the error's type")?;
        let ty = self.ty("the error's type")?;
        self.close(TokenKind::RParen, open);
        Ok(Catch { name, ty, body: *self.body()? })
    }

    fn switch_stmt(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let open = self.expect(TokenKind::LParen, "after `switch`")?.span;
        let value = self.expr_or_error()?;
        self.close(TokenKind::RParen, open);
        let open = self.expect(TokenKind::LBrace, "and the cases of `switch`")?.span;
        let cases = self.labelled(
            open,
            |parser, cases: &mut Vec<Case>| {
                let start = parser.span();
                let Some(label) = parser.case_label()? else { return Ok(false) };
                match cases.last_mut().filter(|case| case.body.is_empty()) {
                    Some(case) => {
                        case.labels.push(label);
                        case.span = parser.since(case.span);
                    }
                    None => {
                        let span = parser.since(start);
                        cases.push(Case { labels: vec![label], body: Vec::new(), span });
                    }
                }
                Ok(true)
            },
            |parser, case, stmt| {
                case.body.push(stmt);
                case.span = parser.since(case.span);
            },
        )?;
        Ok(StmtKind::Switch { value, cases })
    }

    /// `{ case a: ... default: ... }`, the cursor at the word before.
    fn target_switch(&mut self, asks: TargetQuestion) -> Parsed<StmtKind> {
        let span = self.bump().span;
        let open = self.bump().span;
        let cases = self.labelled(
            open,
            |parser, cases: &mut Vec<TargetCase>| {
                let name =
                    if parser.eat_word(word::CASE) { Some(parser.name("a target's name")?) } else { None };
                if name.is_none() && !parser.eat_word(word::DEFAULT) {
                    return Ok(false);
                }
                parser.expect(TokenKind::Colon, "after this label")?;
                if cases.last().is_none_or(|case| !case.body.is_empty()) {
                    cases.push(TargetCase { names: Vec::new(), is_default: false, body: Vec::new() });
                }
                if let Some(case) = cases.last_mut() {
                    case.is_default |= name.is_none();
                    case.names.extend(name);
                }
                Ok(true)
            },
            |_, case, stmt| case.body.push(stmt),
        )?;
        Ok(StmtKind::TargetSwitch(TargetSwitch { asks, cases, span }))
    }

    /// The cases of a switch up to its closing brace. `label` reads a label into them, if there is one here; `add` puts a statement into
    /// the last of them.
    fn labelled<C>(
        &mut self,
        open: Span,
        mut label: impl FnMut(&mut Self, &mut Vec<C>) -> Parsed<bool>,
        mut add: impl FnMut(&mut Self, &mut C, Stmt),
    ) -> Parsed<Vec<C>> {
        let mut cases = Vec::new();
        while !self.eat(TokenKind::RBrace) {
            if self.is(TokenKind::Eof) {
                self.unclosed_brace(open);
                break;
            }
            if label(self, &mut cases)? {
                continue;
            }
            if cases.is_empty() {
                self.expected("`case` or `default`");
            }
            let stmt = self.stmt_or_error();
            if let Some(case) = cases.last_mut() {
                add(self, case, stmt);
            }
        }
        Ok(cases)
    }

    /// `case x:` or `default:`, when there is one here.
    fn case_label(&mut self) -> Parsed<Option<CaseLabel>> {
        let start = self.span();
        let label = if self.eat_word(word::CASE) {
            CaseLabel::Case(self.conditional()?)
        } else if self.eat_word(word::DEFAULT) {
            CaseLabel::Default(start)
        } else {
            return Ok(None);
        };
        self.expect(TokenKind::Colon, "after this label")?;
        Ok(Some(label))
    }
}
