//! Generic arguments from the arguments of a call.

use super::convert::join;
use super::count::{Count, Solved};
use super::program::{FnId, GenericKind, Program, Signature};
use super::types::{Arg, Elem, ParamId, Shape, Subst, Ty};
use pullback_base::Scalar;

/// What the generic parameters of a function stand for when it is called with arguments of these types, or why
/// that cannot be told. `subst` has those of the type whose member it is.
pub fn infer(
    program: &Program<'_>,
    signature: &Signature,
    mut subst: Subst,
    explicit: Option<&[Arg]>,
    args: &[Ty],
) -> Result<Subst, String> {
    let own = &signature.generics[signature.outer..];
    let explicit = explicit.unwrap_or_default();
    match own.len() {
        0 if !explicit.is_empty() => return Err("is not generic".into()),
        1 if explicit.len() > 1 => return Err("takes one generic argument".into()),
        most if explicit.len() > most => return Err(format!("takes {most} generic arguments")),
        _ => {}
    }
    for (&param, arg) in own.iter().zip(explicit) {
        program.same_kind(param, arg)?;
        subst.insert(param, arg.clone());
    }
    let mut inference = Inference { program, open: &own[explicit.len()..], subst, sizes: Vec::new() };
    for (param, arg) in signature.params.iter().zip(args) {
        inference.unify(&param.ty, arg)?;
    }
    let mut subst = inference.told()?;
    let untold: Vec<ParamId> = own.iter().copied().filter(|param| !subst.contains_key(param)).collect();
    fill(program, &untold, &mut subst)?;
    // A bound may name parameters behind it.
    let (given, told) = own.split_at(explicit.len());
    if let Some(misfit) = given.iter().find_map(|&param| program.misfit(param, &subst)) {
        return Err(misfit);
    }
    for &param in told {
        if fit(program, param, &mut subst)? {
            fill(program, &untold, &mut subst)?;
        }
    }
    Ok(subst)
}

/// Gives parameters that nobody tells their defaults.
fn fill(program: &Program<'_>, untold: &[ParamId], subst: &mut Subst) -> Result<(), String> {
    for &param in untold {
        let name = &program.generics[param].name;
        let default = program.default_of(param, subst);
        subst.insert(param, default.ok_or_else(|| format!("the arguments do not tell `{name}`"))?);
    }
    Ok(())
}

/// Checks bounds; an integer where a float is asked for becomes a `float`. Whether one did.
fn fit(program: &Program<'_>, param: ParamId, subst: &mut Subst) -> Result<bool, String> {
    let Some(misfit) = program.misfit(param, subst) else { return Ok(false) };
    let (GenericKind::Type { bound, .. }, Some(Arg::Type(ty))) =
        (&program.generics[param].kind, subst.get(&param))
    else {
        return Err(misfit);
    };
    if let Ty::Number(Elem::Scalar(scalar), shape) = ty {
        let promoted = [Scalar::I32, Scalar::F32]
            .into_iter()
            .map(|to| (to, Ty::Number(Elem::Scalar(to), shape.clone())));
        let mut promoted = promoted.filter(|(to, _)| !scalar.is_float() && scalar != to);
        if let Some((_, ty)) = promoted.find(|(_, ty)| bound.admits(program, ty)) {
            subst.insert(param, Arg::Type(ty));
            return Ok(true);
        }
    }
    Err(misfit)
}

struct Inference<'p, 'a> {
    program: &'p Program<'a>,
    /// Parameters that were not given, and that the arguments tell.
    open: &'p [ParamId],
    subst: Subst,
    /// Sizes computed from open parameters, and what they are in the arguments.
    sizes: Vec<(Count, Count)>,
}

impl Inference<'_, '_> {
    /// Whether the parameter is one of this call's, to be inferred.
    fn is_open(&self, param: ParamId) -> bool {
        self.open.contains(&param)
    }

