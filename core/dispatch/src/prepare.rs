//! A prepared call: the plan of its signature and geometry, and the words of this call.

use crate::args::{Arg, ArrayView, Leaf};
use crate::bind::{self, Target, bind};
use crate::cache::{BoundCall, OverloadSet};
use crate::context::Context;
use crate::error::Error;
use crate::held::Held;
use crate::layout::{self, FeedFrom, Gathering, SinkInto};
use crate::mode::Mode;
use crate::packed::Packed;
use crate::plan::{Blueprint, Plan, PlanKey, Wanted};
use crate::ports::{Leaves, Ports};
use crate::record::Record;
use crate::signature::Signature;
use crate::slot::Slot;
use crate::source::Source;
use crate::vectorize::{Geometry, Reach, Role};
use crate::whole::{self, Form};
use crate::words::{HostRanges, Words, host_range};
use pullback_base::{Code, DType, Diagnostic, Shape, Span, bug};
use pullback_device::Access;
use pullback_ir::MatrixOrder;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// An array the caller makes for the call to write: C-contiguous.
#[derive(Clone, Debug)]
pub struct OutputSpec {
    pub dtype: DType,
    pub shape: Shape,
    /// Of an array of structs, seen as bytes: how one lies in memory.
    pub record: Option<Arc<Record>>,
}

impl OutputSpec {
    /// The shape as users see it: without the bytes of structs.
    pub fn shown_shape(&self) -> Shape {
        let dims = self.shape.dims();
        Shape::from(&dims[..dims.len() - usize::from(self.record.is_some())])
    }
}

/// A call that is ready to run.
pub struct Prepared {
    source: Arc<Source>,
    pub(crate) plan: Arc<Plan>,
    bound: Arc<BoundCall>,
    shape: Shape,
    pub(crate) words: Words,
    pub(crate) host: HostRanges,
    outputs: SmallVec<[OutputSpec; 2]>,
    /// Word of each sink's first pointer.
    pub(crate) sink_words: SmallVec<[usize; 4]>,
    pub(crate) gathered: SmallVec<[Gathered; 2]>,
    /// Arrays of structs whose fields are arrays of their own.
    pub(crate) packed: Vec<Packed>,
    /// Inputs that are whole arrays, each with where its words are, but for the address.
    wholes: SmallVec<[(usize, Range<usize>); 2]>,
}

/// A gradient that is added to in place.
pub(crate) struct Gathered {
    /// Where its address goes.
    pub word: usize,
    pub into: Gathering,
    /// How its structs lie in memory, if it is of such.
    pub record: Option<Arc<Record>>,
    /// What it begins with; zero without it.
    pub from: Option<ArrayView>,
}

