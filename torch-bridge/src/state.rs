//! Torch's own state that a call's decisions depend on: the grad mode, and what a tensor needs.

use crate::exchange::Exchange;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What is asked of torch, looked up once after torch was imported.
pub struct Torch {
    tensor_type: Py<PyAny>,
    is_grad_enabled: Py<PyAny>,
    is_deterministic: Py<PyAny>,
    transforms_active: Py<PyAny>,
    forward_ad: Py<PyAny>,
}

static TORCH: PyOnceLock<Torch> = PyOnceLock::new();

impl Torch {
    /// Torch, if this process has imported it; never imports it itself.
    pub fn get(py: Python<'_>) -> Option<&'static Torch> {
        if let Some(torch) = TORCH.get(py) {
            return Some(torch);
        }
        let modules = py.import(intern!(py, "sys")).ok()?.getattr(intern!(py, "modules")).ok()?;
        let module = modules.get_item(intern!(py, "torch")).ok()?;
        let torch = Torch {
            tensor_type: module.getattr(intern!(py, "Tensor")).ok()?.unbind(),
            is_grad_enabled: module.getattr(intern!(py, "is_grad_enabled")).ok()?.unbind(),
            is_deterministic: module
                .getattr(intern!(py, "are_deterministic_algorithms_enabled"))
                .ok()?
                .unbind(),
            transforms_active: module
                .getattr("_C")
                .and_then(|m| m.getattr("_are_functorch_transforms_active"))
                .ok()?
                .unbind(),
            forward_ad: module.getattr("autograd").and_then(|m| m.getattr("forward_ad")).ok()?.unbind(),
        };
        Some(TORCH.get_or_init(py, || torch))
    }

    pub fn is_tensor_type(&self, ty: &Bound<'_, PyAny>) -> bool {
        let py = ty.py();
        let issubclass =
            || -> PyResult<bool> { ty.cast::<pyo3::types::PyType>()?.is_subclass(self.tensor_type.bind(py)) };
        issubclass().unwrap_or(false)
    }

    /// The exchange functions of plain tensors.
    pub fn exchange(&self, py: Python<'_>) -> Option<Exchange> {
        Exchange::of_type(self.tensor_type.bind(py))
    }

    /// Whether a function transform (`torch.func.vmap` and its kin) is open.
    pub fn transforms_active(&self, py: Python<'_>) -> bool {
        self.transforms_active.bind(py).call0().and_then(|on| on.is_truthy()).unwrap_or(true)
    }

    /// Whether a forward-mode level is open.
    pub fn in_forward_mode(&self, py: Python<'_>) -> bool {
        let level = self.forward_ad.bind(py).getattr(intern!(py, "_current_level"));
        level.and_then(|level| level.extract::<i64>()).is_ok_and(|level| level >= 0)
    }

    /// Whether the tensor carries a tangent of the open forward-mode level.
    pub fn has_tangent(&self, tensor: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = tensor.py();
        let dual = self.forward_ad.bind(py).call_method1(intern!(py, "unpack_dual"), (tensor,))?;
        Ok(!dual.getattr(intern!(py, "tangent"))?.is_none())
    }

    /// Whether `torch.use_deterministic_algorithms` asks for results that are equal from run to run.
    pub fn is_deterministic(&self, py: Python<'_>) -> bool {
        self.is_deterministic.bind(py).call0().and_then(|on| on.is_truthy()).unwrap_or(false)
    }

    /// Whether operations are being recorded on this thread.
    pub fn grad_enabled(&self, py: Python<'_>) -> bool {
        self.is_grad_enabled.bind(py).call0().and_then(|on| on.is_truthy()).unwrap_or(false)
    }
}

/// Whether the tensor takes part in a graph.
pub fn requires_grad(tensor: &Bound<'_, PyAny>) -> PyResult<bool> {
    tensor.getattr(intern!(tensor.py(), "requires_grad"))?.is_truthy()
}

/// Whether no operation made the tensor.
pub fn is_leaf(tensor: &Bound<'_, PyAny>) -> PyResult<bool> {
    tensor.getattr(intern!(tensor.py(), "is_leaf"))?.is_truthy()
}

/// Whether the tensor is a lazy negation, whose memory holds the numbers with the other sign.
pub fn is_negated_view(tensor: &Bound<'_, PyAny>) -> PyResult<bool> {
    tensor.call_method0(intern!(tensor.py(), "is_neg"))?.is_truthy()
}

/// Counts up the tensor's version, as an in-place operation of torch's own does.
pub fn mark_written(tensor: &Bound<'_, PyAny>) -> PyResult<()> {
    let graph = tensor.py().import(intern!(tensor.py(), "torch.autograd.graph"))?;
    graph.call_method1(intern!(tensor.py(), "increment_version"), (tensor,)).map(drop)
}

/// What a tensor is whose memory torch does not share, and what to do about it. `why` is torch's reason; only its first
/// line is shown, since a C++ stack may follow.
pub fn describe_unshared(tensor: &Bound<'_, PyAny>, why: &str) -> PyResult<(String, &'static str)> {
    let attribute = |name: &str| tensor.getattr(name)?.is_truthy();
    let module = tensor.py().import(intern!(tensor.py(), "torch"))?;
    let functorch = module.getattr("_C")?.getattr("_functorch")?;
    let is_wrapped = |ask: &str| functorch.call_method1(ask, (tensor,))?.is_truthy();
    if is_wrapped("is_functorch_wrapped_tensor")? {
        let help = "call outside of the transform: calls vectorize by shape, and pb.grad gives gradients";
        return Ok(("inside a torch.func transform".into(), help));
    }
    if attribute("is_nested")? {
        return Ok(("a nested tensor".into(), "pass x.to_padded_tensor(...), or its parts one by one"));
    }
    let layout = tensor.getattr("layout")?;
    if !layout.is(&module.getattr("strided")?) {
        return Ok((format!("a sparse tensor ({layout})"), "pass x.to_dense()"));
    }
    if attribute("is_quantized")? {
        return Ok((format!("a quantized tensor ({})", tensor.getattr("dtype")?), "pass x.dequantize()"));
    }
    if attribute("is_meta")? {
        return Ok(("a meta tensor, which has no values".into(), "pass a tensor on the CPU or a CUDA GPU"));
    }
    let what = format!("a tensor of {} on {}", tensor.getattr("dtype")?, tensor.getattr("device")?);
    let why = why.lines().next().unwrap_or_default();
    Ok((
        format!("{what} that kernels cannot read ({why})"),
        "pass a CPU or CUDA tensor of bools, integers or floats",
    ))
}
