//! Trees as compact text, for golden tests: one line per declaration or statement, expressions fully bracketed.

use super::ast::*;
use pullback_ir::MatrixOrder;
use std::fmt::Write;

pub fn print(module: &Module) -> String {
    let mut out = Printer { text: String::new(), indent: 0 };
    out.decls(&module.decls);
    out.text
}

struct Printer {
    text: String,
    indent: usize,
}

fn list<T>(items: &[T], separator: &str, show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(separator)
}

fn prefixed(prefix: &str, text: String) -> String {
    if text.is_empty() { text } else { format!("{prefix}{text}") }
}

impl Printer {
    fn line(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.text, "{:1$}{2}", "", self.indent * 2, text.as_ref());
    }

    fn inside(&mut self, body: impl FnOnce(&mut Self)) {
        self.indent += 1;
        body(self);
        self.indent -= 1;
    }

    fn decls(&mut self, decls: &[Decl]) {
        decls.iter().for_each(|decl| self.decl(decl));
    }

    fn decl(&mut self, decl: &Decl) {
        if let Some(doc) = &decl.doc {
            self.line(format!("doc {doc:?}"));
        }
        let head = head(&decl.attributes, &decl.modifiers);
        match &decl.kind {
            DeclKind::Function(f) => {
                let result = f.result.as_ref().map_or(String::new(), |ty| format!(" -> {}", ty_text(ty)));
                let params = list(&f.params, ", ", param);
                let semantics = semantics(&f.semantics);
                let generics = generics(&f.generics);
                self.line(format!("{head}fn {}{generics}({params}){result}{semantics}", f.name.text));
                self.inside(|out| {
                    out.body(f.body.as_ref());
                    f.lambdas.iter().for_each(|lambda| out.decl(&lambda.call));
                });
            }
            DeclKind::Var(v) => self.line(format!("{head}{}", var(v))),
            DeclKind::Struct(a) => self.aggregate(&head, "struct", a),
            DeclKind::Interface(a) => self.aggregate(&head, "interface", a),
            DeclKind::Extension(e) => {
                let (target, bases) = (ty_text(&e.target), prefixed(" : ", list(&e.bases, ", ", ty_text)));
                self.line(format!("{head}extension{} {target}{bases}", generics(&e.generics)));
                self.inside(|out| out.decls(&e.members));
            }
            DeclKind::Enum(e) => {
                let tag = e.tag.as_ref().map_or(String::new(), |ty| format!(" : {}", ty_text(ty)));
                let case = |case: &EnumCase| match &case.value {
                    Some(value) => format!("{} = {}", case.name.text, expr(value)),
                    None => case.name.text.to_string(),
                };
                self.line(format!("{head}enum {}{tag} {{{}}}", e.name.text, list(&e.cases, ", ", case)));
            }
            DeclKind::TypeAlias(a) => {
                self.line(format!(
                    "{head}type {}{} = {}",
                    a.name.text,
                    generics(&a.generics),
                    ty_text(&a.ty)
                ));
            }
            DeclKind::AssociatedType(a) => {
                let constraints = constraints(&a.constraints);
                let bounds = prefixed(" : ", list(&a.bounds, ", ", ty_text));
                self.line(format!("{head}associatedtype {}{bounds}{constraints}", a.name.text));
            }
            DeclKind::Property(p) => {
                self.line(format!("{head}property {} : {}", p.name.text, ty_text(&p.ty)));
                self.inside(|out| out.accessors(&p.accessors));
            }
            DeclKind::Subscript(s) => {
                let (params, result) = (list(&s.params, ", ", param), ty_text(&s.result));
                self.line(format!("{head}subscript{}({params}) -> {result}", generics(&s.generics)));
                self.inside(|out| out.accessors(&s.accessors));
            }
            DeclKind::Buffer(b) => {
                self.line(format!("{head}buffer {}{}", b.layout.name.text, semantics(&b.semantics)));
                self.inside(|out| out.decls(&b.layout.members));
            }
            DeclKind::Namespace(n) => {
                self.line(format!("{head}namespace {}", n.name.text));
                self.inside(|out| out.decls(&n.decls));
            }
            DeclKind::Import(n) => self.line(format!("{head}import {}", n.text)),
            DeclKind::Include(n) => self.line(format!("{head}include {}", n.text)),
            DeclKind::ModuleName(n) => self.line(format!("{head}module {}", n.text)),
            DeclKind::Implementing(n) => self.line(format!("{head}implementing {}", n.text)),
            DeclKind::Assertion(args) => self.line(format!("{head}assert {}", list(args, ", ", expr))),
            DeclKind::Using(n) => self.line(format!("{head}using {}", n.text)),
        }
    }

    fn aggregate(&mut self, head: &str, word: &str, a: &Aggregate) {
        let bases = prefixed(" : ", list(&a.bases, ", ", ty_text));
        let body = if a.has_body { "" } else { ";" };
        self.line(format!("{head}{word} {}{}{bases}{body}", a.name.text, generics(&a.generics)));
        self.inside(|out| out.decls(&a.members));
    }

    fn accessors(&mut self, accessors: &[Accessor]) {
        for a in accessors {
            let DeclKind::Function(function) = &a.function.kind else { continue };
            let value = function.params.last().and_then(|param| param.name.as_ref());
            let value = value.filter(|name| a.kind != AccessorKind::Get && &*name.text != "newValue");
            let value = value.map_or(String::new(), |name| format!("({})", name.text));
            let head = head(&a.function.attributes, &Modifiers::default());
            self.line(format!("{head}{:?}{value}", a.kind));
            self.inside(|out| out.body(function.body.as_ref()));
        }
    }

    fn body(&mut self, body: Option<&Block>) {
        if let Some(body) = body {
            body.stmts.iter().for_each(|stmt| self.stmt(stmt));
        }
    }

    fn under(&mut self, stmt: &Stmt) {
        self.inside(|out| out.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let at = head(&stmt.attributes, &Modifiers::default());
        match &stmt.kind {
            StmtKind::Block(block) => {
                self.line(format!("{at}block"));
                self.inside(|out| out.body(Some(block)));
            }
            StmtKind::Decl(decls) => self.decls(decls),
            StmtKind::Expr(e) => self.line(expr(e)),
            StmtKind::If { condition, then, otherwise } => {
                self.line(format!("{at}if {}", condition_text(condition)));
                self.under(then);
                if let Some(otherwise) = otherwise {
                    self.line("else");
                    self.under(otherwise);
                }
            }
            StmtKind::For { init, condition, step, body } => {
                let part = |e: &Option<Expr>| e.as_ref().map_or("-".into(), expr);
                self.line(format!("{at}for {}; {}", part(condition), part(step)));
                self.under(init);
                self.under(body);
            }
            StmtKind::While { condition, body } => {
                self.line(format!("{at}while {}", condition_text(condition)));
                self.under(body);
            }
            StmtKind::CompileTimeFor { counter, from, to, body } => {
                let from = from.as_ref().map_or_else(|| "0".into(), expr);
                self.line(format!("$for {} in {from} .. {}", counter.text, expr(to)));
                self.inside(|out| out.stmt(body));
            }
            StmtKind::TargetSwitch(switch) => {
                self.line(format!("{:?} switch", switch.asks));
                for case in &switch.cases {
                    let default = if case.is_default { " default" } else { "" };
                    self.line(format!(
                        "case {}{default}",
                        list(&case.names, " ", |name| name.text.to_string())
                    ));
                    self.inside(|out| case.body.iter().for_each(|stmt| out.stmt(stmt)));
                }
            }
            StmtKind::Defer(body) => {
                self.line("defer");
                self.under(body);
            }
            StmtKind::Throw(error) => self.line(format!("throw {}", expr(error))),
            StmtKind::DoCatch { body, catches } => {
                self.line("do");
                self.under(body);
                for catch in catches {
                    self.line(format!("catch {} : {}", catch.name.text, ty_text(&catch.ty)));
                    self.under(&catch.body);
                }
            }
            StmtKind::DoWhile { body, condition } => {
                self.line(format!("{at}do"));
                self.under(body);
                self.line(format!("while {}", expr(condition)));
            }
            StmtKind::Switch { value, cases } => {
                self.line(format!("{at}switch {}", expr(value)));
                for case in cases {
                    let label = |label: &CaseLabel| match label {
                        CaseLabel::Case(e) => format!("case {}", expr(e)),
                        CaseLabel::Default(_) => "default".into(),
                    };
                    self.line(list(&case.labels, ", ", label));
                    self.inside(|out| case.body.iter().for_each(|stmt| out.stmt(stmt)));
                }
            }
            StmtKind::Return(None) => self.line("return"),
            StmtKind::Return(Some(e)) => self.line(format!("return {}", expr(e))),
            StmtKind::Break(None) => self.line("break"),
            StmtKind::Break(Some(label)) => self.line(format!("break {}", label.text)),
            StmtKind::Labelled(label, stmt) => {
                self.line(format!("label {}", label.text));
                self.stmt(stmt);
            }
            StmtKind::Continue => self.line("continue"),
            StmtKind::Discard => self.line("discard"),
            StmtKind::Empty => self.line("empty"),
            StmtKind::Error => self.line("error"),
        }
    }
}

