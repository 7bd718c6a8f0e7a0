//! A call that torch's autograd records: everything of it but the tensors, which autograd keeps.

use crate::args::{Origin, Parsed, torch_view};
use crate::errors::{diagnostic, guard, to_py};
use crate::function::{as_torch_asks, prepare};
use crate::output::{self, Library, Output};
use crate::place::Place;
use parking_lot::Mutex;
use pullback_base::{Code, Diagnostic};
use pullback_dispatch::args::{Leaf, leaves};
use pullback_dispatch::{Arg, ArgValue, ArrayView, Derivation, Function, Mode, Number, Numbers, Slot};
use pullback_torch_bridge::Torch;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use smallvec::SmallVec;

/// A call between its forward and its backward launch.
#[pyclass(name = "RecordedCall", module = "pullback", frozen)]
pub struct PyRecordedCall {
    function: Function,
    args: SmallVec<[(String, Stored); 2]>,
    /// The argument leaves of the tensors whose contents the call has changed, which follow the results in autograd.
    written: SmallVec<[usize; 1]>,
    /// From the forward launch until autograd takes them.
    results: Mutex<Option<Results>>,
}

/// The results, those of them that carry no derivative, and the tensors that were written.
type Results = (Py<PyTuple>, Py<PyTuple>, Py<PyTuple>);

/// An argument without its tensor.
enum Stored {
    /// A tensor of torch's, by its number among them.
    Tensor(usize),
    Numbers(Box<Numbers>),
    /// A copy of a NumPy array, which has no version counter to tell of changes.
    Copy(Py<PyAny>),
    Struct(Vec<(String, Stored)>),
}

impl Stored {
    fn duplicate(&self, py: Python<'_>) -> Stored {
        match self {
            Stored::Tensor(number) => Stored::Tensor(*number),
            Stored::Numbers(numbers) => Stored::Numbers(numbers.clone()),
            Stored::Copy(array) => Stored::Copy(array.clone_ref(py)),
            Stored::Struct(fields) => Stored::Struct(
                fields.iter().map(|(name, field)| (name.clone(), field.duplicate(py))).collect(),
            ),
        }
    }
}

/// What a gradient's own cotangent must look like, to be that of a derivative that is a function: shape, dtype by NumPy's
/// name, and whether the gradient is of a whole array, not lane-wise.
type SeedForm = (Vec<i64>, &'static str, bool);

impl PyRecordedCall {
    pub fn new(
        py: Python<'_>,
        function: &Function,
        parsed: &Parsed<'_, '_>,
        results: Bound<'_, PyTuple>,
        constants: Bound<'_, PyTuple>,
        written: SmallVec<[usize; 1]>,
    ) -> PyResult<Self> {
        let mut leaf = 0;
        let mut tensors = 0;
        let mut store = |value: &ArgValue<'_>| stored(py, value, &parsed.origins, &mut leaf, &mut tensors);
        let args = parsed.args.iter().map(|arg| Ok((arg.name.to_owned(), store(&arg.value)?)));
        let args = args.collect::<PyResult<_>>()?;
        let tensors = written.iter().filter_map(|&leaf| parsed.origins[leaf].torch());
        let tensors = PyTuple::new(py, tensors.collect::<SmallVec<[_; 1]>>())?;
        let results = Mutex::new(Some((results.unbind(), constants.unbind(), tensors.unbind())));
        Ok(Self { function: function.clone(), args, written, results })
    }

    fn read<'a, 'py>(&'a self, parsed: &mut Parsed<'a, 'py>, tensors: &Bound<'py, PyTuple>) -> PyResult<()> {
        for (name, value) in &self.args {
            let value = restored(Place::Name(name), value, tensors, parsed)?;
            parsed.args.push(Arg { name, value });
        }
        Ok(())
    }
}

fn stored(
    py: Python<'_>,
    value: &ArgValue<'_>,
    origins: &[Origin<'_>],
    leaf: &mut usize,
    tensors: &mut usize,
) -> PyResult<Stored> {
    if let ArgValue::Struct(fields) = value {
        let mut out = Vec::new();
        for (name, field) in fields {
            out.push((name.to_string(), stored(py, field, origins, leaf, tensors)?));
        }
        return Ok(Stored::Struct(out));
    }
    let origin = &origins[*leaf];
    *leaf += 1;
    match (origin, value) {
        (Origin::Torch(_), _) => {
            *tensors += 1;
            Ok(Stored::Tensor(*tensors - 1))
        }
        (Origin::Numpy(array), _) => Ok(Stored::Copy(array.call_method0("copy")?.unbind())),
        (_, ArgValue::Numbers(numbers)) => Ok(Stored::Numbers(numbers.clone().into())),
        _ => Err(diagnostic(
            py,
            Diagnostic::error(
                Code::NotDifferentiable,
                "a pullback Tensor cannot be part of a call that torch records",
            )
            .help("pass torch tensors, or call under torch.no_grad()"),
        )),
    }
}

fn restored<'py>(
    place: Place<'_>,
    value: &Stored,
    tensors: &Bound<'py, PyTuple>,
    parsed: &mut Parsed<'_, 'py>,
) -> PyResult<ArgValue<'static>> {
    match value {
        Stored::Tensor(number) => parsed.value(place, &*tensors.get_borrowed_item(*number)?),
        Stored::Numbers(numbers) => Ok(parsed.numbers(numbers)),
        Stored::Copy(array) => parsed.value(place, array.bind(tensors.py())),
        Stored::Struct(fields) => {
            let mut out = Vec::new();
            for (field, value) in fields {
                out.push((
                    field.clone().into(),
                    restored(Place::Field(&place, field), value, tensors, parsed)?,
                ));
            }
            Ok(ArgValue::Struct(out))
        }
    }
}

