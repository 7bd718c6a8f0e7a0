//! `//TEST_INPUT:` comments: what a test's globals hold, and what it specializes.

use crate::value::{self, InputValue};

/// One comment of the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A value for a global, or for a part of one: `name`, `name.field`, `name[1]`.
    Bind {
        /// `None`: the next global in the text.
        name: Option<String>,
        value: InputValue,
        /// The comment's place in the text, in bytes.
        at: usize,
    },
    /// `type_conformance Type:Interface = id`: the number of a type among those behind an interface.
    Conformance { ty: String, interface: String, id: u32 },
    /// `type T`: a generic argument of the entry point.
    Type(String),
    /// A form that is not understood, with the word that shows which.
    Unknown(String),
}

impl Input {
    pub fn is_output(&self) -> bool {
        matches!(self, Input::Bind { value: InputValue::Buffer { is_output: true, .. }, .. })
    }
}

/// All inputs of a text, in order.
pub fn parse_all(text: &str) -> Result<Vec<Input>, String> {
    let mut inputs = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let comment = line.trim_start().strip_prefix("//").map(str::trim_start);
        if let Some(rest) = comment.and_then(|comment| comment.strip_prefix("TEST_INPUT:")) {
            let input = parse(rest.trim(), at).map_err(|why| format!("`{}`: {why}", rest.trim()))?;
            inputs.extend(input);
        }
        at += line.len();
    }
    Ok(inputs)
}

/// `None` for a line that has no effect here.
fn parse(text: &str, at: usize) -> Result<Option<Input>, String> {
    let word_end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    Ok(Some(match &text[..word_end] {
        "set" => {
            let (name, rest) = text[word_end..].split_once('=').ok_or("`=` is missing")?;
            let (value, rest) = value::parse(rest)?;
            if !rest.trim().trim_end_matches(';').is_empty() {
                return Err(format!("`{}` is not understood", rest.trim()));
            }
            Input::Bind { name: Some(name.trim().to_owned()), value, at }
        }
        "type_conformance" => {
            let (ty, rest) = text[word_end..].split_once(':').ok_or("`:` is missing")?;
            let (interface, id) = rest.split_once('=').ok_or("`=` is missing")?;
            let id = id.trim().trim_end_matches(';').parse().map_err(|_| "no number after `=`")?;
            Input::Conformance { ty: ty.trim().to_owned(), interface: interface.trim().to_owned(), id }
        }
        // Where an array is made of parts that are bound one by one.
        "array" => return Ok(None),
        // Which type stands behind an interface is told by the value there.
        "globalExistentialType"
        | "entryPointExistentialType"
        | "globalSpecializationArg"
        | "entryPointSpecializationArg" => return Ok(None),
        "type" => Input::Type(text[word_end..].trim().to_owned()),
        word @ ("global_type" | "begin_object" | "begin_buffer" | "end") => Input::Unknown(word.to_owned()),
        _ => {
            let (value, rest) = value::parse(text)?;
            let (name, is_output) = options(rest);
            Input::Bind { name, value: as_output(value, is_output), at }
        }
    }))
}

fn as_output(value: InputValue, is_output: bool) -> InputValue {
    match value {
        InputValue::Buffer { bytes, .. } if is_output => InputValue::Buffer { bytes, is_output },
        other => other,
    }
}

/// `:out,name=X`, `:name X`, `,name=X`: the name, and whether it is an output.
fn options(text: &str) -> (Option<String>, bool) {
    let (mut name, mut is_output) = (None, false);
    for option in text.trim().trim_start_matches([':', ',']).split(',') {
        let option = option.trim();
        if option == "out" {
            is_output = true;
        } else if let Some(rest) = option.strip_prefix("name") {
            name = Some(rest.trim_start_matches(['=', ' ']).trim().to_owned());
        }
    }
    (name, is_output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Input {
        let mut inputs = parse_all(line).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(inputs.len(), 1, "{line}");
        inputs.remove(0)
    }

    fn name_of(input: &Input) -> Option<&str> {
        match input {
            Input::Bind { name, .. } => name.as_deref(),
            _ => None,
        }
    }

    #[test]
    fn a_name_is_given_in_several_ways() {
        for line in [
            "//TEST_INPUT:ubuffer(data=[0], stride=4):out,name=result",
            "// TEST_INPUT: ubuffer(data=[0], stride=4):out, name result",
            "//TEST_INPUT: set result = out ubuffer(data=[0], stride=4)",
        ] {
            let input = one(line);
            assert_eq!((name_of(&input), input.is_output()), (Some("result"), true), "{line}");
        }
        let nameless = one("//TEST_INPUT:ubuffer(data=[0], stride=4):out");
        assert_eq!((name_of(&nameless), nameless.is_output()), (None, true));
    }

    #[test]
    fn conformances_give_types_their_numbers() {
        assert_eq!(
            one("//TEST_INPUT: type_conformance Ball<float> : IShape = 2"),
            Input::Conformance { ty: "Ball<float>".into(), interface: "IShape".into(), id: 2 }
        );
    }

    #[test]
    fn arguments_of_the_entry_point_are_read_and_other_specialization_is_refused_or_needless() {
        assert_eq!(one("//TEST_INPUT: global_type Ball"), Input::Unknown("global_type".into()));
        assert_eq!(one("//TEST_INPUT:type Ball<1,2>"), Input::Type("Ball<1,2>".into()));
        assert_eq!(parse_all("//TEST_INPUT: globalExistentialType Ball"), Ok(Vec::new()));
        assert_eq!(parse_all("//TEST_INPUT: globalSpecializationArg Ball"), Ok(Vec::new()));
    }

    #[test]
    fn a_comment_knows_its_place() {
        let text = "int a;\n//TEST_INPUT: cbuffer(data=[1]):name=c\n";
        let inputs = parse_all(text).expect("readable");
        assert!(matches!(&inputs[0], Input::Bind { at: 7, .. }));
    }
}