fn head(attributes: &[Attribute], modifiers: &Modifiers) -> String {
    let attribute = |a: &Attribute| match a.args.as_slice() {
        [] => format!("[{}] ", a.name.text),
        args => format!("[{}({})] ", a.name.text, list(args, ", ", expr)),
    };
    let modifier = |m: &Modifier| format!("{:?} ", m.kind).to_lowercase();
    list(attributes, "", attribute) + &list(&modifiers.0, "", modifier)
}

fn condition_text(condition: &Condition) -> String {
    match condition {
        Condition::Expr(e) => expr(e),
        Condition::Let(decl) => match &decl.kind {
            DeclKind::Var(v) => var(v),
            other => format!("{other:?}"),
        },
    }
}

fn var(v: &Var) -> String {
    let keyword = format!("{:?}", v.keyword).to_lowercase();
    let ty = v.ty.as_ref().map_or(String::new(), |ty| format!(" : {}", ty_text(ty)));
    let init = v.init.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
    format!("{keyword} {}{ty}{}{init}", v.name.text, semantics(&v.semantics))
}

fn param(p: &Param) -> String {
    let name = p.name.as_ref().map_or("_", |name| &name.text);
    let default = p.default.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
    let head = head(&p.attributes, &p.modifiers);
    format!("{head}{name} : {}{}{default}", ty_text(&p.ty), semantics(&p.semantics))
}

