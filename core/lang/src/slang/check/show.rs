//! Types and functions as messages show them: as their authors would write them.

use super::count::Count;
use super::memory::BufferForm;
use super::pointer::PointerAccess;
use super::program::{FnId, InterfaceRef, Lazy, Program};
use super::types::{Arg, Elem, Shape, Subst, Ty, scalar_name};
use pullback_ir::{Direction, MatrixOrder};

impl Program<'_> {
    pub fn show_interface(&self, interface: &InterfaceRef) -> String {
        let name = &self.interfaces[interface.id].name;
        if interface.args.is_empty() {
            return name.to_string();
        }
        let args: Vec<String> = interface.args.iter().map(|arg| self.show_arg(arg)).collect();
        format!("{name}<{}>", args.join(", "))
    }

    pub fn show_arg(&self, arg: &Arg) -> String {
        match arg {
            Arg::Type(ty) => self.show(ty),
            Arg::Count(count) => self.show_count(count),
        }
    }

    /// A type as its author would write it.
    pub fn show(&self, ty: &Ty) -> String {
        if let Some(shown) = self.show_lambda(ty) {
            return shown;
        }
        match ty {
            Ty::Error => "?".into(),
            Ty::Void => "void".into(),
            Ty::Enum(id) => self.enums[*id].name.to_string(),
            Ty::Interface(interface) => self.show_interface(interface),
            Ty::Pair(pairing, of) => format!("{}<{}>", pairing.name(), self.show(of)),
            Ty::Differential(of) => format!("{}.Differential", self.show(of)),
            Ty::Assoc(base, requirement) => {
                format!("{}.{}", self.show(base), self.requirements[*requirement].name)
            }
            Ty::Struct(id, args) if args.is_empty() => self.structs[*id].name.to_string(),
            Ty::Struct(id, args) => {
                let args: Vec<String> = args.iter().map(|arg| self.show_arg(arg)).collect();
                format!("{}<{}>", self.structs[*id].name, args.join(", "))
            }
            Ty::Buffer(kind, _) if kind.form == BufferForm::Bytes => kind.name().into(),
            Ty::Buffer(kind, element) => {
                let order = if kind.order == MatrixOrder::Columns { "column_major " } else { "" };
                format!("{}<{order}{}>", kind.name(), self.show(element))
            }
            Ty::Atomic(scalar) => format!("Atomic<{}>", scalar_name(*scalar)),
            Ty::Pointer(PointerAccess::ReadWrite, target) => format!("{}*", self.show(target)),
            Ty::Pointer(PointerAccess::Read, target) => format!("Ptr<{}, Access.Read>", self.show(target)),
            Ty::Array(..) => {
                let (mut element, mut sizes) = (ty, Vec::new());
                while let Ty::Array(inner, count) = element {
                    sizes.push(format!("[{}]", self.show_count(count)));
                    element = inner;
                }
                sizes.reverse();
                format!("{}{}", self.show(element), sizes.concat())
            }
            Ty::Number(elem, shape) => {
                let (name, known) = match elem {
                    Elem::Scalar(scalar) => (scalar_name(*scalar), true),
                    Elem::Param(param) => (&*self.generics[*param].name, false),
                };
                match shape {
                    Shape::Scalar => name.into(),
                    Shape::Vector(Count::Known(n)) if known => format!("{name}{n}"),
                    Shape::Matrix(Count::Known(r), Count::Known(c)) if known => format!("{name}{r}x{c}"),
                    Shape::Vector(n) => format!("vector<{name}, {}>", self.show_count(n)),
                    Shape::Matrix(r, c) => {
                        format!("matrix<{name}, {}, {}>", self.show_count(r), self.show_count(c))
                    }
                }
            }
        }
    }

    /// `lerp(vector<T, N> x, ...)`, with what is known of the generic parameters.
    pub fn show_function(&self, function: FnId, subst: &Subst) -> String {
        let decl = &self.functions[function];
        let Lazy::Done(signature) = &decl.signature else { return decl.name.to_string() };
        let params = signature.params.iter().map(|param| {
            let direction = match param.direction {
                Direction::In => "",
                Direction::Out => "out ",
                Direction::InOut => "inout ",
            };
            format!("{direction}{} {}", self.show(&param.ty.subst(self, subst)), param.name)
        });
        let params: Vec<String> = params.collect();
        format!("{}({})", decl.qualified, params.join(", "))
    }
}
