//! Why arguments do not fit, and what to do about it: overloads, and arrays of structs.

use crate::args::{Arg, ArgValue, ArrayView, Leaf};
use crate::overload::Overload;
use crate::record::{Record, RecordField};
use crate::slot::{GLOBAL, Slot};
use crate::whole::Form;
use pullback_base::{Code, Diagnostic, Diagnostics};
use pullback_ir::InterfaceParam;
use std::sync::Arc;

/// The only overload that has parameters for all arguments, and needs no more.
pub fn meant(overloads: &[Arc<Overload>], args: &[Arg<'_>]) -> Option<usize> {
    if let [_] = overloads {
        return Some(0);
    }
    let positional = args.iter().filter(|arg| arg.name.is_empty()).count();
    let takes_all = |overload: &&Arc<Overload>| {
        let params = &overload.interface.params;
        let given = |param: &InterfaceParam| args.iter().any(|arg| *arg.name == *param.name);
        let named = args.iter().filter(|arg| !arg.name.is_empty() && !arg.name.starts_with(GLOBAL));
        let is_needed = |param: &InterfaceParam| param.direction.reads() && param.default.is_none();
        positional <= params.len()
            && named.into_iter().all(|arg| params.iter().any(|param| *param.name == *arg.name))
            && params.iter().skip(positional).all(|param| given(param) || !is_needed(param))
    };
    let mut taking = overloads.iter().filter(takes_all);
    let one = taking.next().filter(|_| taking.next().is_none())?;
    overloads.iter().position(|overload| Arc::ptr_eq(overload, one))
}

/// The error where no overload takes the arguments, for the reasons given.
pub fn no_overload(overloads: &[Arc<Overload>], args: &[Arg<'_>], misfits: Vec<Diagnostics>) -> Diagnostics {
    let shown: Vec<String> = args.iter().map(|arg| describe(&arg.value)).collect();
    let message = format!("no overload of `{}` takes ({})", overloads[0].interface.name, shown.join(", "));
    let mut diagnostic = Diagnostic::error(Code::ArgumentType, message);
    for (overload, why) in overloads.iter().zip(misfits) {
        let reason = why.iter().next().map_or("", |d| d.message.as_str()).to_owned();
        diagnostic = diagnostic.note(format!("not {}: {reason}", overload.describe()));
    }
    diagnostic.help("pass arguments that fit one of these declarations").into()
}

/// How messages name a value.
pub fn describe(value: &ArgValue<'_>) -> String {
    match value {
        ArgValue::Numbers(numbers) => Leaf::Numbers(numbers).describe(),
        ArgValue::Array(array) => Leaf::Array(array).describe(),
        ArgValue::Struct(fields) => {
            format!(
                "a dict of {}",
                fields.iter().map(|(name, _)| name.as_ref()).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// Why an array is not of the structs that are asked for, or is of structs where none are.
pub fn record_misfit(path: &str, slot: &Slot, array: &ArrayView) -> Option<Diagnostic> {
    let refuse = |code, message: String, help: String| Some(Diagnostic::error(code, message).help(help));
    match (&slot.record, &array.record) {
        (None, None) => None,
        (None, Some(_)) if slot.whole == Some(Form::Bytes) => None,
        (None, Some(given)) => {
            let message = format!("`{path}` is {}, but got {}", shown(slot), array.describe());
            refuse(Code::ArgumentType, message, format!("pass one of its fields: {}", views_of(given)))
        }
        (Some(wanted), Some(given)) if wanted.is_like(given) => None,
        (Some(wanted), Some(given)) => {
            let message =
                format!("the structs of `{path}` lie otherwise in memory than those that were given");
            let found = Diagnostic::error(Code::DtypeMismatch, message);
            let found = found.note(format!("wanted: {wanted}")).note(format!("given:  {given}"));
            Some(found.help(format!("convert them: x.astype(module[{:?}].dtype) in NumPy", wanted.name)))
        }
        (Some(wanted), None) if wanted.count_of(array.dtype).is_some() => None,
        (Some(wanted), None) => {
            let message =
                format!("`{path}` takes elements of {}, but got {}", wanted.shown(), array.describe());
            let numbers = match wanted.uniform() {
                Some((dtype, count)) => format!("{} numbers of shape (..., {count})", dtype.numpy_name()),
                None => format!("bytes (uint8) of shape (..., {})", wanted.size_bytes),
            };
            let of = format!("structs of dtype module[{:?}].dtype", wanted.name);
            let help = format!("pass {of}, a dict of arrays, one per field, or {numbers}");
            refuse(Code::DtypeMismatch, message, help)
        }
    }
}

/// The fields of an array of structs as arrays: `x["origin"], x["direction"]`.
fn views_of(record: &Record) -> String {
    let views: Vec<String> = record.fields.iter().map(|field| format!("x[{:?}]", field.name)).collect();
    views.join(", ")
}

/// `float32 (3,)`, `float32`.
pub fn shown(slot: &Slot) -> String {
    match slot.element_shape.rank() {
        0 => slot.dtype.numpy_name().into(),
        _ => format!("{} {}", slot.dtype.numpy_name(), slot.element_shape),
    }
}

/// What to pass for a struct in the place of that value.
pub fn dict_help(value: &ArgValue<'_>) -> String {
    match value {
        ArgValue::Array(ArrayView { record: Some(record), .. }) => {
            let entry = |field: &RecordField| format!("{0:?}: x[{0:?}]", field.name);
            let entries: Vec<String> = record.fields.iter().map(entry).collect();
            format!("pass a dict with one entry per field: {{{}}}", entries.join(", "))
        }
        _ => "pass a dict with one entry per field".to_owned(),
    }
}
