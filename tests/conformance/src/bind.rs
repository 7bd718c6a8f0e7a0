//! Gives an entry point's globals their values: kernel arguments, buffers, and which buffers are compared.

use crate::constants::{self, Rules};
use crate::input::Input;
use crate::objects::in_our_layout;
use crate::print::Output;
use crate::value::InputValue;
use pullback_interp::KernelArg;
use pullback_ir::layout::layout;
use pullback_ir::{Constant, EntryPoint, Global, Scalar, Type};

/// What a launch needs.
#[derive(Debug)]
pub struct Bound {
    pub args: Vec<KernelArg>,
    pub buffers: Vec<Vec<u8>>,
    /// The buffers that are compared, and what they hold.
    outputs: Vec<(usize, Option<Type>)>,
}

impl Bound {
    /// The compared buffers, given the contents of all.
    pub fn outputs(&self, buffers: &[Vec<u8>]) -> Vec<Output> {
        let output = |(index, element): &(usize, Option<Type>)| Output {
            bytes: buffers[*index].clone(),
            element: element.clone(),
        };
        self.outputs.iter().map(output).collect()
    }
}

/// Binds inputs by name, or in the order of the text.
pub fn bind(
    text: &str,
    entry: &EntryPoint,
    inputs: &[Input],
    groups: [u32; 3],
    rules: Rules,
) -> Result<Bound, String> {
    let mut binder = Binder {
        text,
        slots: entry.globals.iter().map(|global| vec![None; global.ty.leaves().len()]).collect(),
        globals: &entry.globals,
        buffers: vec![vec![0; EMPTY_BUFFER_BYTES]],
        outputs: Vec::new(),
        rules,
        inputs,
    };
    for input in inputs {
        match input {
            Input::Bind { name: Some(name), value, .. } => binder.by_name(name, value)?,
            Input::Bind { name: None, value, at } => binder.by_order(*at, entry, value)?,
            Input::Conformance { .. } | Input::Type(_) => {}
            Input::Unknown(form) => return Err(format!("`TEST_INPUT: {form}`")),
        }
    }
    let mut args = Vec::new();
    for (global, slots) in binder.globals.iter().zip(&binder.slots) {
        args.extend(
            global.ty.leaves().iter().zip(slots).map(|(leaf, slot)| slot.unwrap_or_else(|| unbound(leaf))),
        );
    }
    args.extend(groups.map(|count| KernelArg::Scalar(Constant::int(Scalar::U32, i64::from(count)))));
    Ok(Bound { args, buffers: binder.buffers, outputs: binder.outputs })
}

/// Buffer 0 is behind every pointer that has no input; its count is zero.
const EMPTY_BUFFER_BYTES: usize = 16;

fn unbound(leaf: &Type) -> KernelArg {
    match leaf.scalar() {
        Some(scalar) => KernelArg::Scalar(Constant::zero(scalar)),
        None => KernelArg::Buffer { buffer: 0, offset_elements: 0 },
    }
}

struct Binder<'a> {
    /// What the test says.
    text: &'a str,
    globals: &'a [Global],
    /// By global, by leaf.
    slots: Vec<Vec<Option<KernelArg>>>,
    buffers: Vec<Vec<u8>>,
    outputs: Vec<(usize, Option<Type>)>,
    rules: Rules,
    inputs: &'a [Input],
}