    fn unify(&mut self, wanted: &Ty, given: &Ty) -> Result<(), String> {
        match (wanted, given) {
            (Ty::Number(Elem::Param(param), Shape::Scalar), _) => self.bind_type(*param, given),
            (Ty::Number(elem, shape), Ty::Number(given_elem, given_shape)) => {
                if let Elem::Param(param) = elem {
                    self.bind_type(*param, &Ty::Number(*given_elem, Shape::Scalar))?;
                }
                match (shape, given_shape) {
                    (Shape::Vector(n), Shape::Vector(given)) => self.bind_count(n, given),
                    (Shape::Matrix(rows, columns), Shape::Matrix(given_rows, given_columns)) => {
                        self.bind_count(rows, given_rows)?;
                        self.bind_count(columns, given_columns)
                    }
                    // A scalar says nothing of the size it will be splat to.
                    _ => Ok(()),
                }
            }
            (Ty::Array(element, count), Ty::Array(given_element, given_count)) => {
                self.unify(element, given_element)?;
                self.bind_count(count, given_count)
            }
            (Ty::Buffer(kind, element), Ty::Buffer(given_kind, given)) if kind == given_kind => {
                self.unify(element, given)
            }
            (Ty::Pair(pairing, of), Ty::Pair(given_pairing, given)) if pairing == given_pairing => {
                self.unify(of, given)
            }
            (Ty::Differential(of), Ty::Differential(given)) => self.unify(of, given),
            (Ty::Pointer(_, target), Ty::Pointer(_, given)) => self.unify(target, given),
            (Ty::Assoc(base, requirement), Ty::Assoc(given, given_requirement))
                if requirement == given_requirement =>
            {
                self.unify(base, given)
            }
            (Ty::Struct(id, args), Ty::Struct(given_id, given)) if id == given_id => {
                for (arg, given) in args.iter().zip(given.iter()) {
                    match (arg, given) {
                        (Arg::Type(ty), Arg::Type(given)) => self.unify(ty, given)?,
                        (Arg::Count(count), Arg::Count(given)) => self.bind_count(count, given)?,
                        _ => {}
                    }
                }
                Ok(())
            }
            _ if self.program.is_none(given) => Ok(()),
            (wanted, given) => match self.program.held(wanted) {
                Some(held) => self.unify(held, given),
                None => Ok(()),
            },
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

    fn bind_count(&mut self, wanted: &Count, given: &Count) -> Result<(), String> {
        // The message names the parameter where the size is it alone.
        if let Some(param) = wanted.as_param().filter(|&param| self.is_open(param)) {
            return match self.subst.insert(param, Arg::Count(given.clone())) {
                Some(Arg::Count(known)) if known != *given => Err(format!(
                    "`{}` would be both {} and {}",
                    self.program.generics[param].name,
                    self.program.show_count(&known),
                    self.program.show_count(given)
                )),
                _ => Ok(()),
            };
        }
        let mentioned = self.open.iter().any(|&param| wanted.mentions(param));
        if mentioned {
            self.sizes.push((wanted.clone(), given.clone()));
        }
        Ok(())
    }

    /// What sizes tell that are computed from parameters, now that other arguments told what they can.
    fn told(mut self) -> Result<Subst, String> {
        let mut sizes = std::mem::take(&mut self.sizes);
        while !sizes.is_empty() {
            let (before, mut left) = (sizes.len(), Vec::new());
            for (wanted, given) in sizes {
                let now = wanted.subst(self.program, &self.subst);
                let is_open = |param| self.is_open(param) && !self.subst.contains_key(&param);
                match now.solve(&given, is_open) {
                    Solved::Param(param, told) => {
                        self.subst.insert(param, Arg::Count(told));
                    }
                    Solved::Never => {
                        let (wanted, given) =
                            (self.program.show_count(&wanted), self.program.show_count(&given));
                        return Err(format!("`{wanted}` cannot be {given}"));
                    }
                    Solved::Known => {}
                    Solved::Open => left.push((wanted, given)),
                }
            }
            if left.len() == before {
                break;
            }
            sizes = left;
        }
        Ok(self.subst)
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

/// What parameters must stand for so that `pattern` becomes `ty`; `None` when nothing makes it so.
pub fn matches(program: &Program<'_>, open: &[ParamId], pattern: &Ty, ty: &Ty) -> Option<Subst> {
    let mut inference = Inference { program, open, subst: Subst::default(), sizes: Vec::new() };
    inference.unify(pattern, ty).ok()?;
    let subst = inference.told().ok()?;
    (pattern.subst(program, &subst) == *ty).then_some(subst)
}

/// What parameters, within their bounds, must stand for so that `pattern` becomes `args`.
pub fn matches_args(program: &Program<'_>, open: &[ParamId], pattern: &[Arg], args: &[Arg]) -> Option<Subst> {
    let mut inference = Inference { program, open, subst: Subst::default(), sizes: Vec::new() };
    for (pattern, arg) in pattern.iter().zip(args) {
        match (pattern, arg) {
            (Arg::Type(ty), Arg::Type(given)) => inference.unify(ty, given).ok()?,
            (Arg::Count(count), Arg::Count(given)) => inference.bind_count(count, given).ok()?,
            _ => return None,
        }
    }
    let subst = inference.told().ok()?;
    let becomes = pattern.iter().zip(args).all(|(pattern, arg)| pattern.subst(program, &subst) == *arg);
    let fits = open.iter().all(|&param| program.misfit(param, &subst).is_none());
    (becomes && fits && pattern.len() == args.len()).then_some(subst)
}

impl Program<'_> {
    /// What a generic parameter stands for when nobody says.
    pub fn default_of(&self, param: ParamId, subst: &Subst) -> Option<Arg> {
        let default = match &self.generics[param].kind {
            GenericKind::Type { default, .. } => {
                self.stood_for(param).or(default.as_ref()).cloned().map(Arg::Type)
            }
            GenericKind::Count { default, .. } => default.clone().map(Arg::Count),
        };
        default.map(|default| default.subst(self, subst))
    }

    pub fn same_kind(&self, param: ParamId, arg: &Arg) -> Result<(), String> {
        let name = &self.generics[param].name;
        match (&self.generics[param].kind, arg) {
            (GenericKind::Type { .. }, Arg::Type(_)) | (GenericKind::Count { .. }, Arg::Count(_)) => Ok(()),
            (GenericKind::Type { .. }, _) => Err(format!("`{name}` is a type, not a number")),
            (GenericKind::Count { .. }, _) => Err(format!("`{name}` is a number, not a type")),
        }
    }

    /// What the parameters of the type whose member a function is stand for, when it is asked of the type `of`. Without such a
    /// type the function is called from within, where they stand for themselves.
    pub fn outer_subst(&self, function: FnId, of: Option<&Ty>) -> Option<Subst> {
        let Some(owner) = self.functions[function].owner else { return Some(Subst::default()) };
        match of {
            Some(ty) => self.members_subst(owner, ty),
            None => {
                let generics = &self.members[owner].generics;
                Some(generics.iter().map(|&param| (param, self.generic_as_arg(param))).collect())
            }
        }
    }
}
