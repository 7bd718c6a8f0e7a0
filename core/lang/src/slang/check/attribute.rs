//! Attributes: what they ask for, and which are refused because ignoring them would change gradients.

use super::Checker;
use super::context::Context;
use crate::slang::ast::{self, Attribute};
use pullback_base::{Code, Diagnostic};
use pullback_ir::{DerivativeMode, LoopHints};

/// Attributes that change nothing here, or are read elsewhere.
const ACCEPTED: [&str; 30] = [
    "__implicit",
    "NoDiffThis",
    "Differentiable",
    "BackwardDifferentiable",
    "ForwardDifferentiable",
    "ForwardDerivative",
    "ForwardDerivativeOf",
    "BackwardDerivative",
    "BackwardDerivativeOf",
    "PrimalSubstitute",
    "PrimalSubstituteOf",
    "__apply",
    "TreatAsDifferentiable",
    "PreferRecompute",
    "PreferCheckpoint",
    "mutating",
    "nonmutating",
    "noinline",
    "NoInline",
    "ForceInline",
    "__unsafeForceInlineEarly",
    "__readNone",
    "KnownBuiltin",
    "AutoPyBindCUDA",
    "CUDADeviceExport",
    "CudaDeviceExport",
    "OverloadRank",
    "deprecated",
    "require",
    "Experimental",
];

/// Attributes whose meaning the compiler would have to follow.
const REFUSED: [(&str, &str); 3] =
    [("CUDAKernel", "entry points"), ("TorchEntryPoint", "entry points"), ("PyExport", "entry points")];

pub fn is_differentiable(decl: &ast::Decl) -> bool {
    decl.attributes.iter().any(|attribute| {
        matches!(&*attribute.name.text, "Differentiable" | "BackwardDifferentiable" | "ForwardDifferentiable")
    })
}

/// Whether the author says that the body tells the derivative of that mode.
pub fn claims_derivative(decl: &ast::Decl, mode: DerivativeMode) -> bool {
    decl.attributes.iter().any(|attribute| match &*attribute.name.text {
        "Differentiable" | "BackwardDifferentiable" | "TreatAsDifferentiable" => true,
        "ForwardDifferentiable" => mode == DerivativeMode::Forward,
        _ => false,
    })
}

/// What the function gives depends on nothing, as far as derivatives go.
pub fn is_constant(decl: &ast::Decl) -> bool {
    decl.attributes.iter().any(|attribute| &*attribute.name.text == "TreatAsDifferentiable")
}

/// Checks the attributes of a function; whether they forbid to compile it.
pub fn check_function(checker: &mut Checker<'_>, decl: &ast::Decl, is_std: bool) -> bool {
    let mut broken = false;
    for attribute in &decl.attributes {
        let name = &*attribute.name.text;
        let of_entry_point = ["numthreads", "shader"].iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_std || of_entry_point || ACCEPTED.contains(&name) {
            continue;
        }
        match REFUSED.iter().find(|(refused, _)| *refused == name) {
            Some((_, what)) => {
                checker.unsupported(what, attribute.span);
                broken = true;
            }
            None => checker.diagnostics.push(unknown(attribute)),
        }
    }
    broken
}

fn unknown(attribute: &Attribute) -> Diagnostic {
    let message = format!("attribute `{}` is not known, and ignored", attribute.name.text);
    let diagnostic = Diagnostic::warning(Code::UnknownName, message).at(attribute.span, "has no effect");
    const KNOWN: [&str; 10] = [
        "Differentiable",
        "BackwardDifferentiable",
        "ForwardDifferentiable",
        "ForwardDerivative",
        "BackwardDerivative",
        "TreatAsDifferentiable",
        "mutating",
        "numthreads",
        "shader",
        "MaxIters",
    ];
    match super::suggest::nearest(&attribute.name.text, KNOWN.into_iter()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

impl Context<'_, '_> {
    /// What the attributes of a loop say of it.
    pub fn loop_hints(&mut self, attributes: &[Attribute]) -> LoopHints {
        let mut hints = LoopHints::default();
        for attribute in attributes {
            match &*attribute.name.text {
                "ForceUnroll" | "unroll" => hints.unroll = true,
                "MaxIters" => {
                    let trips = attribute.args.first().map(|arg| self.expr(arg));
                    let trips = trips.and_then(|arg| self.constant_int(&arg));
                    hints.max_trips = trips.and_then(|trips| u32::try_from(trips).ok());
                }
                "loop" | "fastopt" | "allow_uav_condition" => {}
                _ => self.report(unknown(attribute)),
            }
        }
        hints
    }

    /// `if` and `switch` take hints for other compilers.
    pub fn branch_attributes(&mut self, attributes: &[Attribute]) {
        for attribute in attributes {
            if !matches!(&*attribute.name.text, "branch" | "flatten" | "forcecase" | "call") {
                self.report(unknown(attribute));
            }
        }
    }
}