impl Binder<'_> {
    fn by_name(&mut self, name: &str, value: &InputValue) -> Result<(), String> {
        match self.find(name) {
            Some((global, first, ty)) => self.assign(global, first, &ty, value),
            None => self.unused(declared_element(self.text, name), value),
        }
    }

    /// The first global after the comment that has no value yet, or else the first at all.
    fn by_order(&mut self, at: usize, entry: &EntryPoint, value: &InputValue) -> Result<(), String> {
        let is_free = |index: &usize| self.slots[*index].iter().all(Option::is_none);
        let follows = |index: &usize| {
            let span = self.globals[*index].span;
            span.file() == entry.span.file() && span.start as usize > at
        };
        let free: Vec<usize> = (0..self.globals.len()).filter(is_free).collect();
        match free.iter().copied().find(follows).or(free.first().copied()) {
            Some(global) => {
                let ty = self.globals[global].ty.clone();
                self.assign(global, 0, &ty, value)
            }
            None => self.unused(None, value),
        }
    }

    /// The shader does not use it; it is printed all the same.
    fn unused(&mut self, element: Option<Type>, value: &InputValue) -> Result<(), String> {
        match value {
            InputValue::Buffer { bytes, is_output } => {
                self.buffer(bytes.clone(), *is_output, element);
                Ok(())
            }
            InputValue::Foreign(name) => Err(format!("`{name}` as input")),
            _ => Ok(()),
        }
    }

    /// The global, first leaf and type of `name`, `name.field`, `name[1].field`.
    fn find(&self, name: &str) -> Option<(usize, usize, Type)> {
        let steps: Vec<&str> = name.split(['.', '[']).map(|step| step.trim_end_matches(']')).collect();
        if let Some(global) = self.globals.iter().position(|global| *global.name == *steps[0]) {
            let (first, ty) = descend(&self.globals[global].ty, &steps[1..])?;
            return Some((global, first, ty));
        }
        // The members of a constant buffer are seen without its name.
        self.globals.iter().enumerate().find_map(|(index, global)| {
            let (first, ty) = descend(&global.ty, &steps)?;
            Some((index, first, ty))
        })
    }

    fn buffer(&mut self, bytes: Vec<u8>, is_output: bool, element: Option<Type>) -> usize {
        self.buffers.push(bytes);
        let index = self.buffers.len() - 1;
        if is_output {
            self.outputs.push((index, element));
        }
        index
    }

    fn assign(&mut self, global: usize, first: usize, ty: &Type, value: &InputValue) -> Result<(), String> {
        if let Some(element) = buffer_element(ty) {
            let (bytes, is_output) = match value {
                InputValue::Buffer { bytes, is_output } if tags(&element) => {
                    let ours = in_our_layout(&element, bytes, self.text, self.inputs);
                    match ours.filter(|_| !is_output) {
                        Some(ours) => (ours, false),
                        None if bytes.iter().all(|&byte| byte == 0) => (bytes.clone(), *is_output),
                        None => return Err(format!("memory for the interface value {element}")),
                    }
                }
                InputValue::Buffer { bytes, is_output } => (bytes.clone(), *is_output),
                InputValue::List(items) => (Self::elements(&element, items)?, false),
                InputValue::Foreign(name) => return Err(format!("`{name}` as input")),
                _ => return Err(format!("no buffer for `{}`", self.globals[global].name)),
            };
            let count = bytes.len() as u64 / layout(&element).size_bytes.max(1);
            // Bytes are of no type.
            let is_bytes = matches!(ty, Type::Struct(buffer) if &*buffer.name == "ByteAddressBuffer");
            let buffer = self.buffer(bytes, is_output, Some(element).filter(|_| !is_bytes));
            self.slots[global][first] = Some(KernelArg::Buffer { buffer, offset_elements: 0 });
            if !matches!(ty, Type::Pointer(_)) {
                let count = Constant::int(Scalar::I64, count as i64);
                self.slots[global][first + 1] = Some(KernelArg::Scalar(count));
            }
            return Ok(());
        }
        match value {
            InputValue::Memory(_) if tags(ty) => Err(format!("memory for the interface value {ty}")),
            InputValue::Memory(bytes) | InputValue::Buffer { bytes, is_output: false } => {
                let leaves = constants::read(ty, bytes, self.rules)
                    .ok_or_else(|| format!("memory for the resources of `{}`", self.globals[global].name))?;
                for (slot, leaf) in self.slots[global][first..].iter_mut().zip(leaves) {
                    *slot = Some(KernelArg::Scalar(leaf));
                }
                Ok(())
            }
            InputValue::Object { fields, .. } => match conforming(ty, value) {
                Some((place, tag)) => {
                    self.assign(global, first, &Type::U32, &InputValue::Integer(tag))?;
                    let (offset, element) =
                        descend(ty, &[&place.to_string()]).ok_or("a type without a place")?;
                    self.fields(global, first + offset, &element, fields)
                }
                None => self.fields(global, first, ty, fields),
            },
            InputValue::List(items) => {
                let items: Vec<_> = items.iter().map(|item| (None, item.clone())).collect();
                self.fields(global, first, ty, &items)
            }
            InputValue::Integer(_) | InputValue::Float(_) => {
                let scalar = ty.scalar().filter(|_| ty.is_scalar());
                let scalar = scalar.ok_or_else(|| format!("a number for a {ty}"))?;
                self.slots[global][first] = Some(KernelArg::Scalar(number(value, scalar)));
                Ok(())
            }
            InputValue::Foreign(name) => Err(format!("`{name}` as input")),
            InputValue::Buffer { .. } => Err(format!("an output buffer for a {ty}")),
        }
    }

    fn fields(
        &mut self,
        global: usize,
        first: usize,
        ty: &Type,
        fields: &[(Option<String>, InputValue)],
    ) -> Result<(), String> {
        for (index, (name, value)) in fields.iter().enumerate() {
            let step = name.clone().unwrap_or_else(|| index.to_string());
            let (offset, element) =
                descend(ty, &[&step]).ok_or_else(|| format!("no field `{step}` in {ty}"))?;
            self.assign(global, first + offset, &element, value)?;
        }
        Ok(())
    }

    /// The bytes of a buffer's elements.
    fn elements(element: &Type, items: &[InputValue]) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for item in items {
            let mut leaves = Vec::new();
            push_leaves(element, item, &mut leaves)?;
            bytes.extend(constants::write(element, &leaves).ok_or("resources in a buffer")?);
        }
        Ok(bytes)
    }
}

