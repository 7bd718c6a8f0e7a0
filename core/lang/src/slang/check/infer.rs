//! Generic arguments from the arguments of a call.

use super::convert::join;
use super::program::{FnId, GenericKind, Program, Signature};
use super::types::{Arg, Count, Elem, ParamId, Shape, Subst, Ty};
use pullback_base::Scalar;

/// What the generic parameters of a function stand for when it is called with arguments of these types, or why
/// that cannot be told.
pub fn infer(
    program: &Program<'_>,
    signature: &Signature,
    explicit: Option<&[Arg]>,
    args: &[Ty],
) -> Result<Subst, String> {
    let mut subst = Subst::default();
    let explicit = explicit.unwrap_or_default();
    if explicit.len() > signature.generics.len() {
        return Err(format!("takes {} generic arguments", signature.generics.len()));
    }
    for (&param, arg) in signature.generics.iter().zip(explicit) {
        let name = &program.generics[param].name;
        match (&program.generics[param].kind, arg) {
            (GenericKind::Type { .. }, Arg::Type(_)) | (GenericKind::Count { .. }, Arg::Count(_)) => {}
            (GenericKind::Type { .. }, _) => return Err(format!("`{name}` is a type, not a number")),
            (GenericKind::Count { .. }, _) => return Err(format!("`{name}` is a number, not a type")),
        }
        subst.insert(param, arg.clone());
    }
    let mut inference = Inference { program, signature, fixed: explicit.len(), subst };
    for (param, arg) in signature.params.iter().zip(args) {
        inference.unify(&param.ty, arg)?;
    }
    let mut subst = inference.subst;
    for &param in &signature.generics {
        complete(program, param, &mut subst)?;
    }
    Ok(subst)
}

/// Fills in defaults and checks bounds; an integer where a float is asked for becomes a `float`.
fn complete(program: &Program<'_>, param: ParamId, subst: &mut Subst) -> Result<(), String> {
    let generic = &program.generics[param];
    if !subst.contains_key(&param) {
        let default = match &generic.kind {
            GenericKind::Type { default, .. } => default.clone().map(Arg::Type),
            GenericKind::Count { default } => default.map(Arg::Count),
        };
        let Some(default) = default else {
            return Err(format!("the arguments do not tell `{}`", generic.name));
        };
        subst.insert(param, default.subst(subst));
    }
    let (GenericKind::Type { bound, .. }, Some(Arg::Type(ty))) = (&generic.kind, subst.get(&param)) else {
        return Ok(());
    };
    if bound.admits(program, ty) {
        return Ok(());
    }
    if let Ty::Number(Elem::Scalar(scalar), shape) = ty {
        let promoted =
            [Scalar::I32, Scalar::F32].into_iter().map(|to| (to, Ty::Number(Elem::Scalar(to), *shape)));
        let mut promoted = promoted.filter(|(to, _)| !scalar.is_float() && scalar != to);
        if let Some((_, ty)) = promoted.find(|(_, ty)| bound.admits(program, ty)) {
            subst.insert(param, Arg::Type(ty));
            return Ok(());
        }
    }
    Err(format!("`{}` cannot be `{}`", generic.name, program.show(ty)))
}

struct Inference<'p, 'a> {
    program: &'p Program<'a>,
    signature: &'p Signature,
    /// So many of the generic parameters were given explicitly.
    fixed: usize,
    subst: Subst,
}

impl Inference<'_, '_> {
    /// Whether the parameter is one of this call's, to be inferred.
    fn is_open(&self, param: ParamId) -> bool {
        self.signature.generics[self.fixed..].contains(&param)
    }

    fn unify(&mut self, wanted: &Ty, given: &Ty) -> Result<(), String> {
        match (wanted, given) {
            (Ty::Number(Elem::Param(param), Shape::Scalar), _) => self.bind_type(*param, given),
            (Ty::Number(elem, shape), Ty::Number(given_elem, given_shape)) => {
                if let Elem::Param(param) = elem {
                    self.bind_type(*param, &Ty::Number(*given_elem, Shape::Scalar))?;
                }
                match (shape, given_shape) {
                    (Shape::Vector(n), Shape::Vector(given)) => self.bind_count(*n, *given),
                    (Shape::Matrix(rows, columns), Shape::Matrix(given_rows, given_columns)) => {
                        self.bind_count(*rows, *given_rows)?;
                        self.bind_count(*columns, *given_columns)
                    }
                    // A scalar says nothing of the size it will be splat to.
                    _ => Ok(()),
                }
            }
            (Ty::Array(element, count), Ty::Array(given_element, given_count)) => {
                self.unify(element, given_element)?;
                self.bind_count(*count, *given_count)
            }
            _ => Ok(()),
        }
    }

    fn bind_type(&mut self, param: ParamId, given: &Ty) -> Result<(), String> {
        if !self.is_open(param) {
            return Ok(());
        }
        let bound = match self.subst.get(&param) {
            None => given.clone(),
            Some(Arg::Type(known)) => join(self.program, known, given).ok_or_else(|| {
                format!(
                    "`{}` would be both `{}` and `{}`",
                    self.program.generics[param].name,
                    self.program.show(known),
                    self.program.show(given)
                )
            })?,
            Some(Arg::Count(_)) => return Ok(()),
        };
        self.subst.insert(param, Arg::Type(bound));
        Ok(())
    }

    fn bind_count(&mut self, wanted: Count, given: Count) -> Result<(), String> {
        let Count::Param(param) = wanted else { return Ok(()) };
        if !self.is_open(param) {
            return Ok(());
        }
        match self.subst.insert(param, Arg::Count(given)) {
            Some(Arg::Count(known)) if known != given => Err(format!(
                "`{}` would be both {} and {}",
                self.program.generics[param].name,
                self.program.show_count(known),
                self.program.show_count(given)
            )),
            _ => Ok(()),
        }
    }
}

/// The generic arguments of a call in the order of the function's parameters.
pub fn in_order(program: &Program<'_>, function: FnId, subst: &Subst) -> Vec<Arg> {
    let super::program::Lazy::Done(signature) = &program.functions[function].signature else {
        return Vec::new();
    };
    let error = Arg::Type(Ty::Error);
    signature.generics.iter().map(|param| subst.get(param).unwrap_or(&error).clone()).collect()
}
