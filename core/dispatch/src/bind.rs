//! Which argument feeds which slot: overloads, keywords, defaults, dtype rules. Values and shapes play no part,
//! but for telling overloads apart.

use crate::args::{Arg, ArgValue, ArrayView, Leaf, Numbers, leaves};
use crate::edit_distance::edit_distance;
use crate::misfit;
use crate::mode::Mode;
use crate::overload::Overload;
use crate::slot::{GLOBAL, Slot, accepted};
use crate::whole::Form;
use pullback_base::{Code, DType, Diagnostic, Diagnostics, Span};
use pullback_ir::{Constant, InterfaceParam, Type};
use std::sync::Arc;

/// A call's arguments, matched to one overload.
pub struct Binding {
    pub overload: usize,
    /// In the order of the flattened parameters.
    pub inputs: Vec<Input>,
    /// In the order of the flattened results.
    pub outputs: Vec<Output>,
}

pub struct Input {
    pub slot: Slot,
    pub source: Source,
    /// Where the parameter is declared.
    pub span: Span,
    /// Whether the call writes the whole array that it takes.
    pub written: bool,
}

impl Input {
    /// Whether the call leaves values with derivatives in the whole array that it takes.
    pub fn is_left(&self) -> bool {
        self.written && !self.slot.no_diff
    }

    /// The argument leaves that fill it, each with the slot that it fills.
    pub fn leaves(&self) -> impl Iterator<Item = (usize, &Slot)> {
        let one = match self.source {
            Source::Leaf(leaf) => Some((leaf, &self.slot)),
            _ => None,
        };
        let fields = match &self.source {
            Source::Fields(fields) => fields.as_slice(),
            _ => &[],
        };
        one.into_iter().chain(fields.iter().map(|field| (field.leaf, &field.slot)))
    }

    /// The slot that an argument leaf of it fills.
    pub fn slot_of(&self, leaf: usize) -> &Slot {
        self.leaves().find(|(its, _)| *its == leaf).map_or(&self.slot, |(_, slot)| slot)
    }

    /// The argument leaves that are whole arrays, or fields of one, in which the call leaves values with derivatives.
    pub fn left(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.leaves().filter(|(_, slot)| self.written && !slot.no_diff)
    }
}

impl Binding {
    pub fn has_whole_arrays(&self) -> bool {
        self.inputs.iter().any(|input| input.slot.whole.is_some())
    }

    /// Takes note of which whole arrays are written; `written` is by flattened parameter.
    pub fn note_written(&mut self, written: &[bool]) {
        for input in self.inputs.iter_mut().filter(|input| input.slot.whole.is_some()) {
            input.written = written[input.slot.leaves.start];
        }
    }