/// Whether values of an interface's type are within: what memory holds of one is another compiler's.
fn tags(ty: &Type) -> bool {
    match ty {
        Type::Struct(structure) => {
            structure.fields.first().is_some_and(|field| &*field.name == "tag" && field.ty == Type::U32)
                || structure.fields.iter().any(|field| tags(&field.ty))
        }
        Type::Array(element, _) => tags(element),
        _ => false,
    }
}

/// A value of an interface's type is a tag and a place for each conforming type, `as_N` for tag N: the place of the
/// value's own type, by number, and its tag.
fn conforming(ty: &Type, value: &InputValue) -> Option<(usize, i64)> {
    let (Type::Struct(structure), InputValue::Object { ty: Some(name), .. }) = (ty, value) else {
        return None;
    };
    if structure.fields.first().is_none_or(|field| &*field.name != "tag") {
        return None;
    }
    structure.fields.iter().enumerate().find_map(|(place, field)| match &field.ty {
        Type::Struct(of) if *of.name == **name => {
            Some((place, field.name.strip_prefix("as_").and_then(|tag| tag.parse().ok())?))
        }
        _ => None,
    })
}

fn push_leaves(ty: &Type, value: &InputValue, leaves: &mut Vec<Constant>) -> Result<(), String> {
    if let Some((place, tag)) = conforming(ty, value) {
        for index in 0..ty.element_count() {
            let Some(element) = ty.element(index) else { continue };
            if index == 0 {
                leaves.extend(element.scalar().map(|scalar| Constant::int(scalar, tag)));
            } else if index as usize == place {
                push_leaves(&element, value, leaves)?;
            } else {
                leaves.extend(element.leaves().iter().filter_map(Type::scalar).map(Constant::zero));
            }
        }
        return Ok(());
    }
    match value {
        InputValue::Integer(_) | InputValue::Float(_) if ty.is_scalar() => {
            leaves.extend(ty.scalar().map(|scalar| number(value, scalar)));
            Ok(())
        }
        InputValue::Object { fields, .. } if fields.iter().all(|(name, _)| name.is_none()) => {
            fields.iter().enumerate().try_for_each(|(index, (_, value))| {
                let element = ty.element(index as u32).ok_or_else(|| format!("too many values for {ty}"))?;
                push_leaves(&element, value, leaves)
            })
        }
        InputValue::List(items) => items.iter().enumerate().try_for_each(|(index, value)| {
            let element = ty.element(index as u32).ok_or_else(|| format!("too many values for {ty}"))?;
            push_leaves(&element, value, leaves)
        }),
        _ => Err(format!("a value that is no {ty}")),
    }
}

fn number(value: &InputValue, scalar: Scalar) -> Constant {
    match value {
        InputValue::Integer(integer) if scalar.is_float() => Constant::float(scalar, *integer as f64),
        InputValue::Integer(integer) if scalar == Scalar::Bool => Constant::bool(*integer != 0),
        InputValue::Integer(integer) => Constant::int(scalar, *integer),
        InputValue::Float(float) if scalar.is_float() => Constant::float(scalar, *float),
        InputValue::Float(float) => Constant::int(scalar, *float as i64),
        _ => Constant::zero(scalar),
    }
}

