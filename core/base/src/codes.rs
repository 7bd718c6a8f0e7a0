//! Every error code, its class and its one-line meaning. Each has a page in `tests/spec/errors/`.

/// Which Python exception carries a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The kernel text is wrong.
    Compile,
    /// The kernel text is right, and perhaps not what was meant.
    Warning,
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
    ($($variant:ident $text:literal $class:ident $meaning:literal $advice:literal;)*) => {
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

            /// One thing to do, where the place of the error knows nothing better.
            pub fn advice(self) -> &'static str {
                match self { $(Code::$variant => $advice,)* }
            }
        }
    };
}

codes! {
    SyntaxError "syntax-error" Compile "The text does not follow the language's grammar."
        "mend the text at the mark; what follows it may be fine";
    PreprocessorError "preprocessor-error" Compile "A preprocessor directive is wrong, or an included file is missing."
        "mend the directive at the mark";
    UnknownName "unknown-name" Compile "A name is used that nothing in scope declares."
        "declare it, or check its spelling";
    DuplicateName "duplicate-name" Compile "Two declarations of one scope share a name."
        "rename or remove one of them";
    TypeMismatch "type-mismatch" Compile "An expression has a type that its place cannot take."
        "use a value of the type that is needed, or convert explicitly";
    NoOverload "no-overload" Compile "No function of that name takes these arguments."
        "pass arguments that fit one of the declarations";
    AmbiguousOverload "ambiguous-overload" Compile "Several functions of that name fit these arguments equally well."
        "convert an argument explicitly, so that one declaration fits best";
    UnusedName "unused-name" Warning "A variable of a function is declared, and nothing uses it."
        "remove it, or begin its name with `_`";
    HiddenName "hidden-name" Warning "A variable of a function hides another one by having its name."
        "rename one of them";
    NotAssignable "not-assignable" Compile "The left side of an assignment cannot be written."
        "assign to a variable, a parameter, or a part of one";
    NotConstant "not-constant" Compile "A constant expression was needed."
        "use a literal or a `static const`";
    AssertionFails "assertion-fails" Compile "A `static_assert` does not hold."
        "give the parameters it speaks of other values";
    MissingReturn "missing-return" Compile "A path through the function ends without a value."
        "return a value at the end of the function";
    InvalidControlFlow "invalid-control-flow" Compile "break, continue, case or return stands where it means nothing."
        "move it into the loop, switch or function it belongs to, or remove it";
    RecursiveCall "recursive-call" Compile "Functions call one another in a circle; kernels cannot."
        "write the recursion as a loop";
    UnsupportedFeature "unsupported-feature" Compile "The construct is part of the language, but not yet of Pullback."
        "write it without this construct";
    InvalidWgsl "invalid-wgsl" Compile "The WGSL front end refused the text."
        "mend the text at the mark";
    InvalidGlsl "invalid-glsl" Compile "The GLSL front end refused the text."
        "correct the text at the place shown";
    InvalidModule "invalid-module" Compile "The bytes of a compiled module were refused."
        "look at the module with its format's validator";
    UnknownFunction "unknown-function" Bind "The module has no function of that name."
        "call one of the functions that the module has";
    MissingArgument "missing-argument" Bind "A parameter without a default value got no argument."
        "pass the argument";
    UnknownArgument "unknown-argument" Bind "An argument names no parameter, or names one twice."
        "leave it out, or check its name";
    ArgumentType "argument-type" Bind "The parameter cannot be fed from a value of this kind."
        "pass a number, an array, or a dict for a struct";
    DtypeMismatch "dtype-mismatch" Bind "An array's dtype does not convert to the parameter's without loss."
        "convert the array first";
    ValueRange "value-range" Bind "A number does not fit the parameter's integer type."
        "pass a number in the range of the type";
    MissingField "missing-field" Bind "A struct argument lacks a field."
        "add the field";
    UnknownField "unknown-field" Bind "A struct argument has a field the struct has not."
        "leave the field out, or check its name";
    ReadOnlyOutput "read-only-output" Bind "An output array cannot be written."
        "pass a writable array";
    OverlappingOutput "overlapping-output" Bind "An output array shares memory with another argument."
        "pass a copy of one of the arrays";
    AmbiguousCall "ambiguous-call" Bind "Several overloads take these arguments equally well."
        "pass typed values";
    DeviceMismatch "device-mismatch" Bind "An argument lives on another device than the call."
        "move the array to the call's device";
    ShapeMismatch "shape-mismatch" Shape "The arguments' shapes do not broadcast together."
        "make sizes that meet equal or 1, counted from the right";
    ElementShape "element-shape" Shape "An array's last dimensions are not those of the parameter's type."
        "make the array's last dims those of the parameter's type";
    BroadcastOutput "broadcast-output" Shape "Two lanes would write one element of an output."
        "pass an output with an element per lane";
    NoDerivative "no-derivative" Gradient "The function has a construct that has no derivative rule."
        "mark the value no_diff, or write it with operations that have derivatives";
    NoSecondDerivative "no-second-derivative" Gradient "A second derivative was asked for where none is given."
        "call the function itself under create_graph=True";
    GradientMismatch "gradient-mismatch" Gradient "A gradient differs from finite differences."
        "look at the custom derivatives the function calls; where it has none, report the function";
    NotDifferentiable "not-differentiable" Gradient "A gradient was asked of an argument that can have none."
        "do not ask for this gradient";
    ModifiedInPlace "modified-in-place" Gradient "A tensor was changed between the call and its backward."
        "pass a copy to the call";
    FileNotFound "file-not-found" Device "The module's file cannot be read."
        "check the path";
    NoDriver "no-driver" Device "The device's driver is not installed or does not start."
        "install the device's driver, or choose another device";
    NoDevice "no-device" Device "The driver runs, but has no such device."
        "choose another device";
    OutOfMemory "out-of-memory" Device "The device has not the memory the call needs."
        "free memory, or call on fewer lanes at once";
    LaunchFailed "launch-failed" Device "The driver refused or lost a launch."
        "run the call again on the CPU device to tell a kernel fault from a driver fault";
    CompilerFailed "compiler-failed" Device "The driver's own compiler refused generated code."
        "report the kernel and the log: generated code should always compile";
    Unsupported "unsupported-by-device" Device "The device lacks a capability the kernel needs."
        "choose another device, or a narrower dtype";
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