/// Makes the results part of torch's graph: `given` is the recorded call and its tensors.
pub fn hand_over<'py>(
    torch: &Torch,
    given: Bound<'py, PyTuple>,
) -> PyResult<SmallVec<[Bound<'py, PyAny>; 4]>> {
    static APPLY: PyOnceLock<[Py<PyAny>; 2]> = PyOnceLock::new();
    let py = given.py();
    let [plain, checked] = APPLY.get_or_try_init(py, || -> PyResult<_> {
        let module = py.import("pullback._autograd")?;
        Ok([module.getattr("apply_plain")?.unbind(), module.getattr("apply")?.unbind()])
    })?;
    let apply = if torch.transforms_active(py) { checked } else { plain };
    let results = apply.bind(py).call1(given)?;
    Ok(results.cast::<PyTuple>()?.iter().collect())
}

#[pymethods]
impl PyRecordedCall {
    /// The results of the forward launch, those of them that carry no derivative, and the tensors that it wrote; once.
    fn results(&self) -> Option<Results> {
        self.results.lock().take()
    }

    /// The backward launch: what `backward` of an autograd function returns. `needs` and the result begin with an entry
    /// for the recorded call itself; then there is one per tensor: its gradient where `needs` asks for it, else
    /// `None`. `cotangents` has one tensor per output, then per tensor written, or `None` where that does not count.
    fn backward<'py>(
        &self,
        tensors: &Bound<'py, PyTuple>,
        needs: &Bound<'py, PyTuple>,
        cotangents: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        guard(tensors.py(), || self.run_backward(tensors, needs, cotangents))
    }

    /// The backward call as a recorded call: of the lane-wise VJP, whose tensors are this call's, then the cotangents
    /// given. Also, for each tensor that `needs` asks for, the form of the cotangent of its gradient.
    fn differentiated<'py>(
        &self,
        tensors: &Bound<'py, PyTuple>,
        needs: &Bound<'py, PyTuple>,
        cotangents: &Bound<'py, PyTuple>,
    ) -> PyResult<(PyRecordedCall, Vec<SeedForm>)> {
        let py = tensors.py();
        guard(py, || {
            if !self.written.is_empty() {
                let message = format!(
                    "`{}` writes an array in place: its gradients have no derivative",
                    self.function.name()
                );
                let found = Diagnostic::error(Code::NoSecondDerivative, message);
                return Err(diagnostic(py, found.help("return the values instead of writing them")));
            }
            let mut parsed = Parsed::new(py, &self.function);
            self.read(&mut parsed, tensors)?;
            let wrt = self.asked(&parsed, needs)?;
            let located = |error| to_py(py, &error);
            let slots = self.function.leaf_slots(&parsed.args).map_err(located)?;
            let asked = slots.into_iter().zip(&wrt).filter(|(_, asked)| **asked);
            let asked: Vec<Slot> = asked.filter_map(|(slot, _)| slot).collect();
            let prepared = prepare(py, &self.function, &parsed.args, Mode::Recorded { wrt: &wrt })?;
            let leaves = leaves(&parsed.args);
            let asked_leaves = (0..wrt.len()).filter(|&leaf| wrt[leaf]);
            let forms = asked.iter().zip(asked_leaves).map(|(slot, leaf)| match (slot.whole, leaves[leaf]) {
                (Some(_), Leaf::Array(array)) => {
                    (array.shape.dims().to_vec(), array.dtype.numpy_name(), true)
                }
                _ => {
                    let dims = [prepared.shape().dims(), slot.element_shape.dims()].concat();
                    (dims, slot.dtype.numpy_name(), false)
                }
            });
            let forms: Vec<SeedForm> = forms.collect();
            let mut args: SmallVec<[(String, Stored); 2]> =
                self.args.iter().map(|(name, value)| (name.clone(), value.duplicate(py))).collect();
            let mut next = tensors.len();
            let returned = self.function.returned_slots(&parsed.args).map_err(located)?;
            for (slot, cotangent) in returned.iter().zip(cotangents.iter_borrowed()) {
                let given = !cotangent.is_none();
                if !slot.no_diff {
                    let stored = match given {
                        true => Stored::Tensor(next),
                        false => Stored::Numbers(Numbers::one(Number::Float(0.0)).into()),
                    };
                    let name = self.function.cotangent_name(&parsed.args, &slot.path).map_err(located)?;
                    args.push((name, stored));
                }
                next += usize::from(given);
            }
            // The gradients of whole arrays are written, into arrays like them, which follow the cotangents.
            let first = parsed.origins.len() + args.len() - self.args.len();
            let mut written = SmallVec::new();
            for slot in asked.iter().filter(|slot| slot.whole.is_some()) {
                written.push(first + written.len());
                args.push((Function::gathered_name(&slot.path), Stored::Tensor(next)));
                next += 1;
            }
            let wrt = asked.into_iter().map(|slot| slot.path).collect();
            let function = self.function.derived(&Derivation::Reverse { wrt }).map_err(located)?;
            Ok((PyRecordedCall { function, args, written, results: Mutex::new(None) }, forms))
        })
    }
}

