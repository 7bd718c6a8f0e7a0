//! `argnums`: which arguments of a call gradients are asked for.

use crate::errors::{diagnostic, to_py};
use pullback_base::{Code, Diagnostic};
use pullback_dispatch::{Arg, Function};
use pullback_ir::Interface;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyTuple};

/// The place among the arguments given of each of `argnums`: names or numbers of parameters of the overload that
/// the arguments fit; negative numbers count from the last.
pub fn places(argnums: &Bound<'_, PyTuple>, function: &Function, args: &[Arg<'_>]) -> PyResult<Vec<usize>> {
    let py = argnums.py();
    let mut interfaces = function.interfaces();
    let interface = match (interfaces.next(), interfaces.next()) {
        (Some(only), None) => only,
        _ => function.interface_of(args).map_err(|e| to_py(py, &e))?,
    };
    argnums.iter_borrowed().map(|argnum| place(&argnum, interface, args)).collect()
}

fn place(argnum: &Bound<'_, PyAny>, interface: &Interface, args: &[Arg<'_>]) -> PyResult<usize> {
    let params = &interface.params;
    let refuse = |message: String, help: String| {
        let found = Diagnostic::error(Code::UnknownArgument, message).help(help);
        Err(diagnostic(argnum.py(), found))
    };
    let number = if let Ok(name) = argnum.cast::<PyString>() {
        let name = name.to_str()?;
        params.iter().position(|param| &*param.name == name)
    } else if argnum.is_instance_of::<PyBool>() {
        None
    } else {
        let number = argnum.extract::<isize>().ok();
        let number = number.map(|number| if number < 0 { number + params.len() as isize } else { number });
        number.and_then(|number| usize::try_from(number).ok()).filter(|&number| number < params.len())
    };
    let Some(number) = number else {
        let shown: Vec<String> =
            params.iter().enumerate().map(|(number, param)| format!("{} ({number})", param.name)).collect();
        let message =
            format!("`argnums` has {}, which is no parameter of `{}`", argnum.repr()?, interface.name);
        return refuse(message, format!("give names or numbers of its parameters: {}", shown.join(", ")));
    };
    let name = &*params[number].name;
    let positional = args.iter().take_while(|arg| arg.name.is_empty()).count();
    if number < positional {
        return Ok(number);
    }
    match args.iter().position(|arg| arg.name == name) {
        Some(place) => Ok(place),
        None if !params[number].direction.reads() => {
            let message = format!("`{name}` is an output, so it has no gradient");
            refuse(message, "ask for gradients of inputs".into())
        }
        None => refuse(format!("`{name}` was not passed, so it has no gradient"), "pass it".into()),
    }
}