    /// Structs that are given as bytes have no derivative.
    fn note_bytes(&mut self, leaves: &[Leaf<'_>]) {
        for input in &mut self.inputs {
            let (Some(record), Source::Leaf(leaf)) = (&input.slot.record, &input.source) else { continue };
            if let Leaf::Array(array) = leaves[*leaf]
                && array.record.is_none()
                && record.are_bytes(array.dtype)
            {
                input.slot.no_diff = true;
            }
        }
    }
}

pub enum Source {
    /// Argument leaf by number.
    Leaf(usize),
    /// A whole array of structs, of which each field is an array of its own: packed for the call.
    Fields(Vec<FieldSource>),
    Default(Vec<Constant>),
}

/// The array of one field.
#[derive(Clone)]
pub struct FieldSource {
    /// Argument leaf by number.
    pub leaf: usize,
    /// Number of the field among [`Slot::field_slots`].
    pub field: usize,
    pub slot: Slot,
}

pub struct Output {
    pub slot: Slot,
    pub target: Target,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The nth result the call returns.
    Returned(usize),
    /// An array passed for an `out` or `inout` parameter: argument leaf by number.
    Leaf(usize),
}

/// Matches arguments to the overload they fit best.
pub fn bind(overloads: &[Arc<Overload>], args: &[Arg<'_>], mode: Mode<'_>) -> Result<Binding, Diagnostics> {
    let tries: Vec<Result<(Binding, i64), Diagnostics>> = (0..overloads.len())
        .map(|index| {
            Binder { overload: &overloads[index], found: Diagnostics::new(), cost: 0, next_leaf: 0 }
                .bind(index, args)
        })
        .collect();
    let mut fits = Vec::new();
    let mut misfits = Vec::new();
    for attempt in tries {
        match attempt {
            Ok(fit) => fits.push(fit),
            Err(why) => misfits.push(why),
        }
    }
    let Some(best) = fits.iter().map(|(_, cost)| *cost).min() else {
        return Err(match misfit::meant(overloads, args) {
            Some(index) => misfits.remove(index),
            None => misfit::no_overload(overloads, args, misfits),
        });
    };
    let mut best: Vec<Binding> = fits.into_iter().filter(|(_, cost)| *cost == best).map(|(b, _)| b).collect();
    if best.len() > 1 {
        let mut diagnostic = Diagnostic::error(
            Code::AmbiguousCall,
            format!(
                "{} overloads of `{}` take these arguments equally well",
                best.len(),
                overloads[0].interface.name
            ),
        );
        for binding in &best {
            diagnostic = diagnostic.note(format!("candidate: {}", overloads[binding.overload].describe()));
        }
        return Err(diagnostic.help("pass typed values (a NumPy scalar or array of the dtype meant)").into());
    }
    let mut binding = best.remove(0);
    binding.note_bytes(&leaves(args));
    check_mode(&binding, mode)?;
    Ok(binding)
}

/// Gradients only where there can be some.
fn check_mode(binding: &Binding, mode: Mode<'_>) -> Result<(), Diagnostics> {
    let wrt = match mode {
        Mode::Forward { .. } => return Ok(()),
        Mode::Recorded { wrt }
        | Mode::Backward { wrt, .. }
        | Mode::Gradient { wrt }
        | Mode::ValueAndGrad { wrt } => wrt,
    };
    let mut found = Diagnostics::new();
    // A recorded call may have only results without gradients: torch takes them as they are.
    let asks = !wrt.is_empty() && !matches!(mode, Mode::Recorded { .. });
    let writes = matches!(mode, Mode::Backward { written, .. } if written.iter().any(Option::is_some));
    if asks && !writes && binding.outputs.iter().all(|output| output.slot.no_diff) {
        found.push(
            Diagnostic::error(Code::NotDifferentiable, "the call has no result that can have a gradient")
                .help("ask for gradients of functions that return floats not marked no_diff"),
        );
    }
    for output in &binding.outputs {
        if let Target::Leaf(_) = output.target {
            found.push(
                Diagnostic::error(
                    Code::NotDifferentiable,
                    format!("`{}` is written in place, so this call has no gradient", output.slot.path),
                )
                .at(output.span, "written by the call")
                .help("leave the argument out: an `out` parameter without one is returned as a new array"),
            );
        }
    }
    for input in &binding.inputs {
        for (_, slot) in input.leaves().filter(|(leaf, slot)| wrt.get(*leaf) == Some(&true) && slot.no_diff) {
            let message = format!("`{}` {}: it has no gradient", slot.path, slot.why_no_diff());
            found.push(
                Diagnostic::error(Code::NotDifferentiable, message)
                    .at(input.span, "declared here")
                    .help("do not ask for its gradient"),
            );
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Matches arguments to one overload, collecting everything that is wrong.
struct Binder<'a> {
    overload: &'a Overload,
    found: Diagnostics,
    /// Conversions weigh 16; each element dim matched weighs -1, so a float3 takes (10, 3) before a float does.
    cost: i64,
    next_leaf: usize,
}

impl<'a> Binder<'a> {
    fn bind(mut self, index: usize, args: &[Arg<'a>]) -> Result<(Binding, i64), Diagnostics> {
        let overload = self.overload;
        let params = &overload.arguments;
        let is_positional = |place: &usize| !params[*place].name.starts_with(GLOBAL);
        let positional: Vec<usize> = (0..params.len()).filter(is_positional).collect();
        let mut chosen: Vec<Option<(&ArgValue<'a>, usize)>> = vec![None; params.len()];
        for (position, arg) in args.iter().enumerate() {
            let first_leaf = self.next_leaf;
            self.next_leaf += arg.value.leaf_count();
            let at = match arg.name {
                "" => positional.get(position).copied(),
                name => params.iter().position(|param| &*param.name == name),
            };
            match at {
                // Another overload uses it.
                None if arg.name.starts_with(GLOBAL) => {}
                None => self.unknown(arg, params),
                Some(at) if chosen[at].is_some() => self.found.push(
                    Diagnostic::error(Code::UnknownArgument, format!("`{}` is given twice", params[at].name))
                        .at(params[at].span, "this parameter")
                        .help("give it once, by position or by name"),
                ),
                Some(at) => chosen[at] = Some((&arg.value, first_leaf)),
            }
        }
        let mut inputs = Vec::new();
        let mut outputs = Vec::new();
        let mut returned = 0;
        let mut next_returned = || {
            returned += 1;
            Target::Returned(returned - 1)
        };
        match &overload.returned {
            Some(slots) => {
                let span = Span::NONE;
                outputs.extend(slots.iter().map(|slot| Output {
                    slot: slot.clone(),
                    target: next_returned(),
                    span,
                }));
            }
            None => self.unfit("the result", overload.interface.result.as_ref(), Span::NONE),
        }
        for ((param, slots), value) in params.iter().zip(&overload.params).zip(chosen) {
            let Some(slots) = slots else {
                self.unfit(&format!("`{}`", param.name), Some(&param.ty), param.span);
                continue;
            };
            match value {
                Some((value, first_leaf)) => {
                    let filled = if param.direction.reads() { &slots.inputs } else { &slots.outputs };
                    let mut leaf = first_leaf;
                    let matched = self.value(param, &param.name, &[], value, filled, &mut leaf);
                    for (slot, source) in matched {
                        let target = match source {
                            Source::Leaf(leaf) => Some(Target::Leaf(leaf)),
                            _ => None, // of whole arrays, which are no outputs
                        };
                        if param.direction.reads() {
                            let slot = slots.inputs[slot].clone();
                            inputs.push(Input { slot, source, span: param.span, written: false });
                        }
                        if let Some(target) = target.filter(|_| param.direction.writes()) {
                            outputs.push(Output {
                                slot: slots.outputs[slot].clone(),
                                target,
                                span: param.span,
                            });
                        }
                    }
                }
                None if !param.direction.reads() => outputs.extend(slots.outputs.iter().map(|slot| Output {
                    slot: slot.clone(),
                    target: next_returned(),
                    span: param.span,
                })),
                None => match &param.default {
                    Some(leaves) if !param.direction.writes() => {
                        self.default(param, &slots.inputs, leaves, &mut inputs)
                    }
                    _ => self.missing(param),
                },
            }
        }
        inputs.sort_by_key(|input| input.slot.leaves.start);
        outputs.sort_by_key(|output| output.slot.leaves.start);
        if self.found.is_empty() {
            Ok((Binding { overload: index, inputs, outputs }, self.cost))
        } else {
            Err(self.found)
        }
    }

    fn default(
        &mut self,
        param: &InterfaceParam,
        slots: &[Slot],
        leaves: &[Constant],
        inputs: &mut Vec<Input>,
    ) {
        let first = slots.first().map_or(0, |slot| slot.leaves.start);
        for slot in slots {
            let range = slot.leaves.start - first..slot.leaves.end - first;
            let source = Source::Default(leaves[range].to_vec());
            inputs.push(Input { slot: slot.clone(), source, span: param.span, written: false });
        }
    }

    fn missing(&mut self, param: &InterfaceParam) {
        if let Some(global) = param.name.strip_prefix(GLOBAL) {
            let name = &self.overload.interface.name;
            let message = format!("`{name}` uses the global `{global}`, which has no value");
            self.found.push(
                Diagnostic::error(Code::MissingArgument, message)
                    .at(param.span, format!("takes {}", accepted(&param.ty)))
                    .help(format!("give it one before the call: {name}.set({{\"{global}\": ...}})")),
            );
            return;
        }
        self.found.push(
            Diagnostic::error(
                Code::MissingArgument,
                format!("`{}` got no argument for `{}`", self.overload.interface.name, param.name),
            )
            .at(param.span, format!("takes {}", accepted(&param.ty)))
            .help(format!("pass {}=...", param.name)),
        );
    }

    fn unknown(&mut self, arg: &Arg<'_>, params: &[InterfaceParam]) {
        let name = &self.overload.interface.name;
        let params: Vec<&InterfaceParam> =
            params.iter().filter(|param| !param.name.starts_with(GLOBAL)).collect();
        let takes = params.iter().map(|param| &*param.name).collect::<Vec<_>>().join(", ");
        let diagnostic = match arg.name {
            "" => Diagnostic::error(
                Code::UnknownArgument,
                format!("`{name}` takes {} arguments, more were given", params.len()),
            ),
            given => Diagnostic::error(Code::UnknownArgument, format!("`{name}` has no parameter `{given}`")),
        };
        let near =
            params.iter().find(|param| !arg.name.is_empty() && edit_distance(&param.name, arg.name) <= 1);
        let help = match near {
            Some(param) => format!("did you mean `{}`?", param.name),
            None => format!("its parameters are: {takes}"),
        };
        self.found.push(diagnostic.help(help));
    }

    fn unfit(&mut self, what: &str, ty: Option<&Type>, span: Span) {
        let help = match ty {
            Some(Type::Pointer(_)) => {
                "take a StructuredBuffer<T> or a Tensor<T, D>, which know their sizes, and pass an array"
            }
            _ => {
                "wrap the function in one whose parameters are scalars, vectors, matrices, arrays or structs of these"
            }
        };
        let ty = ty.map_or_else(String::new, |ty| format!(" of type {}", accepted(ty)));
        let message = format!("{what}{ty} cannot be passed from outside a kernel");
        self.found.push(Diagnostic::error(Code::ArgumentType, message).at(span, "declared here").help(help));
    }

    /// Matches a value, at `fields` below a parameter, to slots; gives (slot, leaf) pairs.
    fn value(
        &mut self,
        param: &InterfaceParam,
        path: &str,
        fields: &[&str],
        value: &ArgValue<'_>,
        slots: &[Slot],
        leaf: &mut usize,
    ) -> Vec<(usize, Source)> {
        let below = |slot: &Slot| {
            slot.fields.len() > fields.len() && slot.fields.iter().zip(fields).all(|(a, b)| a == b)
        };
        let exact = slots.iter().position(|slot| {
            slot.fields.len() == fields.len() && slot.fields.iter().zip(fields).all(|(a, b)| a == b)
        });
        match (value, exact) {
            (ArgValue::Struct(given), None) => {
                let mut out = Vec::new();
                let mut names: Vec<&str> = slots
                    .iter()
                    .filter(|slot| below(slot))
                    .map(|slot| slot.fields[fields.len()].as_str())
                    .collect();
                names.dedup();
                for (place, (name, field)) in given.iter().enumerate() {
                    if given[..place].iter().any(|(earlier, _)| earlier == name) {
                        self.found.push(
                            Diagnostic::error(Code::UnknownField, format!("`{path}.{name}` is given twice"))
                                .at(param.span, "this parameter")
                                .help("give each field once"),
                        );
                        *leaf += field.leaf_count();
                        continue;
                    }
                    if !names.contains(&name.as_ref()) {
                        self.found.push(
                            Diagnostic::error(Code::UnknownField, format!("`{path}` has no field `{name}`"))
                                .at(param.span, accepted(&param.ty))
                                .help(format!("its fields are: {}", names.join(", "))),
                        );
                        *leaf += field.leaf_count();
                        continue;
                    }
                    let mut deeper = fields.to_vec();
                    deeper.push(name);
                    out.extend(self.value(param, &format!("{path}.{name}"), &deeper, field, slots, leaf));
                }
                for name in names.iter().filter(|name| !given.iter().any(|(g, _)| g == **name)) {
                    self.found.push(
                        Diagnostic::error(Code::MissingField, format!("`{path}` lacks the field `{name}`"))
                            .at(param.span, accepted(&param.ty))
                            .help(format!("add {name:?} to the dict")),
                    );
                }
                out
            }
            (ArgValue::Struct(_), Some(slot)) if slots[slot].record.is_some() => {
                let fields = slots[slot].field_slots();
                let matched = self.value(param, path, &[], value, &fields, leaf);
                let field = |(field, source): (usize, Source)| match source {
                    Source::Leaf(leaf) => Some(FieldSource { leaf, field, slot: fields[field].clone() }),
                    _ => None,
                };
                vec![(slot, Source::Fields(matched.into_iter().filter_map(field).collect()))]
            }
            (ArgValue::Struct(given), Some(slot)) => {
                *leaf += given.iter().map(|(_, field)| field.leaf_count()).sum::<usize>();
                self.found.push(
                    Diagnostic::error(Code::ArgumentType, format!("`{path}` is no struct, but got a dict"))
                        .at(param.span, accepted(&param.ty))
                        .help(format!("pass a {} array or number", slots[slot].dtype.numpy_name())),
                );
                Vec::new()
            }
            (other, None) => {
                *leaf += other.leaf_count();
                let help = misfit::dict_help(other);
                self.found.push(
                    Diagnostic::error(
                        Code::ArgumentType,
                        format!("`{path}` is a struct, but got {}", misfit::describe(other)),
                    )
                    .at(param.span, accepted(&param.ty))
                    .help(help),
                );
                Vec::new()
            }
            (other, Some(slot)) => {
                let taken = *leaf;
                *leaf += 1;
                self.leaf(param, path, &slots[slot], other);
                vec![(slot, Source::Leaf(taken))]
            }
        }
    }

    /// Checks one leaf against its slot.
    fn leaf(&mut self, param: &InterfaceParam, path: &str, slot: &Slot, value: &ArgValue<'_>) {
        match value {
            ArgValue::Numbers(numbers) => self.numbers(param, path, slot, numbers),
            ArgValue::Array(array) => self.array(param, path, slot, array),
            ArgValue::Struct(_) => {}
        }
    }

    fn numbers(&mut self, param: &InterfaceParam, path: &str, slot: &Slot, numbers: &Numbers) {
        if slot.whole.is_some() {
            let message = format!("`{path}` takes a whole array, but got {}", numbers.describe());
            self.found.push(
                Diagnostic::error(Code::ArgumentType, message).at(param.span, accepted(&param.ty)).help(
                    format!("pass an array: np.array(..., {:?}), torch.tensor(...)", slot.dtype.numpy_name()),
                ),
            );
            return;
        }
        let dtype = slot.dtype;
        let described = || format!("`{path}` is {}, but got {}", misfit::shown(slot), numbers.describe());
        if param.direction.writes() {
            self.found.push(
                Diagnostic::error(Code::ReadOnlyOutput, format!("`{path}` is written by the call, but got {}", numbers.describe()))
                    .at(param.span, format!("{} parameter", param.direction.name()))
                    .help("pass an array to be written, or leave an `out` parameter out and take it from the results"),
            );
        } else if numbers.shape.rank() > 0 && numbers.shape != slot.element_shape {
            self.found.push(
                Diagnostic::error(Code::ElementShape, described())
                    .at(param.span, accepted(&param.ty))
                    .help("pass as many numbers as it has, or an array to vectorize over"),
            );
        } else if !numbers.converts_to(dtype) {
            self.found.push(
                Diagnostic::error(Code::DtypeMismatch, described())
                    .at(param.span, accepted(&param.ty))
                    .help(format!("convert it first, for example with {}(...)", python_type(dtype))),
            );
        }
        self.cost += if numbers.matches(dtype) { 0 } else { 16 };
        self.cost += if numbers.shape == slot.element_shape { 0 } else { 16 };
    }

    fn array(&mut self, param: &InterfaceParam, path: &str, slot: &Slot, array: &ArrayView) {
        if let Some(misfit) = misfit::record_misfit(path, slot, array) {
            self.found.push(misfit.at(param.span, accepted(&param.ty)));
            return;
        }
        let exact = slot.record.is_some() || array.dtype == slot.dtype;
        let exact = exact || slot.whole == Some(Form::Bytes);
        let in_place = param.direction.writes() || slot.whole.is_some();
        let fits = if in_place { exact } else { array.dtype.converts_safely_to(slot.dtype) };
        if !fits {
            let (from, to) = (array.dtype.numpy_name(), slot.dtype.numpy_name());
            let help = match slot.dtype {
                DType::BF16 => format!("convert it: x.to(torch.{to}) in torch; NumPy has no such numbers"),
                _ => format!("convert it: x.astype('{to}') in NumPy, x.to(torch.{to}) in torch"),
            };
            self.found.push(
                Diagnostic::error(
                    Code::DtypeMismatch,
                    format!("`{path}` is {}, but got {from} {}", misfit::shown(slot), array.shape),
                )
                .at(param.span, accepted(&param.ty))
                .help(help),
            );
        }
        if param.direction.writes() && !array.writable {
            self.found.push(
                Diagnostic::error(
                    Code::ReadOnlyOutput,
                    format!("`{path}` is written by the call, but the array is read-only"),
                )
                .at(param.span, format!("{} parameter", param.direction.name()))
                .help("pass a writable array"),
            );
        }
        self.cost += if exact { 0 } else { 16 };
        let element_shape = slot.element_of(array);
        let rank = element_shape.rank();
        if let Some(Form::Tensor { rank: lanes }) = slot.whole {
            self.cost += if array.shape.rank() == lanes + rank { -1 } else { 1 << 20 };
            return;
        }
        let dims = array.shape.dims();
        if dims.len() >= rank && dims[dims.len() - rank..] == *element_shape.dims() {
            self.cost -= rank as i64;
        } else {
            self.cost += 1 << 20; // only the geometry can say what is wrong; another overload may fit
        }
    }
}

fn python_type(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        _ if dtype.is_float() => "float",
        _ => "int",
    }
}
