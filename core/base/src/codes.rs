//! Every error code, its class and its one-line meaning. Each has a page in `tests/spec/errors/`.

/// Which Python exception carries a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The kernel text is wrong.
    Compile,
    /// The call's arguments are wrong.
    Bind,
    /// The call's shapes do not fit together.
    Shape,
    /// No gradient can be given.
    Gradient,
    /// The world: a driver, a device, a file, memory.
    Device,
}

macro_rules! codes {
    ($($variant:ident $text:literal $class:ident $meaning:literal;)*) => {
        /// The kebab-case name of one kind of error, searchable and speakable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            pub fn text(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            pub fn class(self) -> ErrorClass {
                match self { $(Code::$variant => ErrorClass::$class,)* }
            }

            /// One sentence: what the code means.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    SyntaxError "syntax-error" Compile "The text does not follow the language's grammar.";
    PreprocessorError "preprocessor-error" Compile "A preprocessor directive is wrong, or an included file is missing.";
    UnknownName "unknown-name" Compile "A name is used that nothing in scope declares.";
    DuplicateName "duplicate-name" Compile "Two declarations of one scope share a name.";
    TypeMismatch "type-mismatch" Compile "An expression has a type that its place cannot take.";
    NoOverload "no-overload" Compile "No function of that name takes these arguments.";
    AmbiguousOverload "ambiguous-overload" Compile "Several functions of that name fit these arguments equally well.";
    NotAssignable "not-assignable" Compile "The left side of an assignment cannot be written.";
    NotConstant "not-constant" Compile "A constant expression was needed.";
    MissingReturn "missing-return" Compile "A path through the function ends without a value.";
    InvalidControlFlow "invalid-control-flow" Compile "break, continue, case or return stands where it means nothing.";
    RecursiveCall "recursive-call" Compile "Functions call one another in a circle; kernels cannot.";
    UnsupportedFeature "unsupported-feature" Compile "The construct is part of the language, but not yet of Pullback.";
    InvalidWgsl "invalid-wgsl" Compile "The WGSL front end refused the text.";
    UnknownFunction "unknown-function" Bind "The module has no function of that name.";
    MissingArgument "missing-argument" Bind "A parameter without a default value got no argument.";
    UnknownArgument "unknown-argument" Bind "An argument names no parameter, or names one twice.";
    ArgumentType "argument-type" Bind "The parameter cannot be fed from a value of this kind.";
    DtypeMismatch "dtype-mismatch" Bind "An array's dtype does not convert to the parameter's without loss.";
    ValueRange "value-range" Bind "A number does not fit the parameter's integer type.";
    MissingField "missing-field" Bind "A struct argument lacks a field.";
    UnknownField "unknown-field" Bind "A struct argument has a field the struct has not.";
    ReadOnlyOutput "read-only-output" Bind "An output array cannot be written.";
    OverlappingOutput "overlapping-output" Bind "An output array shares memory with another argument.";
    AmbiguousCall "ambiguous-call" Bind "Several overloads take these arguments equally well.";
    DeviceMismatch "device-mismatch" Bind "An argument lives on another device than the call.";
    ShapeMismatch "shape-mismatch" Shape "The arguments' shapes do not broadcast together.";
    ElementShape "element-shape" Shape "An array's last dimensions are not those of the parameter's type.";
    BroadcastOutput "broadcast-output" Shape "Two lanes would write one element of an output.";
    NoDerivative "no-derivative" Gradient "The function has a construct that has no derivative rule.";
    NoDerivativeLoop "no-derivative-loop" Gradient "Reverse mode does not go through loops yet.";
    NoSecondDerivative "no-second-derivative" Gradient "A second derivative was asked for where none is given.";
    NotDifferentiable "not-differentiable" Gradient "A gradient was asked of an argument that can have none.";
    ModifiedInPlace "modified-in-place" Gradient "A tensor was changed between the call and its backward.";
    FileNotFound "file-not-found" Device "The module's file cannot be read.";
    NoDriver "no-driver" Device "The device's driver is not installed or does not start.";
    NoDevice "no-device" Device "The driver runs, but has no such device.";
    OutOfMemory "out-of-memory" Device "The device has not the memory the call needs.";
    LaunchFailed "launch-failed" Device "The driver refused or lost a launch.";
    CompilerFailed "compiler-failed" Device "The driver's own compiler refused generated code.";
    Unsupported "unsupported-by-device" Device "The device lacks a capability the kernel needs.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_texts_are_kebab_case_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(code.text().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
            assert!(code.meaning().ends_with('.'), "{code}");
            assert!(seen.insert(code.text()), "{code} twice");
        }
    }
}