impl PyRecordedCall {
    /// For each leaf whether `needs`, which counts tensors from 1, asks for its gradient.
    fn asked(&self, parsed: &Parsed<'_, '_>, needs: &Bound<'_, PyTuple>) -> PyResult<SmallVec<[bool; 8]>> {
        let mut place = 0;
        let mut wrt = SmallVec::new();
        for origin in &parsed.origins {
            let is_tensor = matches!(origin, Origin::Torch(_));
            place += usize::from(is_tensor);
            wrt.push(is_tensor && needs.get_borrowed_item(place)?.is_truthy()?);
        }
        Ok(wrt)
    }

    fn run_backward<'py>(
        &self,
        tensors: &Bound<'py, PyTuple>,
        needs: &Bound<'py, PyTuple>,
        cotangents: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = tensors.py();
        let context = self.function.context();
        let mut parsed = Parsed::new(py, &self.function);
        self.read(&mut parsed, tensors)?;
        let view = |cotangent: &Bound<'_, PyAny>| match cotangent.is_none() {
            true => Ok(None),
            false => torch_view("the cotangent", cotangent).map(Some),
        };
        let results = cotangents.len() - self.written.len();
        let seeds = cotangents.iter_borrowed().take(results).map(|cotangent| view(&cotangent));
        let seeds = seeds.collect::<PyResult<SmallVec<[Option<ArrayView>; 2]>>>()?;
        let mut wrt = self.asked(&parsed, needs)?;
        let mut written: SmallVec<[Option<ArrayView>; 2]> = SmallVec::new();
        let mut held: SmallVec<[Bound<'_, PyAny>; 1]> = SmallVec::new();
        for (&leaf, cotangent) in self.written.iter().zip(cotangents.iter_borrowed().skip(results)) {
            wrt[leaf] = true; // what is written passes cotangents of zero on, too
            if !cotangent.is_none() {
                // Torch expands the cotangent of a sum, which is copied element by element.
                let packed = cotangent.call_method0(intern!(py, "contiguous"))?;
                written.resize(parsed.origins.len(), None);
                written[leaf] = view(&packed)?;
                held.push(packed);
            }
        }
        let mode = Mode::Backward { wrt: &wrt, cotangents: &seeds, written: &written };
        let function = as_torch_asks(py, &self.function, &parsed);
        let prepared = prepare(py, &function, &parsed.args, mode)?;
        let library = Library::of(&parsed);
        let outputs = output::make_all(py, context, &prepared, |_| library)?;
        // SAFETY: tensors, cotangents (`held` among them) and outputs are Python objects that this frame keeps alive.
        unsafe { output::launch(py, prepared, &outputs, output::stream(&parsed)) }?;
        let mut outputs = outputs.into_iter();
        let mut gradients: SmallVec<[Option<Bound<'py, PyAny>>; 8]> = SmallVec::from_iter([None]);
        for (origin, wanted) in parsed.origins.iter().zip(wrt) {
            if matches!(origin, Origin::Torch(_)) {
                let gradient = if wanted { outputs.next() } else { None };
                gradients.push(gradient.map(Output::finish).transpose()?);
            }
        }
        PyTuple::new(py, gradients)
    }
}
