//! Values of `TEST_INPUT` lines: a tree of buffers, words, objects and lists.

/// What an input holds.
#[derive(Clone, Debug, PartialEq)]
pub enum InputValue {
    /// `ubuffer(data=[…], stride=4)`
    Buffer {
        bytes: Vec<u8>,
        is_output: bool,
    },
    /// `cbuffer(data=[…])` or `uniform(data=[…])`: memory that is read in the layout of the global's type.
    Memory(Vec<u8>),
    /// `new Type{a, b}` or `{a, name: b}`: fields by name or in order. The type may be left out.
    Object {
        ty: Option<String>,
        fields: Vec<(Option<String>, InputValue)>,
    },
    /// `[a, b]`, or `new StructuredBuffer<T>[a, b]`.
    List(Vec<InputValue>),
    Integer(i64),
    Float(f64),
    /// A resource that has no counterpart here, by name: a texture, a sampler.
    Foreign(String),
}

/// Reads one value; the text after it is given back.
pub fn parse(text: &str) -> Result<(InputValue, &str), String> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('[') {
        let (items, rest) = sequence(rest, ']')?;
        return Ok((InputValue::List(items.into_iter().map(|(_, value)| value).collect()), rest));
    }
    if let Some(rest) = text.strip_prefix('{') {
        let (fields, rest) = sequence(rest, '}')?;
        return Ok((InputValue::Object { ty: None, fields }, rest));
    }
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word {
        "" => Err(format!("no value at `{}`", text.chars().take(20).collect::<String>())),
        "new" => parse_new(rest),
        "out" => match parse(rest)? {
            (InputValue::Buffer { bytes, .. }, rest) => {
                Ok((InputValue::Buffer { bytes, is_output: true }, rest))
            }
            _ => Err("`out` is for buffers".to_owned()),
        },
        "ubuffer" | "cbuffer" | "uniform" | "root_constants" => {
            let (bytes, rest) = parse_data(rest)?;
            Ok(match word {
                "ubuffer" => (InputValue::Buffer { bytes, is_output: false }, rest),
                _ => (InputValue::Memory(bytes), rest),
            })
        }
        _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Ok((number(word)?, rest)),
        _ => {
            let rest = rest.trim_start();
            let rest = match rest.strip_prefix('(') {
                Some(arguments) => arguments.split_once(')').ok_or("`(` is never closed")?.1,
                None => rest,
            };
            Ok((InputValue::Foreign(word.to_owned()), rest))
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn number(word: &str) -> Result<InputValue, String> {
    let integer = match word.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    let number = integer.map(InputValue::Integer).or_else(|| word.parse().ok().map(InputValue::Float));
    number.ok_or_else(|| format!("`{word}` is no number"))
}

/// `Type{…}`, `Type[…]`, `{…}`; a type may have arguments in angle brackets.
fn parse_new(text: &str) -> Result<(InputValue, &str), String> {
    let open = text.find(['{', '[']).ok_or("`new` without contents")?;
    let ty = text[..open].trim();
    let (value, rest) = parse(&text[open..])?;
    if ty.starts_with("StructuredBuffer") || ty.starts_with("RWStructuredBuffer") {
        let items = match value {
            InputValue::Object { fields, .. } => fields.into_iter().map(|(_, value)| value).collect(),
            InputValue::List(items) => items,
            other => vec![other],
        };
        return Ok((InputValue::List(items), rest));
    }
    Ok(match value {
        InputValue::Object { fields, .. } => {
            (InputValue::Object { ty: Some(ty.to_owned()).filter(|ty| !ty.is_empty()), fields }, rest)
        }
        other => (other, rest),
    })
}

type Items = Vec<(Option<String>, InputValue)>;

/// Values up to `close`, separated by commas; each may have a name.
fn sequence(mut text: &str, close: char) -> Result<(Items, &str), String> {
    let mut items = Vec::new();
    loop {
        text = text.trim_start().trim_start_matches(',').trim_start();
        if let Some(rest) = text.strip_prefix(close) {
            return Ok((items, rest));
        }
        if text.is_empty() {
            return Err(format!("`{close}` is missing"));
        }
        let word_end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
        let name = text[word_end..].trim_start().strip_prefix(':').map(|after| {
            let name = text[..word_end].to_owned();
            text = after;
            name
        });
        let (value, rest) = parse(text)?;
        items.push((name, value));
        text = rest;
    }
}

/// `(data=[…], stride=4, count=n)` as bytes. Integers and floats take four bytes each, halves two.
fn parse_data(text: &str) -> Result<(Vec<u8>, &str), String> {
    let text = text.trim_start().strip_prefix('(').ok_or("`(data=[…])` is missing")?;
    let mut bytes = Vec::new();
    let (mut stride, mut count) = (4, 0);
    let mut rest = text;
    loop {
        rest = rest.trim_start().trim_start_matches(',').trim_start();
        if let Some(rest) = rest.strip_prefix(')') {
            if bytes.len() < stride * count {
                bytes.resize(stride * count, 0);
            }
            return Ok((bytes, rest));
        }
        if let Some(after) = rest.strip_prefix("random(") {
            let end = after.find(')').ok_or("`random(` is never closed")?;
            return Err(format!("random({}) as input", &after[..end]));
        }
        let (key, after) = rest.split_once('=').ok_or("an option is `name=value`")?;
        let after = after.trim_start();
        match key.trim() {
            "data" => {
                let data = after.strip_prefix('[').ok_or("data stands in `[…]`")?;
                let (data, after) = data.split_once(']').ok_or("`]` is missing")?;
                if data.contains('(') {
                    return Err(format!("data of type information: {}", data.trim()));
                }
                for word in
                    data.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
                {
                    push_word(word, &mut bytes)?;
                }
                rest = after;
            }
            key => {
                let end = after.find([',', ')']).ok_or("`)` is missing")?;
                let (value, after) = after.split_at(end);
                let value = value.trim();
                match key {
                    "stride" => stride = value.parse().map_err(|_| format!("stride={value}"))?,
                    "count" => count = value.parse().map_err(|_| format!("count={value}"))?,
                    "format" if value != "R_UInt32" => return Err(format!("a buffer of format {value}")),
                    _ => {}
                }
                rest = after;
            }
        }
    }
}

fn push_word(word: &str, bytes: &mut Vec<u8>) -> Result<(), String> {
    if let Some(half) = word.strip_suffix('h').and_then(|digits| digits.parse::<f32>().ok()) {
        bytes.extend(half::f16::from_f32(half).to_bits().to_le_bytes());
        return Ok(());
    }
    match number(word)? {
        InputValue::Integer(integer) => bytes.extend((integer as u32).to_le_bytes()),
        InputValue::Float(float) => bytes.extend((float as f32).to_le_bytes()),
        _ => return Err(format!("`{word}` is no number")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> InputValue {
        let (value, rest) = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(rest.trim(), "", "{text}");
        value
    }

    #[test]
    fn buffers_hold_words_floats_and_halves() {
        let InputValue::Buffer { bytes, is_output } = whole("out ubuffer(data=[1 -1 0x10, 1.5], stride=4)")
        else {
            panic!("no buffer")
        };
        assert!(is_output);
        let words: Vec<u32> =
            bytes.chunks(4).map(|w| u32::from_le_bytes(w.try_into().expect("4 bytes"))).collect();
        assert_eq!(words, [1, u32::MAX, 16, 1.5f32.to_bits()]);
        assert_eq!(
            whole("ubuffer(data=[1.0h 2.0h], stride=2)"),
            InputValue::Buffer { bytes: vec![0, 0x3c, 0, 0x40], is_output: false }
        );
    }

    #[test]
    fn a_count_extends_the_data_by_zeros() {
        let InputValue::Buffer { bytes, .. } = whole("ubuffer(data=[7], stride=4, count=3)") else {
            panic!("no buffer")
        };
        assert_eq!(bytes, [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn objects_nest_and_name_their_fields() {
        let value = whole("new Ball{ radius: 2.5, [1, 2], at: { 3 } }");
        let InputValue::Object { ty, fields } = value else { panic!("no object") };
        assert_eq!(ty.as_deref(), Some("Ball"));
        assert_eq!(fields[0], (Some("radius".into()), InputValue::Float(2.5)));
        assert_eq!(fields[1].1, InputValue::List(vec![InputValue::Integer(1), InputValue::Integer(2)]));
        assert!(matches!(&fields[2].1, InputValue::Object { ty: None, fields } if fields.len() == 1));
    }

    #[test]
    fn a_new_structured_buffer_is_a_list_of_its_elements() {
        let value = whole("new StructuredBuffer<P>[new P{1}, new P{2}]");
        assert!(matches!(value, InputValue::List(items) if items.len() == 2));
    }

    #[test]
    fn resources_without_counterpart_keep_their_name() {
        assert_eq!(whole("Texture2D(size=4, content = one)"), InputValue::Foreign("Texture2D".into()));
        assert_eq!(whole("Sampler"), InputValue::Foreign("Sampler".into()));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert!(parse("ubuffer(random(float, 4, -1, 1), stride=4)").is_err());
        assert!(parse("cbuffer(data=[rtti(T) 1])").is_err_and(|why| why.contains("rtti(T)")));
        assert!(parse("[1, 2").is_err());
    }
}