/// What a buffer or a pointer holds: a resource is a struct of a pointer and a count.
fn buffer_element(ty: &Type) -> Option<Type> {
    match ty {
        Type::Pointer(element) => Some(Type::clone(element)),
        Type::Struct(structure) => match structure.fields.as_slice() {
            [data, count] if count.ty == Type::I64 => match &data.ty {
                Type::Pointer(element) => Some(Type::clone(element)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The scalar of a buffer's elements, as the text declares it: entry points know nothing of globals that they do not use.
fn declared_element(text: &str, name: &str) -> Option<Type> {
    let declared = text.lines().find_map(|line| {
        let (ty, rest) = line.split_once("Buffer<")?.1.split_once('>')?;
        (rest.trim().trim_end_matches(';') == name).then_some(ty)
    })?;
    let scalar = match declared.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "float" => Scalar::F32,
        "int" => Scalar::I32,
        "uint" => Scalar::U32,
        _ => return None,
    };
    Some(Type::Scalar(scalar))
}

/// The first leaf and the type of an element: steps are field names or numbers.
fn descend(ty: &Type, steps: &[&str]) -> Option<(usize, Type)> {
    let Some((step, rest)) = steps.split_first() else { return Some((0, ty.clone())) };
    let index = match ty {
        Type::Struct(structure) => {
            let named = structure.fields.iter().position(|field| &*field.name == *step);
            named.or_else(|| step.parse().ok())?
        }
        _ => step.parse().ok()?,
    };
    let element = ty.element(index as u32)?;
    let before: usize = (0..index as u32).filter_map(|i| ty.element(i)).map(|e| e.leaves().len()).sum();
    let (first, ty) = descend(&element, rest)?;
    Some((before + first, ty))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::parse_all;
    use pullback_base::{SourceMap, Span};
    use pullback_ir::{Field, FunctionBuilder, FunctionKind, Module};

    fn field(name: &str, ty: Type) -> Field {
        Field { name: name.into(), ty, no_diff: false }
    }

    fn buffer_of(element: Type) -> Type {
        let fields = vec![field("data", Type::pointer(element)), field("count", Type::I64)];
        Type::structure("StructuredBuffer", fields)
    }

    fn bound(globals: &[(&str, Type)], inputs: &str) -> Result<Bound, String> {
        let file = SourceMap::new().add("test", "");
        let global = |(index, (name, ty)): (usize, &(&str, Type))| {
            let at = 1000 * (index as u32 + 1);
            Global { name: (*name).into(), ty: ty.clone(), span: Span::new(file, at, at + 1) }
        };
        let entry = EntryPoint {
            name: "computeMain".into(),
            kernel: Module::new().add(FunctionBuilder::new("k", FunctionKind::Kernel).finish(Vec::new())),
            group: [1, 1, 1],
            globals: globals.iter().enumerate().map(global).collect(),
            span: Span::new(file, 0, 1),
        };
        bind(inputs, &entry, &parse_all(inputs)?, [1, 2, 3], Rules { host: true })
    }

    fn scalar(arg: KernelArg) -> i64 {
        match arg {
            KernelArg::Scalar(constant) => constant.as_i64(),
            KernelArg::Buffer { .. } => panic!("a buffer"),
        }
    }

    #[test]
    fn a_buffer_takes_a_pointer_and_a_count_and_group_counts_come_last() {
        let text = "//TEST_INPUT: ubuffer(data=[1 2 3 4], stride=4):out,name=b";
        let bound = bound(&[("b", buffer_of(Type::Vector(Scalar::U32, 2)))], text).expect("binds");
        assert_eq!(bound.args[0], KernelArg::Buffer { buffer: 1, offset_elements: 0 });
        assert_eq!(bound.args[1..].iter().map(|&arg| scalar(arg)).collect::<Vec<_>>(), [2, 1, 2, 3]);
        assert_eq!(bound.outputs(&bound.buffers)[0].bytes.len(), 16);
    }

    #[test]
    fn a_buffer_that_is_not_used_is_of_the_type_it_is_declared_with() {
        let text = "//TEST_INPUT: ubuffer(data=[0], stride=4):out,name=b\nRWStructuredBuffer<float2> b;";
        let bound = bound(&[], text).expect("binds");
        assert_eq!(bound.outputs(&bound.buffers)[0].element, Some(Type::F32));
    }

    #[test]
    fn bytes_are_of_no_type() {
        let fields = vec![field("data", Type::pointer(Type::Scalar(Scalar::U8))), field("bytes", Type::I64)];
        let text = "//TEST_INPUT: ubuffer(data=[0], stride=4):out,name=b";
        let bound = bound(&[("b", Type::structure("ByteAddressBuffer", fields))], text).expect("binds");
        assert_eq!(bound.outputs(&bound.buffers)[0].element, None);
    }

    #[test]
    fn names_reach_into_structs_and_arrays() {
        let pair = Type::structure("P", vec![field("x", Type::U32), field("b", buffer_of(Type::U32))]);
        let text = "//TEST_INPUT: ubuffer(data=[5], stride=4):name=s[1].b\n//TEST_INPUT: set s[0].x = 7";
        let bound = bound(&[("s", Type::array(pair, 2))], text).expect("binds");
        assert_eq!(scalar(bound.args[0]), 7);
        assert_eq!(bound.args[1], KernelArg::Buffer { buffer: 0, offset_elements: 0 });
        assert_eq!(bound.args[4], KernelArg::Buffer { buffer: 1, offset_elements: 0 });
        assert_eq!(scalar(bound.args[5]), 1);
    }

    #[test]
    fn nameless_inputs_go_to_the_next_global_of_the_text() {
        let text = "//TEST_INPUT: cbuffer(data=[9])";
        let bound = bound(&[("a", Type::U32), ("b", Type::U32)], text).expect("binds");
        assert_eq!(scalar(bound.args[0]), 9);
        assert_eq!(scalar(bound.args[1]), 0);
    }

    #[test]
    fn objects_fill_fields_and_buffers() {
        let ball = Type::structure("Ball", vec![field("r", Type::F32), field("n", Type::U32)]);
        let text = "//TEST_INPUT: set one = new Ball{ n: 3, r: 2 }\n\
                    //TEST_INPUT: set all = new StructuredBuffer<Ball>[new Ball{1.5, 4}, new Ball{2, 5}]";
        let bound = bound(&[("one", ball.clone()), ("all", buffer_of(ball))], text).expect("binds");
        assert_eq!(bound.args[0], KernelArg::Scalar(Constant::float(Scalar::F32, 2.0)));
        assert_eq!(scalar(bound.args[3]), 2);
        let words: Vec<u32> = bound.buffers[1].chunks(4).map(|w| w[0].into()).collect();
        assert_eq!(words, [0, 4, 0, 5]);
    }

    #[test]
    fn a_value_behind_an_interface_takes_its_types_place_and_tag() {
        let ball = Type::structure("Ball", vec![field("r", Type::U32)]);
        let cube = Type::structure("Cube", vec![field("a", Type::U32), field("b", Type::U32)]);
        let shape = Type::structure(
            "IShape",
            vec![field("tag", Type::U32), field("as_1", ball), field("as_2", cube)],
        );
        let text = "//TEST_INPUT: set one = new Cube{5, 6}\n\
                    //TEST_INPUT: set all = new StructuredBuffer<IShape>[new Ball{7}, new Cube{8, 9}]";
        let bound = bound(&[("one", shape.clone()), ("all", buffer_of(shape))], text).expect("binds");
        assert_eq!(bound.args[..4].iter().map(|&arg| scalar(arg)).collect::<Vec<_>>(), [2, 0, 5, 6]);
        let words: Vec<u32> = bound.buffers[1].chunks(4).map(|w| w[0].into()).collect();
        assert_eq!(words, [1, 7, 0, 0, 2, 0, 8, 9]);
    }

    #[test]
    fn foreign_resources_are_refused_by_name() {
        assert!(bound(&[], "//TEST_INPUT: Sampler:name=s").is_err_and(|why| why.contains("Sampler")));
        assert!(bound(&[], "//TEST_INPUT: global_type Ball").is_err_and(|why| why.contains("global_type")));
    }
}