fn semantics(semantics: &[Semantic]) -> String {
    list(semantics, "", |s| match s.args.as_slice() {
        [] => format!(" :: {}", s.name.text),
        args => format!(" :: {}({})", s.name.text, list(args, ", ", expr)),
    })
}

fn generics(generics: &Generics) -> String {
    let param = |p: &GenericParam| match &p.kind {
        GenericParamKind::Type { bounds, default } => {
            let default = default.as_ref().map_or(String::new(), |ty| format!(" = {}", ty_text(ty)));
            let each = if p.is_pack { "each " } else { "" };
            format!("{each}{}{}{default}", p.name.text, prefixed(" : ", list(bounds, " & ", ty_text)))
        }
        GenericParamKind::Value { ty, default } => {
            let default = default.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
            let each = if p.is_pack { "each " } else { "" };
            format!("let {each}{} : {}{default}", p.name.text, ty_text(ty))
        }
    };
    let params = list(&generics.params, ", ", param);
    let params = if params.is_empty() { params } else { format!("<{params}>") };
    params + &constraints(&generics.constraints)
}

fn constraints(constraints: &[Constraint]) -> String {
    list(constraints, "", |c| match &c.kind {
        ConstraintKind::Conforms(bounds) => {
            format!(" where {} : {}", ty_text(&c.subject), list(bounds, " & ", ty_text))
        }
        ConstraintKind::Equals(ty) => format!(" where {} == {}", ty_text(&c.subject), ty_text(ty)),
        ConstraintKind::Counts(count) => {
            format!(" where countof({}) == {}", ty_text(&c.subject), expr(count))
        }
        ConstraintKind::NonEmpty => format!(" where nonempty({})", ty_text(&c.subject)),
    })
}

fn generic_args(args: &[GenericArg]) -> String {
    if args.is_empty() {
        return String::new();
    }
    let arg = |arg: &GenericArg| match arg {
        GenericArg::Type(ty) => ty_text(ty),
        GenericArg::Value(e) => format!("={}", expr(e)),
    };
    format!("<{}>", list(args, ", ", arg))
}

