//! `//TEST…` comments: which way of running a test is chosen, and with which options.

use pullback_ir::MatrixOrder;

/// A way of running that compares buffers: `//TEST(categories):COMPARE_COMPUTE_EX(options): arguments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its place among all directives of the file, which names the file of expected output.
    pub index: usize,
    /// `filecheck-buffer=PREFIX`: expected lines stand in the text.
    pub check_prefix: Option<String>,
    pub entry: String,
    /// Numbers of workgroups along x, y, z.
    pub groups: [u32; 3],
    /// Macros that the text is compiled with.
    pub defines: Vec<(String, String)>,
    /// Numbers are printed as their type's rather than as words.
    pub typed: bool,
    /// Memory is laid out as a host compiler lays it out; otherwise by the rules of constant buffers.
    pub host_layout: bool,
    /// How matrices that do not say it themselves lie in memory.
    pub matrix_order: MatrixOrder,
}

/// What a text's directives say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    Run(Directive),
    /// Nothing of it runs a compute shader and compares buffers.
    NotExecutable,
}

/// Chooses one directive: the first that asks for a CPU, or else the first.
pub fn select(text: &str) -> Selection {
    let mut chosen: Option<(bool, Directive)> = None;
    let mut index = 0;
    for line in text.lines() {
        let Some(comment) = line.trim_start().strip_prefix("//") else { continue };
        let comment = comment.trim_start();
        if comment.starts_with("TEST_IGNORE_FILE") {
            return Selection::NotExecutable;
        }
        let Some((enabled, rest)) = test_line(comment) else { continue };
        let directive = parse(index, rest);
        index += 1;
        let Some((of_cpu, directive)) = directive.filter(|_| enabled) else { continue };
        if chosen.as_ref().is_none_or(|(chosen_of_cpu, _)| of_cpu && !chosen_of_cpu) {
            chosen = Some((of_cpu, directive));
        }
    }
    chosen.map_or(Selection::NotExecutable, |(_, directive)| Selection::Run(directive))
}

/// What follows `TEST(categories):`, and whether the directive is enabled.
fn test_line(comment: &str) -> Option<(bool, &str)> {
    let word_end = comment.find(|c: char| !(c.is_ascii_uppercase() || c == '_'))?;
    let (word, rest) = comment.split_at(word_end);
    let enabled = match word {
        "TEST" => true,
        "DISABLE_TEST" | "DISABLED_TEST" | "TEST_DISABLED" | "DIAGNOSTIC_TEST" => false,
        _ => return None,
    };
    let rest = match rest.strip_prefix('(') {
        Some(categories) => categories.split_once(')')?.1,
        None => rest,
    };
    Some((enabled, rest.strip_prefix(':')?.trim_start()))
}

/// Reads `COMPARE_COMPUTE(options): arguments`; the bool says that it asks for a CPU.
fn parse(index: usize, rest: &str) -> Option<(bool, Directive)> {
    let kind_end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(rest.len());
    let (kind, rest) = rest.split_at(kind_end);
    if !matches!(kind, "COMPARE_COMPUTE" | "COMPARE_COMPUTE_EX") {
        return None;
    }
    let (options, rest) = match rest.strip_prefix('(') {
        Some(options) => options.split_once(')')?,
        None => ("", rest),
    };
    let arguments = rest.strip_prefix(':').unwrap_or(rest);
    let check_prefix = options.split(',').find_map(|option| option.trim().strip_prefix("filecheck-buffer="));
    let mut directive = Directive {
        index,
        check_prefix: check_prefix.map(str::to_owned),
        entry: "computeMain".to_owned(),
        groups: [1, 1, 1],
        defines: Vec::new(),
        typed: false,
        host_layout: false,
        matrix_order: MatrixOrder::Rows,
    };
    let mut of_cpu = false;
    let mut words = arguments.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "-cpu" => (of_cpu, directive.host_layout) = (true, true),
            "-cuda" => directive.host_layout = true,
            "-output-using-type" => directive.typed = true,
            "-matrix-layout-row-major" => directive.matrix_order = MatrixOrder::Rows,
            "-matrix-layout-column-major" => directive.matrix_order = MatrixOrder::Columns,
            "-entry" => directive.entry = words.next()?.to_owned(),
            "-compute-dispatch" => {
                let counts = words.next()?.split(',').map(|count| count.parse().ok());
                directive.groups = counts.collect::<Option<Vec<u32>>>()?.try_into().ok()?;
            }
            _ => {
                if let Some(define) = word.strip_prefix("-D") {
                    let (name, text) = define.split_once('=').unwrap_or((define, "1"));
                    directive.defines.push((name.to_owned(), text.to_owned()));
                }
            }
        }
    }
    Some((of_cpu, directive))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Directive {
        match select(text) {
            Selection::Run(directive) => directive,
            Selection::NotExecutable => panic!("nothing to run in {text}"),
        }
    }

    #[test]
    fn the_directive_of_a_cpu_is_preferred_and_keeps_its_place() {
        let directive = run("//TEST(compute):COMPARE_COMPUTE:-vk\n\
                             //DISABLE_TEST:COMPARE_COMPUTE:-cpu\n\
                             // TEST(smoke,compute):COMPARE_COMPUTE_EX:-cpu -compute -output-using-type\n");
        assert_eq!((directive.index, directive.typed, directive.host_layout), (2, true, true));
    }

    #[test]
    fn options_are_read() {
        let directive =
            run("//TEST:COMPARE_COMPUTE(filecheck-buffer=OUT): -vk -entry go -compute-dispatch 4,2,1 \
                             -xslang -DSIZE=3 -xslang -DFAST -xslang -matrix-layout-row-major");
        assert_eq!(directive.check_prefix.as_deref(), Some("OUT"));
        assert_eq!((directive.entry.as_str(), directive.groups), ("go", [4, 2, 1]));
        assert_eq!(directive.defines, [("SIZE".into(), "3".into()), ("FAST".into(), "1".into())]);
        assert!(!directive.host_layout && !directive.typed);
        assert_eq!(directive.matrix_order, MatrixOrder::Rows);
        let of_columns = run("//TEST:COMPARE_COMPUTE:-cpu -Xslang -matrix-layout-column-major");
        assert_eq!(of_columns.matrix_order, MatrixOrder::Columns);
    }

    #[test]
    fn what_compares_no_buffers_is_not_executable() {
        for text in [
            "//TEST:SIMPLE(filecheck=X): -target hlsl",
            "//DISABLE_TEST:COMPARE_COMPUTE:-cpu",
            "//TEST_IGNORE_FILE:\n//TEST:COMPARE_COMPUTE:-cpu",
            "//TEST(compute):COMPARE_RENDER_COMPUTE: -vk",
            "void f() {}",
        ] {
            assert_eq!(select(text), Selection::NotExecutable, "{text}");
        }
    }
}