impl Prepared {
    pub(crate) fn new(
        source: &Arc<Source>,
        set: &OverloadSet,
        held: &impl Held,
        args: &[Arg<'_>],
        mode: Mode<'_>,
        deterministic: bool,
    ) -> Result<Self, Error> {
        drafted(source, set, held, args, mode, deterministic, |draft| {
            let &Draft { bound, ports, geometry, blueprint } = draft;
            let key = PlanKey::of(geometry, !blueprint.wanted.is_empty());
            let plan = bound.plan(&key, || held.released(|| Plan::build(blueprint)))?;
            let outputs = outputs(bound, ports, geometry, blueprint.leaves, mode, blueprint.wanted);
            let mut prepared = Self {
                source: source.clone(),
                plan,
                bound: bound.clone(),
                shape: geometry.shape.clone(),
                words: Words::new(),
                host: HostRanges::new(),
                outputs,
                sink_words: SmallVec::new(),
                gathered: SmallVec::new(),
                packed: Vec::new(),
                wholes: SmallVec::new(),
            };
            prepared.fill_words(blueprint.leaves, ports, geometry).map_err(|why| source.error_of(why))?;
            prepared.check_alike(blueprint).map_err(|why| source.error_of(why))?;
            prepared.add_packed_outputs(blueprint);
            prepared.seed_written(blueprint).map_err(|why| source.error_of(why))?;
            Ok(prepared)
        })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.source.context
    }

    /// The call's shape: one lane per element.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The arrays to make for the call: the results that none were given for, then the gradients in the order of
    /// the argument leaves asked for.
    pub fn outputs(&self) -> &[OutputSpec] {
        &self.outputs
    }

    /// Field names below the return value or `out` parameter that returned result `index` belongs to, and the
    /// name of that parameter (empty for the return value).
    pub fn result_path(&self, index: usize) -> (&str, &[String]) {
        let output =
            self.bound.binding.outputs.iter().find(|output| output.target == Target::Returned(index));
        let Some(output) = output else { return ("", &[]) };
        let root = output.slot.path.split('.').next().unwrap_or("");
        (if output.span.is_none() { "" } else { root }, &output.slot.fields)
    }

    /// How many results the call returns: those of the return value, and of `out` parameters left out.
    pub fn result_count(&self) -> usize {
        let outputs = self.bound.binding.outputs.iter();
        outputs.filter(|output| matches!(output.target, Target::Returned(_))).count()
    }

    /// Whether returned result `index` carries no derivative: by declaration, or because it is not a float.
    pub fn result_no_diff(&self, index: usize) -> bool {
        let mut outputs = self.bound.binding.outputs.iter();
        outputs.any(|output| output.target == Target::Returned(index) && output.slot.no_diff)
    }

    /// The argument leaves that the call writes.
    pub fn written_leaves(&self) -> impl Iterator<Item = usize> {
        let binding = &self.bound.binding;
        let of_outputs = binding.outputs.iter().filter_map(|output| match output.target {
            Target::Leaf(leaf) => Some(leaf),
            Target::Returned(_) => None,
        });
        let wholes = binding.inputs.iter().filter(|input| input.written);
        of_outputs.chain(wholes.flat_map(|input| input.leaves()).map(|(leaf, _)| leaf))
    }

    /// The argument leaves that are whole arrays into which the call may write what has a derivative.
    pub fn left_leaves(&self) -> impl Iterator<Item = usize> {
        self.bound.binding.inputs.iter().flat_map(|input| input.left()).map(|(leaf, _)| leaf)
    }

    fn fill_words(
        &mut self,
        leaves: &Leaves<'_>,
        ports: &Ports<'_>,
        geometry: &Geometry,
    ) -> Result<(), Diagnostic> {
        let plan = self.plan.clone();
        let bound = self.bound.clone();
        if plan.sizes_first {
            self.words.extend(geometry.dims[1..].iter().map(|&size| size as u64));
        }
        for (place, feed) in plan.feeds.iter().enumerate() {
            match &feed.from {
                FeedFrom::Constants(_) => {}
                FeedFrom::Whole(_) => {
                    let first = self.words.len();
                    self.whole_words(place, ports)?;
                    self.wholes.push((place, first + 1..self.words.len()));
                }
                FeedFrom::Gathered(into, _) => {
                    let (word, into) = (self.words.len(), *into);
                    let record = match into {
                        Gathering::Output(output) => self.outputs[output].record.clone(),
                        Gathering::Packed(input) => bound.binding.inputs[input].slot.record.clone(),
                    };
                    self.gathered.push(Gathered { word, into, record, from: None });
                    self.words.push(0);
                }
                FeedFrom::Array(walk, _) => self.array_words(*walk, ports, geometry),
                FeedFrom::Numbers => {
                    let input = &bound.binding.inputs[place];
                    let numbers = match input.source {
                        bind::Source::Leaf(leaf) => match leaves.0.get(leaf) {
                            Some(Leaf::Numbers(numbers)) => numbers,
                            _ => bug!("dispatch", "leaf {leaf} is not numbers"),
                        },
                        bind::Source::Fields(_) | bind::Source::Default(_) => {
                            bug!("dispatch", "input {place} is not numbers")
                        }
                    };
                    for leaf in 0..input.slot.leaf_count() {
                        let number = numbers.values[if numbers.values.len() == 1 { 0 } else { leaf }];
                        let constant = number
                            .to_constant(feed.dtype, &input.slot.path)
                            .map_err(|d| d.at(input.span, "declared here"))?;
                        self.words.push(constant.bits());
                    }
                }
            }
        }
        for sink in &plan.sinks {
            self.sink_words.push(self.words.len());
            match (&sink.into, sink.role) {
                (_, layout::Role::Given(walk)) => self.array_words(walk, ports, geometry),
                (SinkInto::GroupSums(_), _) => self.words.extend(sink.leaves.clone().map(|_| 0)),
                (SinkInto::Array(_), _) => self.words.push(0),
            }
        }
        Ok(())
    }

    /// What is of an array's derivatives lies as the array does: it has the same words but for the address.
    fn check_alike(&self, blueprint: &Blueprint<'_, '_>) -> Result<(), Diagnostic> {
        let inputs = &self.bound.binding.inputs;
        let find = |path: &str| inputs.iter().position(|input| input.slot.path == path);
        for (of, derivative) in &blueprint.overload.alike {
            let (Some(of), Some(derivative)) = (find(of), find(derivative)) else { continue };
            let form = |input: usize| self.wholes.iter().find(|(its, _)| *its == input);
            let (Some((_, one)), Some((_, other))) = (form(of), form(derivative)) else { continue };
            if self.words[one.clone()] != self.words[other.clone()] {
                let (of, derivative) = (&inputs[of], &inputs[derivative]);
                let message = format!("`{}` is no array like `{}`", derivative.slot.path, of.slot.path);
                let shown = |input: &bind::Input| {
                    let mut arrays = input.leaves().filter_map(|(leaf, _)| blueprint.leaves.array(leaf));
                    arrays.next().map_or_else(String::new, |array| {
                        format!("{}, strides {:?}", array.describe(), array.strides)
                    })
                };
                return Err(Diagnostic::error(Code::ShapeMismatch, message)
                    .at(derivative.span, "declared here")
                    .note(format!("{}: {}", of.slot.path, shown(of)))
                    .note(format!("{}: {}", derivative.slot.path, shown(derivative)))
                    .help("pass an array of the same shape and strides"));
            }
        }
        Ok(())
    }

    /// Lets the gradients of written arrays begin with the cotangents of what is left there.
    fn seed_written(&mut self, blueprint: &Blueprint<'_, '_>) -> Result<(), Diagnostic> {
        let Mode::Backward { written, .. } = blueprint.mode else { return Ok(()) };
        for (place, wanted) in blueprint.wanted.iter().enumerate() {
            let Some(Some(cotangent)) = written.get(wanted.leaf) else { continue };
            let input = &self.bound.binding.inputs[wanted.input];
            let slot = input.slot_of(wanted.leaf);
            check_seed(cotangent, blueprint.leaves.array(wanted.leaf), slot, input.span)?;
            match wanted.field {
                Some(field) => {
                    let packed = self.packed.iter_mut().filter(|packed| packed.input == wanted.input);
                    packed.for_each(|packed| packed.cotangents.push((field, cotangent.clone())));
                }
                None => {
                    let into = Gathering::Output(place);
                    let gathered = self.gathered.iter_mut().filter(|gathered| gathered.into == into);
                    gathered.for_each(|gathered| gathered.from = Some(cotangent.clone()));
                }
            }
        }
        Ok(())
    }

    /// Tells packed arrays to which outputs the gradients of their fields go. A derivative alone writes nothing again.
    fn add_packed_outputs(&mut self, blueprint: &Blueprint<'_, '_>) {
        if let Mode::Backward { .. } | Mode::Gradient { .. } = blueprint.mode {
            self.packed.iter_mut().for_each(|packed| packed.written = false);
        }
        let first = self.outputs.len() - blueprint.wanted.len();
        for (place, wanted) in blueprint.wanted.iter().enumerate() {
            let Some(field) = wanted.field else { continue };
            let packed = self.packed.iter_mut().filter(|packed| packed.input == wanted.input);
            packed.for_each(|packed| packed.gradients.push((field, first + place)));
        }
    }

    fn whole_words(&mut self, input: usize, ports: &Ports<'_>) -> Result<(), Diagnostic> {
        let bound = &self.bound.binding.inputs[input];
        if let bind::Source::Fields(fields) = &bound.source {
            let arrays = ports.wholes.iter().filter(|(taker, _)| *taker == input).map(|(_, port)| port.array);
            let (packed, words) = Packed::new(bound, fields, arrays, input, self.words.len())?;
            self.packed.push(packed);
            self.words.extend(words);
            return Ok(());
        }
        let whole = ports.wholes.iter().find(|(taker, _)| *taker == input);
        let (Some((_, port)), Some(form)) = (whole, bound.slot.whole) else {
            bug!("dispatch", "input {input} has no whole array")
        };
        let words = whole::words(&bound.slot, form, port.array, bound.span)?;
        if port.array.shape.count() > 0 {
            let access = if bound.written { Access::ReadWrite } else { Access::Read };
            self.host.extend(host_range(self.context(), 0, self.words.len(), port.array, access));
        }
        self.words.extend(words);
        Ok(())
    }

    fn array_words(&mut self, walk: usize, ports: &Ports<'_>, geometry: &Geometry) {
        let port = &ports.ports[walk];
        let access = if port.role == Role::Written { Access::Write } else { Access::Read };
        self.host.extend(host_range(self.context(), 0, self.words.len(), port.array, access));
        self.words.push(port.array.address);
        let walk = &geometry.walks[walk];
        if walk.reach == Reach::Strided {
            self.words.extend(walk.lane_strides.iter().map(|&stride| stride as u64));
        }
        if let Some(strides) = &walk.element_strides {
            self.words.extend(strides.iter().map(|&stride| stride as u64));
        }
    }
}

/// A call whose arguments are bound and whose shapes fit, short of its plan.
pub(crate) struct Draft<'d, 'a> {
    bound: &'d Arc<BoundCall>,
    ports: &'d Ports<'a>,
    geometry: &'d Geometry,
    pub blueprint: &'d Blueprint<'d, 'a>,
}

/// Binds the arguments, checks them, and hands the draft of the call on.
pub(crate) fn drafted<R>(
    source: &Arc<Source>,
    set: &OverloadSet,
    held: &impl Held,
    args: &[Arg<'_>],
    mode: Mode<'_>,
    deterministic: bool,
    go_on: impl FnOnce(&Draft<'_, '_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let signature = Signature::of(args, mode, deterministic, set.overloads.len() > 1);
    let bound = set.calls.bound(signature, || held.released(|| binding(source, set, args, mode)))?;
    let leaves = Leaves::of(args);
    let located = |diagnostic: Diagnostic| source.error_of(diagnostic);
    let ports = Ports::of(&bound, &leaves, mode).map_err(located)?;
    ports.check_places(source.context.device().device_type()).map_err(located)?;
    let geometry = Geometry::new(&ports.ports).map_err(located)?;
    ports.check_overlaps().map_err(located)?;
    let wanted = wanted(&bound, &leaves, mode).map_err(located)?;
    let blueprint = Blueprint {
        source,
        overload: &set.overloads[bound.binding.overload],
        binding: &bound.binding,
        geometry: &geometry,
        leaves: &leaves,
        mode,
        deterministic,
        wanted: &wanted,
        input_walks: &ports.inputs,
        output_walks: &ports.outputs,
        cotangent_walks: &ports.cotangents,
    };
    go_on(&Draft { bound: &bound, ports: &ports, geometry: &geometry, blueprint: &blueprint })
}

/// Which argument feeds which slot of which overload.
pub(crate) fn binding(
    source: &Source,
    set: &OverloadSet,
    args: &[Arg<'_>],
    mode: Mode<'_>,
) -> Result<bind::Binding, Error> {
    let mut binding = bind(&set.overloads, args, mode).map_err(|diagnostics| source.error(diagnostics))?;
    if binding.has_whole_arrays() {
        binding.note_written(&set.overloads[binding.overload].written(source)?);
    }
    Ok(binding)
}

/// The gradients asked for, in the order of the argument leaves.
fn wanted(
    bound: &BoundCall,
    leaves: &Leaves<'_>,
    mode: Mode<'_>,
) -> Result<SmallVec<[Wanted; 4]>, Diagnostic> {
    let wrt = match mode {
        Mode::Forward { .. } | Mode::Recorded { .. } => return Ok(SmallVec::new()),
        Mode::Backward { wrt, .. } | Mode::Gradient { wrt } | Mode::ValueAndGrad { wrt } => wrt,
    };
    let mut out: SmallVec<[Wanted; 4]> = SmallVec::new();
    for (place, input) in bound.binding.inputs.iter().enumerate() {
        if let bind::Source::Fields(fields) = &input.source {
            let asked = fields.iter().filter(|field| wrt.get(field.leaf) == Some(&true));
            for field in asked {
                check_gathered(&field.slot, leaves.array(field.leaf), input)?;
                out.push(Wanted { input: place, leaf: field.leaf, field: Some(field.field) });
            }
            continue;
        }
        let bind::Source::Leaf(leaf) = input.source else { continue };
        if wrt.get(leaf) != Some(&true) {
            continue;
        }
        if let Some(array) = leaves.array(leaf)
            && array.record.is_none()
            && !array.dtype.is_float()
        {
            let dtype = array.dtype.numpy_name();
            return Err(Diagnostic::error(
                Code::NotDifferentiable,
                format!("`{}` was given {dtype} numbers, which have no gradient", input.slot.path),
            )
            .at(input.span, "declared here")
            .help("pass a float array"));
        }
        if input.slot.whole.is_some() {
            check_gathered(&input.slot, leaves.array(leaf), input)?;
        }
        if let Some(Leaf::Numbers(numbers)) = leaves.0.get(leaf)
            && numbers.shape != input.slot.element_shape
        {
            return Err(Diagnostic::error(
                Code::NotDifferentiable,
                format!(
                    "`{}` was given one number for {} components: its gradient is not one number",
                    input.slot.path,
                    input.slot.leaf_count()
                ),
            )
            .at(input.span, "declared here")
            .help("pass one number per component, or an array"));
        }
        out.push(Wanted { input: place, leaf, field: None });
    }
    out.sort_by_key(|wanted| wanted.leaf);
    Ok(out)
}

/// Gradients of whole arrays lie as the arrays do, and many lanes add to them.
fn check_gathered(slot: &Slot, array: Option<&ArrayView>, input: &bind::Input) -> Result<(), Diagnostic> {
    let (path, Some(array)) = (&slot.path, array) else { return Ok(()) };
    let floats: SmallVec<[DType; 4]> = match &slot.record {
        Some(record) => record.leaves().iter().filter(|leaf| !leaf.no_diff).map(|leaf| leaf.dtype).collect(),
        None => SmallVec::from_slice(&[array.dtype]),
    };
    let record = slot.record.as_ref().filter(|_| array.record.is_none());
    let (message, help) = if let Some(dtype) =
        floats.iter().find(|dtype| !matches!(dtype, DType::F32 | DType::F64))
    {
        let dtype = dtype.numpy_name();
        let message =
            format!("the gradient of `{path}` is added up in {dtype}, which no atomic operation does");
        (message, "pass float32 or float64")
    } else if record.is_some_and(|record| record.leaves().iter().any(|leaf| leaf.no_diff)) {
        let message =
            format!("the gradient of `{path}` would have to leave out its no_diff fields, but got numbers");
        (message, "pass an array of structs, or a dict of arrays, one per field")
    } else if slot.whole == Some(Form::Elements(MatrixOrder::Columns)) {
        let message = format!("the gradient of `{path}` would be an array of column-major matrices");
        (message, "declare its elements row-major")
    } else if !array.is_contiguous() && matches!(input.source, bind::Source::Leaf(_)) {
        let message = format!("the gradient of `{path}` needs the array's elements in C order, without gaps");
        (message, "pass a contiguous copy: np.ascontiguousarray(x), x.contiguous()")
    } else {
        return Ok(());
    };
    Err(Diagnostic::error(Code::NotDifferentiable, message).at(input.span, "declared here").help(help))
}

/// The cotangent of what is left in an array is like the array.
fn check_seed(
    cotangent: &ArrayView,
    array: Option<&ArrayView>,
    slot: &Slot,
    span: Span,
) -> Result<(), Diagnostic> {
    let path = &slot.path;
    if slot.whole == Some(Form::Elements(MatrixOrder::Columns)) {
        let message = format!("the cotangent of `{path}` would be an array of column-major matrices");
        let found = Diagnostic::error(Code::NotDifferentiable, message).at(span, "declared here");
        return Err(found.help("declare its elements row-major"));
    }
    let Some(array) = array else { return Ok(()) };
    let is_like = match (&cotangent.record, &array.record) {
        (None, None) => cotangent.dtype == array.dtype,
        // What has no derivative may be left out.
        (Some(given), Some(record)) => {
            let differential = slot.record.as_ref().and_then(|record| record.differential());
            given.is_like(record) || differential.is_some_and(|it| it.is_like(given))
        }
        _ => false,
    };
    if !is_like || cotangent.shape != array.shape {
        let (given, wanted) = (cotangent.describe(), array.describe());
        let message = format!("the cotangent of `{path}` is {given}, not {wanted}");
        let found = Diagnostic::error(Code::ElementShape, message).at(span, "declared here");
        return Err(found.help("pass an array of the same shape and dtype"));
    }
    if !cotangent.is_contiguous() {
        let message = format!("the cotangent of `{path}` needs its elements in C order, without gaps");
        let found = Diagnostic::error(Code::ElementShape, message).at(span, "declared here");
        return Err(found.help("pass a contiguous copy: np.ascontiguousarray(x), x.contiguous()"));
    }
    Ok(())
}

fn outputs(
    bound: &BoundCall,
    ports: &Ports<'_>,
    geometry: &Geometry,
    leaves: &Leaves<'_>,
    mode: Mode<'_>,
    wanted: &[Wanted],
) -> SmallVec<[OutputSpec; 2]> {
    let mut out = SmallVec::new();
    if !matches!(mode, Mode::Backward { .. } | Mode::Gradient { .. }) {
        for (output, walk) in bound.binding.outputs.iter().zip(&ports.outputs) {
            if walk.is_none() {
                let mut dims: SmallVec<[i64; 6]> = SmallVec::from_slice(geometry.shape.dims());
                dims.extend_from_slice(output.slot.element_shape.dims());
                out.push(OutputSpec { dtype: output.slot.dtype, shape: Shape::from(dims), record: None });
            }
        }
    }
    for wanted in wanted {
        let slot = &bound.binding.inputs[wanted.input].slot;
        out.push(match leaves.array(wanted.leaf) {
            Some(array) => {
                // What has no derivative is known of the parameter's structs alone.
                let record = array.record.as_ref().and(slot.record.as_ref());
                let record = record.and_then(|record| record.differential());
                OutputSpec { dtype: array.dtype, shape: array.shape.clone(), record: record.map(Arc::new) }
            }
            None => OutputSpec { dtype: slot.dtype, shape: slot.element_shape.clone(), record: None },
        });
    }
    out
}