fn ty_text(ty: &TypeExpr) -> String {
    match &ty.kind {
        TypeExprKind::Path(segments) => {
            list(segments, ".", |s| format!("{}{}", s.name.text, generic_args(&s.args)))
        }
        TypeExprKind::Array { element, size } => {
            format!("{}[{}]", ty_text(element), size.as_ref().map_or(String::new(), |e| expr(e)))
        }
        TypeExprKind::Pointer(target) => format!("{}*", ty_text(target)),
        TypeExprKind::InOrder(MatrixOrder::Rows, ty) => format!("row_major {}", ty_text(ty)),
        TypeExprKind::InOrder(MatrixOrder::Columns, ty) => format!("column_major {}", ty_text(ty)),
        TypeExprKind::Each(ty) => format!("each {}", ty_text(ty)),
        TypeExprKind::Expand(expansion) => format!("(expand {})", ty_text(&expansion.of)),
        TypeExprKind::Turn(expansion, turn) => format!("(turn {turn} {})", ty_text(&expansion.of)),
        TypeExprKind::Error => "?".into(),
    }
}

pub fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Int { value, suffix: IntSuffix::None } => value.to_string(),
        ExprKind::Int { value, suffix } => format!("{value}{suffix:?}"),
        ExprKind::Float { value, suffix: FloatSuffix::None } => format!("{value:?}"),
        ExprKind::Float { value, suffix } => format!("{value:?}{suffix:?}"),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::String(text) => format!("{text:?}"),
        ExprKind::Name(name) => name.text.to_string(),
        ExprKind::This => "this".into(),
        ExprKind::Generic { base, args } => format!("{}{}", expr(base), generic_args(args)),
        ExprKind::Member { base, name } => format!("{}.{}", expr(base), name.text),
        ExprKind::Index { base, args } => format!("{}[{}]", expr(base), list(args, ", ", expr)),
        ExprKind::Call { callee, args } => format!("{}({})", expr(callee), list(args, ", ", expr)),
        ExprKind::Cast { ty, value } => format!("(cast {} {})", ty_text(ty), expr(value)),
        ExprKind::Unary { op, value } => format!("({}{})", op.text(), expr(value)),
        ExprKind::Deref(pointer) => format!("(*{})", expr(pointer)),
        ExprKind::AddressOf(place) => format!("(&{})", expr(place)),
        ExprKind::Step { op, fix, target } => {
            let op = if *op == StepOp::Increment { "++" } else { "--" };
            match fix {
                Fix::Prefix => format!("({op}{})", expr(target)),
                Fix::Postfix => format!("({}{op})", expr(target)),
            }
        }
        ExprKind::Binary { op, left, right, .. } => format!("({} {} {})", expr(left), op.text(), expr(right)),
        ExprKind::Assign { op, target, value, .. } => {
            format!("({} {}= {})", expr(target), op.map_or("", BinaryOp::text), expr(value))
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            format!("({} ? {} : {})", expr(condition), expr(then), expr(otherwise))
        }
        ExprKind::Each(of) => format!("(each {})", expr(of)),
        ExprKind::Expand(expansion) => format!("(expand {})", expr(&expansion.of)),
        ExprKind::Turn(expansion, turn) => format!("(turn {turn} {})", expr(&expansion.of)),
        ExprKind::Comma(parts) => format!("(comma {})", list(parts, ", ", expr)),
        ExprKind::InitList(items) => format!("{{{}}}", list(items, ", ", expr)),
        ExprKind::SizeOf(ty) => format!("sizeof({})", ty_text(ty)),
        ExprKind::Is { value, ty } => format!("({} is {})", expr(value), ty_text(ty)),
        ExprKind::As { value, ty } => format!("({} as {})", expr(value), ty_text(ty)),
        ExprKind::Derivative { mode, function } => format!("({mode:?} {})", expr(function)),
        ExprKind::Lambda(number) => format!("(lambda {number})"),
        ExprKind::Assembly(name) => name.text.to_string(),
        ExprKind::Try(call) => format!("(try {})", expr(call)),
        ExprKind::NoDiff(value) => format!("(no_diff {})", expr(value)),
        ExprKind::Error => "?".into(),
    }
}
